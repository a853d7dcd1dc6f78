"""This version reads a database, a spool folder and queued batches that the previous version wrote.

The files are in ``tests/fixtures/previous``. Expected values are written out here, not computed.
"""

from __future__ import annotations

import base64
import json
import shutil
import signal
import socket
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

import pytest
import redis
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from amqp.basic_message import Message as AmqpMessage
from kombu import Connection, Exchange, Queue
from sqlalchemy import Engine, text

from alertworker import pipeline
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import Step
from alertworker.budgets.configured import OwnBudget
from alertworker.budgets.readings import BudgetKey
from alertworker.budgets.state import spell_state
from alertworker.delivery.channel import Answer
from alertworker.events import (
    AttemptFailed,
    Event,
    Failure,
    Origin,
    PublisherHeartbeat,
    PublisherStopped,
    RequestFailed,
    RequestSucceeded,
)
from alertworker.events.batch import decode, display_payload
from alertworker.events.system import PublisherCounters
from alertworker.host.paths import database_path, default_database_url
from alertworker.pipeline import BatchMessage, BrokerMessage, Reporter, Runtime, admit, ingest, sweep
from alertworker.ports.admin import Occurrences
from alertworker.ports.alert_search import AlertFilter, StateFilter
from alertworker.publisher import BrokerTransport, Publisher, Spool
from alertworker.reports import Calendar
from alertworker.store import AdminStore, SqlLedgerReader, SqlStore, make_engine
from alertworker.store.migrations import upgrade
from alertworker.store.schema import METADATA
from alertworker.store.schema.batches import BATCHES, COUNTERS
from alertworker.store.schema.delivery import NOTIFICATIONS
from alertworker.store.schema.ledger import DROPS, FALLBACKS, LATENCIES, OUTCOMES, SPEND, SPEND_MONTHS
from alertworker.store.schema.publishers import CLOCKS
from tests.acceptance.receiver import Receiver, receiver
from tests.acceptance.stack import Stack
from tests.integration import still_worker
from tests.integration.broker import Broker, call, wait_for
from tests.integration.harness import (
    NOW,
    Outbox,
    Recorder,
    announced,
    answered,
    assert_ledger_agrees,
    batch,
    canary,
    failed,
    rows,
    run_until_quiet,
    spend_of,
)

PREVIOUS: Final = Path(__file__).parents[1] / "fixtures" / "previous"
DOLLAR: Final = 1_000_000_000
#: The budget that the previous version had in its configuration.
BUDGETS: Final = (OwnBudget(dimension="tag", entity="batch", max=100, period="day", thresholds=(50,)),)
#: The time at which the receiver that asked for a pause accepts messages again.
LATER: Final = NOW + timedelta(seconds=25)
#: The headlines of the messages in the lane, in order. The first one was attempted before.
WAITING: Final = [
    (Step.FIRING, "Team Search: 85 % of budget"),
    (Step.FIRING, "Tag batch: 50 % of budget"),
    (Step.NOTICE, "LLM API call failed: gpt-4o · APIError 500"),
    (Step.NOTICE, "Spend 16 to 22 Nov 2026 (UTC): $4 (new)"),
    (Step.NOTICE, "Monthly spend 1 to 31 Oct 2026 (UTC): $5 (new)"),
    (Step.NOTICE, "Daily report 23 Nov 2026 so far (UTC): $62.00"),
]
#: The reason of its dead letters.
BAD: Final = "llm.request.succeeded.call_id: Input should be a valid string"
REFUSED: Final = "client_error: outbox answered 400"
CONFIG: Final = """
alertworker:
  route: {{receiver: all}}
  receivers:
    - name: all
      channels: [{{kind: webhook, name: outbox, url: "{url}"}}]
"""


def load(path: Path) -> Engine:
    """Return an engine on the previous version's database, upgraded to the newest schema."""
    with closing(sqlite3.connect(path)) as database:
        database.executescript((PREVIOUS / "database.sql").read_text())
    engine = make_engine(f"sqlite:///{path}")
    upgrade(engine)
    return engine


def dump(store: SqlStore) -> list[str]:
    """Return everything in a database."""
    with closing(sqlite3.connect(str(store.engine.url.database))) as database:
        return list(database.iterdump())


