"""However many alerts a batch or the clock leads to, one transaction raises or ends a bounded number of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from sqlalchemy import event as sqlalchemy_event

from alertworker.alerts.catalogue import AlertType
from alertworker.budgets.configured import OwnBudget
from alertworker.budgets.user_thresholds import UserPolicy
from alertworker.events import (
    AttemptFailed,
    Budget,
    BudgetScope,
    Event,
    Failure,
    Origin,
    PublisherCounters,
    PublisherHeartbeat,
    RequestAnnounced,
)
from alertworker.events.base import MAX_EVENTS
from alertworker.pipeline import Runtime, ingest, sweep
from alertworker.store import SqlStore
from alertworker.store.schema.alerts import ALERTS
from alertworker.store.schema.batches import BATCHES, COUNTERS
from alertworker.store.schema.budgets import BUDGETS
from alertworker.store.schema.delivery import DEAD_LETTERS
from alertworker.text.ids import safe_id
from tests.integration.harness import NOW, announced, answered, batch, canary, failed, rows, spend_of
from tests.integration.statements import counted

DOLLAR = 1_000_000_000
LATER = NOW + timedelta(minutes=2)


@contextmanager
def claims(store: SqlStore) -> Iterator[list[int]]:
    """Yield how many alerts each transaction has claimed or closed; those without are left out."""
    found: list[int] = []
    open_ones = [0]

    def execute(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        open_ones[0] += statement.startswith("INSERT INTO alerts ") or "closed_at=" in statement

    def commit(_connection: Any) -> None:
        if open_ones[0]:
            found.append(open_ones[0])
        open_ones[0] = 0

    sqlalchemy_event.listen(store.engine, "before_cursor_execute", execute)
    sqlalchemy_event.listen(store.engine, "commit", commit)
    yield found
    sqlalchemy_event.remove(store.engine, "before_cursor_execute", execute)
    sqlalchemy_event.remove(store.engine, "commit", commit)


def raised(store: SqlStore, alert_type: AlertType) -> list[Any]:
    """Return the rows of the alerts of a type."""
    return [row for row in rows(store, ALERTS) if row.type == alert_type.value]


def attempt(number: int, *, deployment: str, region: str) -> AttemptFailed:
    """Make a failed attempt."""
    failure = Failure(error_class="Timeout", status_code=504, origin=Origin.PROVIDER)
    return AttemptFailed(
        call_id=f"a{number}",
        started_at=NOW,
        occurred_at=NOW,
        deployment_id=deployment,
        provider="p",
        region=region,
        model="m",
        failure=failure,
    )


def hanging(number: int) -> RequestAnnounced:
    """Make an announcement of a call to a model of its own."""
    return announced(f"h{number}").model_copy(update={"model_group": f"m{number}"})


def spent(entity: str) -> Budget:
    """Make a budget that is used up."""
    return Budget(scope=BudgetScope.TEAM, entity_id=entity, spend_nanos=2, max_nanos=1)


def beat(number: int) -> PublisherHeartbeat:
    """Make a heartbeat of a process of its own."""
    return PublisherHeartbeat(
        boot_id=f"b{number}",
        host=f"h{number}",
        pid=number,
        version="1",
        started_at=NOW,
        occurred_at=NOW,
        counters=PublisherCounters(published=1),
    )


def down(kind: str, count: int) -> list[AttemptFailed]:
    """Make an outage of each of some deployments or regions."""
    names = [{"deployment": f"d{n}", "region": "r"} for n in range(count)]
    if kind == "regions":
        names = [{"deployment": f"{side}{n}", "region": f"r{n}"} for n in range(count) for side in "ab"]
    return [attempt(number, **name) for number, name in enumerate(names * 12)]


@pytest.mark.parametrize("kind", ["deployments", "regions"])
def test_a_batch_with_too_many_outages_is_parked(
    store: SqlStore, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Parked before an outage is claimed, with the reason; the next batch is applied."""
    monkeypatch.setattr(import_module("alertworker.pipeline.outages"), "MAX_OUTAGES", 3)
    ingest(batch(*down(kind, 4), batch_id="large"), runtime, now=NOW)
    ingest(batch(answered("good")), runtime, now=NOW)

    (letter,) = rows(store, DEAD_LETTERS)
    assert (letter.kind, letter.batch_id) == ("batch", "large")
    assert "the limit is 3" in letter.reason
    assert rows(store, ALERTS) == []
    assert spend_of(store, "team") == {"search": 13_500}