class Posted(Outbox):
    """A channel that also keeps the bodies, unchanged."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: dict[str, str] = {}

    def send(self, body: str, *, notification_id: str) -> Answer:
        """Keep the body, then do the same as any channel."""
        self.bodies[notification_id] = body
        return super().send(body, notification_id=notification_id)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    """Return the previous version's store."""
    engine = load(tmp_path / "test.db")
    yield SqlStore(engine)
    engine.dispose()


@pytest.fixture
def admin(store: SqlStore) -> AdminStore:
    return AdminStore(store.engine)


@pytest.fixture
def outbox() -> Posted:
    return Posted()


@pytest.fixture
def runtime(runtime: Runtime) -> Runtime:
    """Return a runtime with the previous version's configuration."""
    return replace(runtime, budgets=BUDGETS)


def after(seconds: float) -> datetime:
    """Return the time this many seconds after the previous version stopped."""
    return NOW + timedelta(seconds=seconds)


def notified(outbox: Outbox) -> list[tuple[Step, str]]:
    """Return the sent steps and headlines, in order."""
    return [(message.step, message.headline) for message in outbox.sent]


def ingest_at(runtime: Runtime, seconds: float, *events: Event) -> None:
    """Ingest a batch."""
    ingest(batch(*events), runtime, now=after(seconds))


def pass_time(runtime: Runtime, seconds: float) -> None:
    """Sweep and deliver at a later time."""
    sweep(runtime, now=after(seconds))
    run_until_quiet(runtime, after(seconds))


def beat(seconds: float) -> PublisherHeartbeat:
    """Return a heartbeat of the running publisher."""
    return PublisherHeartbeat(
        boot_id="boot-1", host="proxy-1", pid=7, version="1", started_at=NOW, occurred_at=after(seconds)
    )


def attempt(seconds: float) -> AttemptFailed:
    """Return another failed attempt on the deployment with the outage."""
    failure = Failure(error_class="ServiceUnavailableError", status_code=503, origin=Origin.PROVIDER, message="away")
    return AttemptFailed(
        call_id=f"more-{seconds}",
        started_at=after(seconds),
        occurred_at=after(seconds),
        model_group="gpt-4o",
        deployment_id="d2",
        provider="azure",
        region="eastus",
        failure=failure,
    )


def version(engine: Engine) -> str:
    """Return the revision in a database."""
    with engine.connect() as connection:
        return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())


# Neither SQLAlchemy nor Alembic reads such indexes from SQLite; test_schema compares their SQL.
@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
def test_its_database_is_at_the_newest_schema_after_an_upgrade(store: SqlStore) -> None:
    """It has the revision of a new database, and the tables of the code."""
    fresh = make_engine("sqlite://")
    upgrade(fresh)
    assert version(store.engine) == version(fresh)
    fresh.dispose()
    with store.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_its_open_alerts_are_read_with_all_that_is_known_of_them(store: SqlStore, admin: AdminStore) -> None:
    """Conditions, the notice, what mutes one and who knows of another; occurrences by name."""
    opened = sorted(
        admin.alerts.search(AlertFilter(state=StateFilter.OPEN)).alerts, key=lambda row: (row.opened_at, row.headline)
    )
    assert [
        (row.type, row.kind, row.severity, row.count, row.notified_count, row.suppressed_by, row.acked_by)
        for row in opened
    ] == [
        ("outage_alerts", "condition", "Medium", 5, 5, None, None),
        ("llm_requests_hanging", "condition", "Medium", 1, 0, "silence silence-1", None),
        ("llm_requests_hanging", "condition", "Medium", 2, 2, None, "ops"),
        ("budget_alerts", "condition", "High", 1, 1, None, None),
        ("budget_alerts", "condition", "High", 1, 1, None, None),
        ("llm_exceptions", "notice", "High", 3, 1, None, None),
        ("daily_reports", "notice", "Low", 1, 1, None, None),
        ("spend_reports", "notice", "Low", 1, 1, None, None),
        ("spend_reports", "notice", "Low", 1, 1, None, None),
    ]
    outage, _, hanging, *_, failing = opened[:6]
    assert outage.labels == {"deployment": "d2", "model": "gpt-4o", "provider": "azure", "region": "eastus"}
    assert outage.first_at == datetime(2026, 11, 23, 14, 1, 10, tzinfo=UTC)
    assert outage.facts["Attempts"] == "5 of 5 failed in 70 s (503 ×5); threshold 5"
    assert (hanging.ack_note, hanging.repeat_at) == ("looking", None)
    assert admin.occurrences(failing.id) == Occurrences([f"fails-{n} · search · app" for n in (1, 2, 3)], {"search": 3})

    due = {alert.id: alert for alert in store.run(lambda tx: tx.alerts.due_alerts(limit=100, now=LATER))}
    assert (due[hanging.id].running, due[hanging.id].outcomes) == (2, {})
    assert due[outage.id].severity is Severity.MEDIUM


def test_its_publishers_silences_budgets_and_lanes_are_read(store: SqlStore, admin: AdminStore) -> None:
    """This includes its clocks and counters."""
    gone, alive = sorted(admin.publishers(), key=lambda row: str(row.boot_id))
    assert (gone.boot_id, gone.host, gone.stopped_at) == ("boot-0", "proxy-2", after(-3_600))
    assert (alive.boot_id, alive.integration, alive.last_heartbeat_at, alive.stopped_at) == (
        "boot-1",
        "litellm",
        NOW,
        None,
    )
    assert PublisherCounters.model_validate(alive.counters).dropped == {"buffer_full": 3}

    first, second = admin.silences(now=NOW)
    assert [(one.id, one.state(now=NOW), one.ends_at) for one in (first, second)] == [
        ("silence-1", "active", after(20)),
        ("silence-2", "pending", after(2 * 86_400)),
    ]
    assert first.mutes({"alert_type": "llm_requests_hanging", "model": "o3"}, now=NOW)
    assert not first.mutes({"alert_type": "llm_requests_hanging", "model": "gpt-4o"}, now=NOW)
    assert list(map(str, second.matchers)) == ['alert_type=~"llm_.*"', 'deployment!="d1"', 'team!~"ops|dev"']

    own, teams = admin.budgets()
    assert (own[0], own[1].reading.spend_nanos, spell_state(own[1])) == (
        BudgetKey("tag", "batch", "day"),
        60 * DOLLAR,
        "50 %",
    )
    assert (teams[0], teams[1].reading.spend_nanos, spell_state(teams[1])) == (
        BudgetKey("team", "search"),
        86 * DOLLAR,
        "85 %",
    )
    assert teams[1].reading.owner.team_alias == "Search"

    lane = store.lanes.states(now=NOW)["outbox"]
    assert (lane.waiting, lane.waiting_since, lane.paused_until) == (6, after(-8), after(22))
    assert {(row.name, row.label): row.value for row in rows(store, COUNTERS)} == {
        ("dead_letters", "notification"): 1,
        ("dead_letters", "event"): 1,
        ("dead_letters", "batch"): 1,
        ("muted", "silence"): 1,
        ("delivery_retries", "rate_limited"): 1,
    }
    assert {row.name: row.at for row in rows(store, CLOCKS)} == {
        "canary_arrived": NOW,
        "canary_sent": NOW,
        "pruned": NOW,
        "zone_looked_at": NOW,
        "reported_spend": datetime(2026, 11, 23, tzinfo=UTC),
        "reported_monthly": datetime(2026, 11, 1, tzinfo=UTC),
        "reported_daily": datetime(2026, 11, 23, 12, tzinfo=UTC),
        "reported_fallbacks": datetime(2026, 11, 23, tzinfo=UTC),
    }


def test_waiting_and_due_messages_are_sent(runtime: Runtime, outbox: Posted, store: SqlStore) -> None:
    """Each is sent once, in order, and not before the receiver's pause ends.

    An attempted message is sent as it was sealed.
    """
    run_until_quiet(runtime, NOW)
    assert outbox.sent == []
    sealed = {row.id: row.body for row in rows(store, NOTIFICATIONS) if row.status == "pending" and row.body}
    waiting = {row.id for row in rows(store, NOTIFICATIONS) if row.status == "pending"}

    sweep(runtime, now=LATER)
    run_until_quiet(runtime, LATER)
    assert notified(outbox)[:6] == WAITING
    assert sorted(notified(outbox)[6:]) == [
        (Step.FIRING, "Requests are hanging - 58s without progress on o3"),  # its silence is over
        (Step.REMINDER, "Still: Minor Service Outage: d2 (gpt-4o)"),
        (Step.SUMMARY, "LLM API call failed: gpt-4o · APIError 500"),
    ]
    assert set(outbox.ids[:6]) == waiting
    assert len(sealed) == 1
    assert {name: outbox.bodies[name] for name in sealed} == sealed
    assert {row.status for row in rows(store, NOTIFICATIONS)} == {"sent", "dead"}

    summary = next(message for message in outbox.sent if message.step is Step.SUMMARY)
    assert (summary.count, summary.total, summary.counted_since) == (2, 3, after(-4))
    assert summary.members == ("fails-2 · search · app", "fails-3 · search · app")
    assert summary.facts["By team"] == "search ×2"
    reminder = next(message for message in outbox.sent if message.step is Step.REMINDER)
    assert (reminder.facts["Attempts"], reminder.total) == ("5 of 5 failed in 5 s", 5)

    outbox.sent.clear()
    run_until_quiet(runtime, after(26))
    assert outbox.sent == []