def few_failures(kind: str) -> list[Event]:
    """Make 5,000 failures that are no outage, with 5,000 names each."""
    if kind == "deployments":
        return [attempt(n, deployment=f"d{n}", region=f"r{n}") for n in range(MAX_EVENTS)]
    failure = Failure(error_class="AuthenticationError", status_code=401, origin=Origin.PROVIDER)
    refused = [attempt(n, deployment=f"d{n}", region=f"r{n}") for n in range(MAX_EVENTS)]
    return [one.model_copy(update={"failure": failure, "credential": f"{n:012x}"}) for n, one in enumerate(refused)]


@pytest.mark.parametrize("kind", ["deployments", "credentials"])
def test_failures_of_many_names_that_are_no_outage_take_few_statements(
    store: SqlStore, runtime: Runtime, kind: str
) -> None:
    """A batch of the most events is applied. Each name alone took several statements."""
    with counted(store.engine) as work:
        ingest(batch(*few_failures(kind)), runtime, now=NOW)

    assert rows(store, DEAD_LETTERS) == []
    assert work.statements < 120
    assert raised(store, AlertType.OUTAGE_ALERTS) == []


def test_outages_among_many_failing_names_are_raised(store: SqlStore, runtime: Runtime) -> None:
    """The failures of an earlier batch count, too."""
    ingest(batch(*[attempt(n, deployment="down", region="r0") for n in range(6)]), runtime, now=NOW)
    before = len(raised(store, AlertType.OUTAGE_ALERTS))
    half = [attempt(n, deployment="half", region="r0") for n in range(3)]
    ingest(batch(*half), runtime, now=NOW)
    ingest(batch(*few_failures("deployments")[:100], *half), runtime, now=NOW)

    named = [row.labels["deployment"] for row in raised(store, AlertType.OUTAGE_ALERTS)]
    assert before == 1
    assert "half" in named


MANY_NOTICES: dict[str, tuple[AlertType, list[Event]]] = {
    "failures": (
        AlertType.LLM_EXCEPTIONS,
        [failed(f"f{n}").model_copy(update={"deployment_id": f"d{n}"}) for n in range(7)],
    ),
    "slow models": (
        AlertType.LLM_TOO_SLOW,
        [answered(f"s{n}", seconds=9, model_group=f"m{n}") for n in range(7)],
    ),
    "hanging models": (AlertType.LLM_REQUESTS_HANGING, [hanging(n) for n in range(7)]),
}