def test_its_reports_keep_their_tables_files_and_figures_and_come_once(
    runtime: Runtime, outbox: Posted, store: SqlStore
) -> None:
    """A waiting report still has its tables, and a budget its figures for programs."""
    due = {one.message.headline: one.message for one in store.queue.next_due("outbox", limit=10, now=LATER)}
    weekly = due["Spend 16 to 22 Nov 2026 (UTC): $4 (new)"]
    assert weekly.tables[0].total == ("All", 4 * DOLLAR, "new", 1)
    assert weekly.tables[0].rows == (("Search", 4 * DOLLAR, "new", 1),)
    assert weekly.chart is not None
    assert sum(sum(series.values) for series in weekly.chart.series) == 4 * DOLLAR
    assert [file.name for file in weekly.attachments] == ["spend-2026-11-16-2026-11-22.csv"]
    assert "Search" in weekly.attachments[0].content
    figures = due["Team Search: 85 % of budget"].figures
    assert figures is not None
    assert (figures.spend_nanos, figures.max_nanos, figures.crossed) == (86 * DOLLAR, 100 * DOLLAR, 85)

    reporter = Reporter(runtime, SqlLedgerReader(store.engine), Calendar(ZoneInfo("UTC")))
    assert reporter.send_due(now=LATER) == 0
    run_until_quiet(runtime, LATER)
    assert notified(outbox) == WAITING


def test_an_end_is_sent_to_the_channels_that_got_the_firing_message(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """The outage and the hanging calls resolve. Nothing is sent about muted ones."""
    ends = [answered(name, announced=True) for name in ("hangs-1", "hangs-2", "hangs-3")]
    good = answered("good").model_copy(
        update={"deployment_id": "d2", "provider": "azure", "region": "eastus", "occurred_at": after(15)}
    )
    ingest_at(runtime, 15, *ends, good)
    ingest_at(runtime, 130, beat(130), canary(runtime, after(130)))
    pass_time(runtime, 130)

    over = {message.type: message for message in outbox.sent if message.step is Step.RESOLVED}
    assert set(over) == {AlertType.LLM_REQUESTS_HANGING, AlertType.OUTAGE_ALERTS}
    hung = over[AlertType.LLM_REQUESTS_HANGING]
    assert hung.headline == "Resolved after 23 s: 2 calls were hanging on gpt-4o"
    assert hung.facts["Ended"] == "2 finished"
    assert over[AlertType.OUTAGE_ALERTS].facts["Attempts"] == "5 of 5 failed in 5 s"
    assert "Minor Service Outage: d2 (gpt-4o)" in over[AlertType.OUTAGE_ALERTS].headline
    assert [headline for _, headline in notified(outbox) if "o3" in headline] == []
    assert {row.type for row in AdminStore(store.engine).alerts.open_labels()} == {"budget_alerts", "llm_exceptions"}


def test_an_end_that_it_recorded_is_kept(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """The announcement that comes after it, and those of calls that are known, fire nothing."""
    before = len(AdminStore(store.engine).alerts.search(AlertFilter()).alerts)
    calls = [announced(name) for name in ("overtook", "hangs-1")]
    ingest_at(runtime, 1, *(one.model_copy(update={"model_group": "another"}) for one in calls))

    assert len(AdminStore(store.engine).alerts.search(AlertFilter()).alerts) == before


def test_a_publisher_that_is_lost_takes_its_calls_along(runtime: Runtime, outbox: Outbox) -> None:
    """These are the calls that it announced to the previous version."""
    ingest_at(runtime, 120, canary(runtime, after(120)))
    for seconds in (120, 121):
        pass_time(runtime, seconds)

    lost = [message for message in outbox.sent if message.type is AlertType.PUBLISHER_LOST]
    headline = "The last running proxy stopped without a clean shutdown"
    assert [message.headline for message in lost] == [f"{headline}: proxy-1, process 7, 3 announced calls lost with it"]
    ended = [(message.step, message.facts["Ended"]) for message in outbox.sent if "Ended" in message.facts]
    assert sorted(ended) == [(Step.RESOLVED, "1 proxy gone"), (Step.RESOLVED, "2 proxy gone")]


def test_its_outage_grows_worse_by_new_calls(runtime: Runtime, outbox: Outbox) -> None:
    """The previous version counted five attempts. Five more follow within the same minute, and their calls are lost."""
    attempts = [attempt(number) for number in range(5)]
    lost = [
        RequestFailed(
            call_id=one.call_id,
            started_at=one.started_at,
            ended_at=one.occurred_at,
            occurred_at=one.occurred_at,
            deployment_id=one.deployment_id,
            failure=one.failure,
        )
        for one in attempts
    ]
    ingest_at(runtime, 5, *attempts, *lost)
    run_until_quiet(runtime, LATER)

    worse = next(message for message in outbox.sent if message.type is AlertType.OUTAGE_ALERTS and message.total == 10)
    assert (worse.step, worse.severity) == (Step.FIRING, Severity.HIGH)
    assert worse.headline == "Major Service Outage: azure/gpt-4o in eastus (d2)"
    assert worse.facts["Attempts"].startswith("10 of 10 failed in 1 min ")
    assert (worse.count, worse.total) == (5, 10)


def test_its_budgets_are_used_up_by_new_spend(runtime: Runtime, outbox: Outbox) -> None:
    """They are added to its ledger. Notified limits are not notified again. The end of the day resolves."""
    ingest_at(runtime, 5, answered("a", cost_nanos=39 * DOLLAR, tags=("batch",)))
    run_until_quiet(runtime, LATER)
    assert notified(outbox) == WAITING
    ingest_at(runtime, 26, answered("b", cost_nanos=1 * DOLLAR, tags=("batch",)))
    run_until_quiet(runtime, after(26))
    assert notified(outbox)[6:] == [(Step.FIRING, "Tag batch: budget of $100 used up")]
    assert outbox.sent[-1].facts["Spend"] == "$100 of $100 (100.0 %)"
    assert outbox.sent[-1].alert_id == outbox.sent[1].alert_id

    midnight = datetime(2026, 11, 24, tzinfo=UTC)
    sweep(runtime, now=midnight)
    run_until_quiet(runtime, midnight)
    over = [message for message in outbox.sent if message.step is Step.RESOLVED]
    assert [message.alert_id for message in over if message.type is AlertType.BUDGET_ALERTS] == [
        outbox.sent[1].alert_id
    ]


def test_its_dead_letters_are_listed_and_replayed(
    runtime: Runtime, outbox: Posted, store: SqlStore, admin: AdminStore
) -> None:
    """The batch counts once, the notification is sent as it was sealed, and the event is still bad, with its reason."""
    letters = {row.kind: row for row in admin.dead_letters.search()}
    assert {(row.kind, row.reason, row.batch_id, row.position, row.type, row.channel) for row in letters.values()} == {
        ("batch", "delivered more than 20 times", "parked", None, None, None),
        ("event", BAD, "half-bad", 1, "llm.request.succeeded", None),
        ("notification", REFUSED, letters["notification"].batch_id, None, "llm_too_slow", "outbox"),
    }
    contents: dict[str, Any] = {}
    for kind, row in letters.items():
        letter = admin.dead_letters.find(row.id)
        assert letter is not None
        contents[kind] = display_payload(letter.payload)
    assert [event["call_id"] for event in contents["batch"]] == ["parked"]
    assert contents["event"]["call_id"] == 7
    assert contents["notification"]["headline"].startswith("Responses are slow - 9.00s")

    before = spend_of(store, "team")["search"]
    refused = admin.notification(letters["notification"].batch_id or "")
    assert refused is not None
    for row in letters.values():
        assert pipeline.replay(row.id, admin.dead_letters, runtime.broker, now=LATER)
    assert isinstance(runtime.broker, Recorder)
    assert {batch_id for batch_id, _, _ in runtime.broker.resent} == {"parked", f"replay-{letters['event'].id}"}
    for batch_id, events, encoding in 2 * runtime.broker.resent:
        ingest(BatchMessage(batch_id, events, encoding), runtime, now=LATER)
    run_until_quiet(runtime, LATER)

    assert spend_of(store, "team")["search"] == before + 1_000
    assert outbox.bodies[refused.id] == refused.body
    assert outbox.ids.count(refused.id) == 1
    [again] = admin.dead_letters.search()
    assert (again.kind, again.reason, again.batch_id) == ("event", BAD, f"replay-{letters['event'].id}")


def test_its_ledger_holds_the_spend(store: SqlStore) -> None:
    """Sums by day, month, deployment and fallback are exact to the nano-dollar, and agree with their parts."""
    teams = {(row.day, row.entity): tuple(row[5:]) for row in rows(store, SPEND) if row.dimension == "team"}
    assert teams == {
        (date(2026, 10, 24), "search"): (1, 0, 100, 20, 0, 0, 5 * DOLLAR),
        (date(2026, 11, 22), "search"): (1, 0, 100, 20, 0, 0, 4 * DOLLAR),
        (date(2026, 11, 23), ""): (1, 0, 100, 20, 0, 1, 0),
        (date(2026, 11, 23), "billing"): (1, 0, 100, 20, 0, 0, 2 * DOLLAR),
        (date(2026, 11, 23), "search"): (11, 4, 700, 140, 1, 0, 60 * DOLLAR + 24_100),
    }
    sums: dict[str, tuple[int, int]] = {}
    for row in rows(store, SPEND):
        requests, nanos = sums.get(row.dimension, (0, 0))
        sums[row.dimension] = requests + row.requests, nanos + row.spend_nanos
    of_all, of_known = (15, 71 * DOLLAR + 24_100), (5, 69 * DOLLAR)
    known = ("key", "user", "customer", "organization", "provider", "key/model", "user/model", "user/key")
    expected = dict.fromkeys(("team", "model", "deployment"), of_all) | dict.fromkeys(known, of_known)
    assert sums == expected | {"tag": (16, 101 * DOLLAR + 24_100)}
    assert {
        (row.month.month, row.entity): row.spend_nanos for row in rows(store, SPEND_MONTHS) if row[0] == "team"
    } == {
        (10, "search"): 5 * DOLLAR,
        (11, ""): 0,
        (11, "billing"): 2 * DOLLAR,
        (11, "search"): 64 * DOLLAR + 24_100,
    }
    assert_ledger_agrees(store)

    today = [row for row in rows(store, OUTCOMES) if row.day == NOW.date()]
    assert {(row.deployment_id, row.outcome): (row.attempts, row.calls) for row in today} == {
        ("d1", "succeeded"): (7, 7),
        ("d1", "APIError"): (0, 4),
        ("d2", "ServiceUnavailableError"): (5, 0),
        ("d3", "succeeded"): (1, 1),
    }
    assert [tuple(row) for row in rows(store, FALLBACKS)] == [(NOW.date(), "gpt-4o", "o3", 1, 0)]
    assert [tuple(row) for row in rows(store, DROPS)] == [("boot-1", NOW.date(), "buffer_full", 3)]
    slow = [row for row in rows(store, LATENCIES) if (row.day, row.deployment_id) == (NOW.date(), "d1")]
    assert sorted((row.measure, row.count, row.microseconds) for row in slow) == [
        ("first_token", 1, 250_000),
        ("per_token", 1, 450_000),
        ("per_token", 6, 300_000),
    ]


def test_a_batch_that_it_has_applied_or_parked_changes_nothing(runtime: Runtime, store: SqlStore) -> None:
    """This holds for any content and any producer."""
    before = dump(store)
    known = [row.batch_id for row in rows(store, BATCHES)]
    assert len(known) == 11
    for batch_id in known:
        ingest(batch(answered(batch_id), failed(f"{batch_id}-2"), batch_id=batch_id), runtime, now=NOW)

    assert dump(store) == before


def test_a_batch_that_came_to_it_often_is_counted_anew(store: SqlStore) -> None:
    """It counted by the id within the message, for which the message must be read."""
    message = BrokerMessage("alertworker.events", b"x", message_id="again-and-again", redelivered=True)
    assert [admit(message, store, now=NOW) for _ in range(6)] == [True] * 5 + [False]


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """Return the spool folder of a process of the previous version."""
    return shutil.copytree(PREVIOUS / "spool", tmp_path / "spool")


def facts(events: list[Event]) -> list[tuple[object, ...]]:
    """Return the compared fields of events."""
    found: list[tuple[object, ...]] = []
    for event in events:
        if isinstance(event, RequestSucceeded):
            found.append((event.call_id, event.occurred_at, event.cost_nanos, event.team_id, event.user_id))
        elif isinstance(event, RequestFailed | AttemptFailed):
            found.append((event.call_id, event.occurred_at, event.failure.status_code, event.deployment_id))
        elif isinstance(event, PublisherStopped):
            found.append((event.boot_id, event.occurred_at, event.host, event.pid))
    return found


#: The content of the spool's batches, in order.
SPOOLED: Final[list[tuple[str, list[tuple[object, ...]]]]] = [
    ("spooled-1", [("spooled-1", NOW, 1_000, "search", None), ("spooled-2", NOW, 2_000, "search", "u1")]),
    ("spooled-2", [("spooled-3", after(1), 503, "d2"), ("spooled-3", after(1), 500, "d1")]),
    ("spooled-3", [("boot-9", after(2), "proxy-2", 8)]),
]


def test_its_spool_is_taken_over_in_order(spool: Path) -> None:
    """The batches keep their ids, times and producer. Nothing is left in the folder."""
    own = Spool(spool, "boot-10", max_bytes=1_000_000)
    assert own.adopt() == 5
    taken = list(own.batches())
    assert [(one.batch_id, one.producer, one.sealed_at, one.count) for _, one in taken] == [
        ("spooled-1", "boot-9", NOW, 2),
        ("spooled-2", "boot-9", after(1), 2),
        ("spooled-3", "boot-9", after(2), 1),
    ]
    assert [(one.batch_id, facts(decode(one.body, "zstd").events)) for _, one in taken] == SPOOLED
    for path, _ in taken:
        own.remove(path)
    own.close()
    assert list(spool.iterdir()) == []


def test_its_spool_reaches_the_broker_before_new_batches(spool: Path, broker: Broker) -> None:
    """A new publisher on the same folder sends it."""
    publisher = Publisher(BrokerTransport(broker.url), spool)
    publisher.publish(call(1))
    wait_for(lambda: publisher.stats().sent >= 6)
    publisher.close()

    arrived = broker.batches()
    assert [(batch_id, facts(events)) for batch_id, events in arrived[:3]] == SPOOLED
    assert broker.calls() == ["spooled-1", "spooled-2", "00001"]
    assert (publisher.stats().replayed, publisher.stats().dropped) == (5, {})
    assert list(spool.rglob("*.b*")) == []


class Queues(Protocol):
    """A broker with the previous version's messages."""

    url: str
    #: Its batches, with the ids under which they are applied and their cost by team.
    batches: dict[str, tuple[str, dict[str, int]]]

    def put(self, name: str) -> None:
        """Put a message where it was, unchanged."""
        ...

    def left(self) -> int:
        """Return how many messages are there, or are not acknowledged yet."""
        ...


SENT: Final = {
    "sealed": ("queued-sealed", {"search": 1_000}),
    "plain": ("00000000-0000-4000-9000-000000000001", {"plain": 4_000}),
}


class RedisQueues:
    """Redis lists. A batch that is only in the notes was taken off its list by a worker that died."""

    batches: Final = SENT | {"noted": ("queued-noted", {"search": 2_000})}

    def __init__(self, url: str, client: redis.Redis) -> None:
        self.url = url
        self._client: Any = client

    def put(self, name: str) -> None:
        raw = (PREVIOUS / "queued" / "redis" / f"{name}.json").read_bytes()
        if name == "noted":
            tag = json.loads(raw)[0]["properties"]["delivery_tag"]
            self._client.hset("unacked", tag, raw)
            self._client.zadd("unacked_index", {tag: 0})
        else:
            self._client.lpush(json.loads(raw)["properties"]["delivery_info"]["routing_key"], raw)

    def left(self) -> int:
        """Return how many messages are there, or are not acknowledged yet."""
        lists = ("alertworker.events", "alertworker.deliveries")
        return sum(int(self._client.llen(name)) for name in lists) + int(self._client.hlen("unacked"))


class RabbitQueues:
    """RabbitMQ queues, declared as the previous version declares them."""

    batches: Final = SENT

    def __init__(self, url: str, connection: Connection) -> None:
        self.url = url
        self._channel: Any = connection.channel()
        self._declared: list[dict[str, Any]] = json.loads((PREVIOUS / "queued/rabbitmq/queues.json").read_text())
        for one in self._declared:
            exchange = Exchange(one["exchange"], type=one["type"], durable=True)
            queue = Queue(
                one["queue"],
                exchange,
                routing_key=one["routing_key"],
                queue_arguments=one["arguments"],
                durable=True,
            )
            queue(self._channel).declare()

    def put(self, name: str) -> None:
        kept = json.loads((PREVIOUS / "queued" / "rabbitmq" / f"{name}.json").read_text())
        body = base64.b64decode(kept["body"])
        message = AmqpMessage(body, application_headers=kept["headers"], **kept["properties"])
        self._channel.basic_publish(message, exchange=kept["exchange"], routing_key=kept["routing_key"])

    def left(self) -> int:
        """Return how many messages are there. Batches of a worker that has ended are requeued."""
        declared = (self._channel.queue_declare(one["queue"], passive=True) for one in self._declared)
        return sum(int(queue.message_count) for queue in declared)


@pytest.fixture
def redis_queues() -> Iterator[RedisQueues]:
    """Return lists in an empty database of the Redis server. The database is emptied afterwards."""
    for number in range(15, 0, -1):
        with redis.Redis(db=number) as client:
            # The process that sets the key alone on an empty database owns it.
            if client.dbsize() == 0 and client.set("a test's own", "1", nx=True):
                yield RedisQueues(f"redis://127.0.0.1:6379/{number}", client)
                client.flushdb()
                return
    pytest.fail("no database of the Redis server is empty")


@pytest.fixture
def rabbitmq_queues(rabbitmq_url: str) -> Iterator[RabbitQueues]:
    """Return queues in a virtual host of the test's own."""
    with Connection(rabbitmq_url, transport_options={"confirm_publish": True}) as connection:
        yield RabbitQueues(rabbitmq_url, connection)


@pytest.fixture(
    params=[pytest.param("redis", marks=pytest.mark.redis), pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)]
)
def queues(request: pytest.FixtureRequest) -> Queues:
    """Return the queues of each broker."""
    found: Queues = request.getfixturevalue(f"{request.param}_queues")
    return found


@pytest.fixture
def chat() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


@pytest.fixture
def stack(tmp_path: Path, chat: Receiver, queues: Queues) -> Iterator[Stack]:
    """Run a worker on the previous version's database, with a clock that stands at `LATER`."""
    running = Stack(tmp_path / "s", CONFIG.format(url=chat.url), {"ALERTWORKER_BROKER_URL": queues.url})
    load(database_path(running.folder)).dispose()
    arguments = [LATER.isoformat(), "--concurrency", "1"]
    try:
        running._spawn("worker", [sys.executable, "-P", still_worker.__file__, *arguments])
        running._wait_for_log("worker", f"all@{socket.gethostname()} ready")
        yield running
    finally:
        running.down()


def test_its_queued_batches_are_applied_by_a_worker(queues: Queues, chat: Receiver, stack: Stack) -> None:
    """A task sends what waits in the lane. Each batch is applied once, and nothing is left on the broker."""
    engine = make_engine(default_database_url(stack.folder))
    store = SqlStore(engine)
    expected = spend_of(store, "team")
    queues.put("deliver")
    wait_for(lambda: len(chat.posts) >= len(WAITING), seconds=40)
    bodies = [post.body for post in chat.posts]
    # The first is as the previous version sealed it. The others are this version's, for the configured channel.
    said = [(body["step"], body["headline"]) for body in (bodies[0], *(body["data"] for body in bodies[1:]))]
    assert said == WAITING

    for name, (_, costs) in queues.batches.items():
        queues.put(name)
        for team, nanos in costs.items():
            expected[team] = expected.get(team, 0) + nanos
    ids = {batch_id for batch_id, _ in queues.batches.values()}
    wait_for(lambda: ids <= {row.batch_id for row in rows(store, BATCHES)}, seconds=40)
    stack.kill("worker", signal.SIGTERM)

    assert spend_of(store, "team") == expected
    assert {row.batch_id: row.events for row in rows(store, BATCHES) if row.batch_id in ids} == {
        batch_id: 2 if batch_id == "queued-sealed" else 1 for batch_id in ids
    }
    [failing] = AdminStore(engine).alerts.search(AlertFilter(type="llm_exceptions")).alerts
    assert (failing.count, failing.notified_count) == (4, 1)  # one more, in the alert that is open
    assert len(AdminStore(engine).dead_letters.search()) == 3
    assert len(chat.posts) == len(WAITING)
    assert queues.left() == 0
    engine.dispose()