@pytest.mark.parametrize("kind", MANY_NOTICES)
def test_very_many_alerts_of_a_batch_are_summed_up(
    store: SqlStore, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Nothing is parked, every occurrence is counted, and people get few messages."""
    monkeypatch.setattr("alertworker.alerts.many.MOST", 3)
    alert_type, events = MANY_NOTICES[kind]
    ingest(batch(*events), runtime, now=NOW)

    assert rows(store, DEAD_LETTERS) == []
    assert sorted(row.count for row in raised(store, alert_type)) == [1, 1, 1, 4]


def test_a_condition_of_many_hanging_models_ends_with_their_last_call(
    store: SqlStore, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alertworker.alerts.many.MOST", 1)
    ingest(batch(*(hanging(n) for n in range(4))), runtime, now=NOW)
    opened = raised(store, AlertType.LLM_REQUESTS_HANGING)
    assert sorted(row.count for row in opened) == [1, 3]
    ingest(batch(canary(runtime, LATER), *(answered(f"h{n}", announced=True) for n in range(4))), runtime, now=LATER)
    sweep(runtime, now=LATER)

    assert all(row.closed_at is not None for row in raised(store, AlertType.LLM_REQUESTS_HANGING))


def test_many_budgets_are_judged_in_pieces_and_none_is_lost(
    store: SqlStore, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are budgets that proxies report and configured ones. A redelivered batch changes nothing."""
    monkeypatch.setattr(import_module("alertworker.pipeline.budgets"), "PIECE", 3)
    runtime = replace(runtime, budgets=[OwnBudget(dimension="user", max=0.000001)])
    calls = [answered(f"c{n}", user_id=f"u{n}", budgets=(spent(f"t{n}"),)) for n in range(10)]
    again = batch(*calls)
    with claims(store) as found:
        ingest(again, runtime, now=NOW)
        assert found == [6, 6, 6, 2]  # three that are reported and three of our own
        assert len(raised(store, AlertType.BUDGET_ALERTS)) == 20
        before = rows(store, ALERTS)
        ingest(again, runtime, now=NOW)

    assert rows(store, ALERTS) == before
    assert rows(store, DEAD_LETTERS) == []


def test_a_worker_that_dies_between_two_pieces_judges_the_rest_when_the_batch_comes_again(
    store: SqlStore, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each budget raises one alert, counted once, and the calls are in the ledger once."""
    monkeypatch.setattr(import_module("alertworker.pipeline.budgets"), "PIECE", 3)
    calls = [answered(f"c{n}", budgets=(spent(f"t{n}"),)) for n in range(10)]
    again = batch(*calls)
    run, left = store.run, 2

    def dies(work: Any) -> Any:
        nonlocal left
        if not left:
            raise SystemExit
        left -= 1
        return run(work)

    with monkeypatch.context() as dying:
        dying.setattr(store, "run", dies)
        with pytest.raises(SystemExit):
            ingest(again, runtime, now=NOW)
    assert len(raised(store, AlertType.BUDGET_ALERTS)) == 6

    ingest(again, runtime, now=NOW)
    assert [row.count for row in raised(store, AlertType.BUDGET_ALERTS)] == [1] * 10
    assert spend_of(store, "team") == {"search": 10 * 13_500}


def test_a_batch_of_very_many_used_up_budgets_raises_a_bounded_number_of_alerts(
    store: SqlStore, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A small message must not stop ingest. The other budgets are stored, and wait for their next report."""
    monkeypatch.setattr(import_module("alertworker.pipeline.budgets"), "PIECE", 100)
    monkeypatch.setattr(import_module("alertworker.pipeline.ingest"), "MAX_CROSSED", 130)
    used_up = [spent(f"t{n:04}") for n in range(5_120)]
    calls = [answered(f"c{n}", budgets=tuple(used_up[n : n + 16])) for n in range(0, 5_120, 16)]
    large = batch(*calls)
    for _ in range(2):  # a redelivered batch changes nothing
        ingest(large, runtime, now=NOW)
        assert len(raised(store, AlertType.BUDGET_ALERTS)) == 100 + 130
        assert _postponed(store) == 5_120 - 230
    assert len(rows(store, BUDGETS)) == 5_120
    assert {row.spend_nanos for row in rows(store, BUDGETS)} == {2 + 13_500}
    (line,) = (record for record in caplog.records if record.name == "alertworker.pipeline.ingest")
    assert line.message == "a batch crosses limits of too many budgets; 4890 of them wait for their next report"
    assert line.__dict__["batch_id"] == large.batch_id

    next_ones = [reported_at(LATER, *used_up[n : n + 16]) for n in range(192, 288, 16)]
    ingest(batch(*next_ones), runtime, now=LATER)
    alerts = raised(store, AlertType.BUDGET_ALERTS)
    assert sorted(alert.labels["entity"] for alert in alerts) == [f"t{n:04}" for n in range(288)]
    assert {alert.count for alert in alerts} == {1}
    assert rows(store, DEAD_LETTERS) == []


def test_a_batch_that_ends_very_many_alerts_of_budgets_ends_a_bounded_number(
    store: SqlStore, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next report of the others ends theirs, and raises the alert of the new period."""
    monkeypatch.setattr(import_module("alertworker.pipeline.budgets"), "PIECE", 3)
    used_up = [spent(f"t{n}").model_copy(update={"reset_at": NOW + timedelta(days=1)}) for n in range(16)]
    ingest(batch(answered("c1", budgets=tuple(used_up))), runtime, now=NOW)
    assert len(raised(store, AlertType.BUDGET_ALERTS)) == 16

    monkeypatch.setattr(import_module("alertworker.pipeline.ingest"), "MAX_CROSSED", 4)
    after = tuple(one.model_copy(update={"reset_at": NOW + timedelta(days=9)}) for one in used_up)
    counts = []
    for number in range(3):
        at = NOW + timedelta(minutes=number + 1)
        ingest(batch(reported_at(at, *after)), runtime, now=at)
        alerts = raised(store, AlertType.BUDGET_ALERTS)
        counts.append((len(alerts), sum(alert.closed_at is not None for alert in alerts)))
    assert counts == [(16 + 7, 7), (16 + 11, 11), (16 + 15, 15)]
    at = NOW + timedelta(minutes=9)
    ingest(batch(reported_at(at, *after)), runtime, now=at)
    alerts = raised(store, AlertType.BUDGET_ALERTS)
    assert (len(alerts), sum(alert.closed_at is not None for alert in alerts)) == (32, 16)


def reported_at(at: datetime, *budgets: Budget) -> Event:
    """Return a call that reports budgets at a time."""
    call = answered(f"at {at} {budgets[0].entity_id}", budgets=budgets)
    return call.model_copy(update={"started_at": at, "ended_at": at, "occurred_at": at})


def _postponed(store: SqlStore) -> int:
    return sum(row.value for row in rows(store, COUNTERS) if row.name == "postponed")


def test_a_batch_with_too_many_refused_credentials_is_parked(
    store: SqlStore, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each claims a condition, as an outage does."""
    monkeypatch.setattr(import_module("alertworker.pipeline.credentials"), "MAX_OUTAGES", 3)
    failure = Failure(error_class="AuthenticationError", status_code=401, origin=Origin.PROVIDER)
    refused = [
        attempt(n, deployment=f"d{n % 4}", region="r").model_copy(
            update={"failure": failure, "provider": f"p{n % 4}", "credential": f"{n % 4:012x}"}
        )
        for n in range(48)
    ]
    ingest(batch(*refused, batch_id="large"), runtime, now=NOW)
    ingest(batch(answered("good")), runtime, now=NOW)

    (letter,) = rows(store, DEAD_LETTERS)
    assert (letter.kind, letter.batch_id) == ("batch", "large")
    assert "4 refused credentials; the limit is 3" in letter.reason
    assert rows(store, ALERTS) == []
    assert spend_of(store, "team") == {"search": 13_500}


def test_budgets_of_another_batch_under_the_same_id_are_not_judged(
    store: SqlStore, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is parked whole, and replayed under an id of its own."""
    monkeypatch.setattr(import_module("alertworker.pipeline.budgets"), "PIECE", 3)
    ingest(batch(answered("c"), batch_id="b1"), runtime, now=NOW)
    calls = [answered(f"c{n}", budgets=(spent(f"t{n}"),)) for n in range(10)]
    ingest(batch(*calls, batch_id="b1"), runtime, now=NOW)

    assert rows(store, ALERTS) == []
    assert len(rows(store, DEAD_LETTERS)) == 1


def test_no_batch_can_have_the_id_of_another_one_s_piece(
    store: SqlStore, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A producer that chooses ids neither loses a batch by it nor suppresses another producer's alerts."""
    monkeypatch.setattr(import_module("alertworker.pipeline.budgets"), "PIECE", 3)
    for number in range(1, 4):
        ingest(batch(answered(f"before-{number}"), batch_id=f"b1~budgets-{number}"), runtime, now=NOW)
    calls = [answered(f"c{n}", budgets=(spent(f"t{n}"),)) for n in range(10)]
    ingest(batch(*calls, batch_id="b1"), runtime, now=NOW)

    assert len(raised(store, AlertType.BUDGET_ALERTS)) == 10
    pieces = [row.batch_id for row in rows(store, BATCHES) if row.events == 0]
    assert len(pieces) == 3
    assert [one for one in pieces if safe_id(one) == one] == []


@pytest.fixture
def piece(monkeypatch: pytest.MonkeyPatch) -> int:
    """Make the sweep's pieces small."""
    monkeypatch.setattr(import_module("alertworker.pipeline.sweep"), "PIECE", 3)
    return 3


def test_many_lost_publishers_are_announced_in_pieces(store: SqlStore, runtime: Runtime, piece: int) -> None:
    """The end of a cluster's network must not hold the database up."""
    ingest(batch(*(beat(n) for n in range(10))), runtime, now=NOW)
    ingest(batch(canary(runtime, LATER)), runtime, now=LATER)
    with claims(store) as found:
        sweep(runtime, now=LATER)
        sweep(runtime, now=LATER)

    assert max(found) == piece
    assert [row.count for row in raised(store, AlertType.PUBLISHER_LOST)] == [1] * 10


def test_many_silent_hosts_are_announced_in_pieces(store: SqlStore, runtime: Runtime, piece: int) -> None:
    """All hosts but one publish nothing for half an hour."""
    beats = [beat(n).model_copy(update={"integration": "litellm"}) for n in range(11)]
    for minute in range(36):
        now = NOW + timedelta(minutes=minute)
        busy = {"counters": PublisherCounters(published=2 + minute)}
        beats_of_now = [one.model_copy(update={"occurred_at": now} | (busy if one.pid == 10 else {})) for one in beats]
        ingest(batch(canary(runtime, now), *beats_of_now), runtime, now=now)
    with claims(store) as found:
        sweep(runtime, now=now)
        sweep(runtime, now=now)

    assert max(found) == piece
    assert [row.count for row in raised(store, AlertType.PUBLISHER_SILENT)] == [1] * 10


def test_many_users_over_their_threshold_are_notified_in_pieces(store: SqlStore, runtime: Runtime, piece: int) -> None:
    """The look ends with its last piece; the next one is an hour later."""
    runtime = replace(runtime, users=UserPolicy(daily_nanos=DOLLAR, monthly_nanos=DOLLAR))
    ingest(batch(*(answered(f"c{n}", user_id=f"u{n}", cost_nanos=2 * DOLLAR) for n in range(10))), runtime, now=NOW)
    with claims(store) as found:
        sweep(runtime, now=NOW)
        sweep(runtime, now=NOW)

    assert max(found) == piece
    assert [row.count for row in raised(store, AlertType.USER_SPEND_THRESHOLDS)] == [1] * 20


def test_many_outages_end_in_pieces(store: SqlStore, runtime: Runtime, piece: int) -> None:
    """They end a day after the last call of deployments that never answered."""
    for number in range(10):
        attempts = [attempt(100 * number + n, deployment=f"d{number}", region=f"r{number}") for n in range(20)]
        ingest(batch(*attempts), runtime, now=NOW)
    opened = len(raised(store, AlertType.OUTAGE_ALERTS))
    assert opened == 11, "one more is the model's"
    sweep(runtime, now=NOW + timedelta(seconds=10))  # no call has ended, so they wait for that long
    end = NOW + timedelta(hours=25)
    ingest(batch(canary(runtime, end)), runtime, now=end)
    with claims(store) as found:
        sweep(runtime, now=end)

    assert max(found) == piece
    assert all(row.closed_at is not None for row in raised(store, AlertType.OUTAGE_ALERTS))
