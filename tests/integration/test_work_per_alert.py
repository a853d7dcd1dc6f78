"""The queries of a batch and a sweep do not grow with the number of open, muted, deferred or old alerts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.budgets.user_thresholds import UserPolicy
from alertworker.outages.windows import Target
from alertworker.pipeline import BatchMessage, Runtime, ingest, sweep
from alertworker.pipeline.notify import claim
from alertworker.pipeline.sweep import PIECE
from alertworker.ports import Clock
from alertworker.routing.inhibitions import DEFAULTS, Inhibition
from alertworker.routing.matchers import Matcher, parse
from alertworker.routing.silences import Silence
from alertworker.store import AdminStore, SqlStore, silences
from alertworker.store.schema.alerts import ALERTS
from alertworker.store.schema.delivery import NOTIFICATIONS
from alertworker.store.schema.inhibitions import INDEXED_LABELS
from alertworker.store.schema.outages import OUTAGES, WINDOWS
from alertworker.store.schema.publishers import CALLS
from tests.integration.harness import NOW, Outbox, answered, batch, failed, rows
from tests.integration.statements import Work, counted

#: Several types, so that each rule below has sources among them.
TYPES = (
    AlertType.OUTAGE_ALERTS,
    AlertType.REGION_OUTAGE_ALERTS,
    AlertType.BUDGET_ALERTS,
    AlertType.LLM_REQUESTS_HANGING,
)
MANY = 10_000
OWN = Inhibition((parse('alert_type="budget_alerts"'),), (parse('alert_type="llm_exceptions"'),), ("team",))


def open_conditions(store: SqlStore, numbers: range, **other: Any) -> None:
    """Write open conditions as a worker would, none of them due soon, with the messages that were sent about them."""
    conditions = [_condition(number, **other) for number in numbers]
    with store.engine.begin() as connection:
        connection.execute(ALERTS.insert(), conditions)
        connection.execute(NOTIFICATIONS.insert(), [_sent(one["id"]) for one in conditions])


def _sent(alert_id: str) -> dict[str, Any]:
    return {
        "id": alert_id,
        "alert_id": alert_id,
        "channel": "outbox",
        "step": "firing:0",
        "turn": 1,
        "message": "{}",
        "status": "sent",
        "attempts": 1,
        "created_at": NOW,
        "next_attempt_at": NOW,
        "settled_at": NOW,
    }


def _condition(number: int, **other: Any) -> dict[str, Any]:
    alert_type = TYPES[number % len(TYPES)]
    labels = {
        "deployment": f"old{number}",
        "provider": "azure",
        "region": f"r{number}",
        "team": f"team{number}",
        "model": "m",
        "budget": "team",
        "entity": f"e{number}",
        "period": "p",
    }
    moments = dict.fromkeys(("first_at", "last_at", "opened_at", "notified_at"), NOW)
    later = NOW + timedelta(days=1)
    return {
        "id": f"{number:036}",
        "fingerprint": f"{number:032}",
        "open_fingerprint": f"{number:032}",
        "type": alert_type.value,
        "kind": "condition",
        "severity": "High",
        "level": 1,
        "headline": "h",
        "labels": labels,
        "facts": {},
        "metadata": {},
        "count": 1,
        "notified_count": 1,
        "summaries": 1,
        "next_summary_at": later,
        "repeat_at": later,
        **moments,
        **other,
    }


def failures(marker: str) -> BatchMessage:
    """Return a batch with 20 new failures, each with its own model, deployment, region and team."""
    events = [
        failed(f"{marker}{n}").model_copy(
            update={
                "model_group": f"{marker}{n}",
                "deployment_id": f"{marker}{n}",
                "provider": "azure",
                "region": f"{marker}{n}",
                "team_id": f"{marker}{n}",
            }
        )
        for n in range(20)
    ]
    return batch(*events)


@pytest.mark.parametrize("rules", [DEFAULTS, (OWN,), (*DEFAULTS, OWN)], ids=["built in", "own", "both"])
def test_a_batch_asks_no_more_with_ten_thousand_open_conditions(
    runtime: Runtime, store: SqlStore, rules: Sequence[Inhibition]
) -> None:
    """The numbers of statements and rows do not grow, and each failure is notified."""
    runtime = replace(runtime, inhibitions=tuple(rules))
    open_conditions(store, range(8))
    ingest(failures("first"), runtime, now=NOW)
    with counted(store.engine) as few:
        ingest(failures("a"), runtime, now=NOW)
    open_conditions(store, range(8, MANY))
    with counted(store.engine) as many:
        ingest(failures("b"), runtime, now=NOW)

    assert (many.statements, many.rows) == (few.statements, few.rows)
    assert few.statements < 20 * 20
    notified = [row for row in rows(store, ALERTS) if row.type == AlertType.LLM_EXCEPTIONS]
    assert len(notified) == 60
    assert {row.last_suppressed_by for row in notified} == {None}


def test_a_source_is_found_among_ten_thousand(runtime: Runtime, store: SqlStore) -> None:
    """The database uses its index, on tables without statistics."""
    open_conditions(store, range(MANY))
    runtime = replace(runtime, inhibitions=(*DEFAULTS, OWN))
    muted = [{"deployment": "old4000"}, {"provider": "azure", "region": "r5001"}, {"team": "team5002"}]
    for labels in (*muted, {"deployment": "old4001"}):
        alert = Alert(AlertType.LLM_EXCEPTIONS, Severity.HIGH, labels, "h", NOW, NOW)
        store.run(partial(claim, alert=alert, runtime=runtime, now=NOW))

    found = {tuple(row.labels.items())[-1]: row.last_suppressed_by for row in rows(store, ALERTS) if "exc" in row.type}
    assert found == {
        ("deployment", "old4000"): f"alert {4_000:036}",
        ("region", "r5001"): f"alert {5_001:036}",
        ("team", "team5002"): f"alert {5_002:036}",
        ("deployment", "old4001"): None,
    }


def test_sources_of_other_channels_are_not_read(runtime: Runtime, store: SqlStore) -> None:
    """A rule without equal labels fits all of them, and each new condition makes the transaction read them again."""
    rule = Inhibition((parse('severity="High"'),), (parse('severity=~"Medium|Low"'),))
    runtime = replace(runtime, inhibitions=(rule,))

    def claimed(marker: str) -> Work:
        with counted(store.engine) as work:
            for n in range(20):
                labels = {"deployment": f"{marker}{n}"}
                alert = Alert(AlertType.OUTAGE_ALERTS, Severity.MEDIUM, labels, "h", NOW, NOW)
                store.run(partial(claim, alert=alert, runtime=runtime, now=NOW))
        return work

    open_conditions(store, range(8))
    open_conditions(store, range(8, 16), suppressed_by="silence s1")
    with store.engine.begin() as connection:
        connection.execute(NOTIFICATIONS.update().values(channel="other"))
    few = claimed("a")
    open_conditions(store, range(16, 1_000))
    open_conditions(store, range(1_000, 2_000), suppressed_by="silence s1")
    with store.engine.begin() as connection:
        old = NOTIFICATIONS.c.channel == "outbox", NOTIFICATIONS.c.message == "{}"
        connection.execute(NOTIFICATIONS.update().where(*old).values(channel="other"))
    many = claimed("b")

    assert (many.statements, many.rows) == (few.statements, few.rows)


def test_the_filter_of_a_rule_uses_its_index(store: SqlStore) -> None:
    """The planner uses the index of each label."""
    sqlite = store.engine.dialect.name == "sqlite"
    explain = "EXPLAIN QUERY PLAN" if sqlite else "EXPLAIN"
    open_conditions(store, range(2_000))
    plans: dict[str, str] = {}
    with store.engine.connect() as connection:
        if not sqlite:
            connection.execute(text("ANALYZE alerts"))
        for label in INDEXED_LABELS:
            value = f"json_extract(labels, '$.{label}')" if sqlite else f"labels ->> '{label}'"
            wanted = f"open_fingerprint IS NOT NULL AND type IN ('outage_alerts') AND {value} = 'x'"
            query = f"{explain} SELECT id FROM alerts WHERE {wanted} ORDER BY id LIMIT 100"
            plans[label] = str(connection.execute(text(query)).all())

    assert [label for label, plan in plans.items() if f"alerts_open_by_{label}" not in plan] == []


def test_silences_are_read_once_for_a_batch(runtime: Runtime, store: SqlStore) -> None:
    """The number of alerts in the batch does not matter."""
    admin = AdminStore(store.engine)
    for n in range(50):
        matchers = (parse(f'team="nobody{n}"'),)
        admin.add_silence(Silence(f"s{n}", matchers, NOW, NOW + timedelta(hours=1), "ops", "r"), now=NOW)
    with counted(store.engine) as work:
        ingest(failures("a"), runtime, now=NOW)

    assert 50 <= work.rows < 50 * 5


def test_the_matchers_of_a_silence_are_parsed_once(
    runtime: Runtime, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 5,000 silences, parsing them held the write lock for half a second in each batch."""
    texts: list[str] = []

    def counting(text: str) -> Matcher:
        texts.append(text)
        return parse(text)

    monkeypatch.setattr(silences, "parse", counting)
    admin = AdminStore(store.engine)
    for n in range(50):
        matchers = (parse(f'team=~"{store.engine.dialect.name}{n}|x"'), parse(f'model="m{n}"'))
        admin.add_silence(Silence(f"s{n}", matchers, NOW, NOW + timedelta(hours=1), "ops", "r"), now=NOW)
    for marker in "ab":
        ingest(failures(marker), runtime, now=NOW)

    assert len(texts) == 100


def swept(runtime: Runtime, store: SqlStore, seconds: float) -> Work:
    """Sweep, and return the counts."""
    with counted(store.engine) as work:
        sweep(runtime, now=NOW + timedelta(seconds=seconds))
    return work


def test_a_sweep_asks_no_more_with_ten_thousand_open_conditions(runtime: Runtime, store: SqlStore) -> None:
    """None of them is due, and each hanging one has a running call."""

    def hanging(numbers: range) -> None:
        open_conditions(store, numbers)
        calls = [{"call_id": f"c{number}", "alert_id": f"{number:036}", "announced_at": NOW} for number in numbers]
        with store.engine.begin() as connection:
            connection.execute(CALLS.insert(), calls)

    hanging(range(40))
    swept(runtime, store, 0)
    few = swept(runtime, store, 61)
    hanging(range(40, MANY))
    many = swept(runtime, store, 122)

    assert (many.statements, many.rows) == (few.statements, few.rows)


def test_a_check_of_muted_alerts_takes_few_statements(runtime: Runtime, store: SqlStore) -> None:
    """They are muted by a silence or by another alert. Only the time of the next check changes."""
    silence = Silence("s1", (parse('model="m"'),), NOW, NOW + timedelta(hours=1), "ops", "r")
    AdminStore(store.engine).add_silence(silence, now=NOW)
    swept(runtime, store, 0)
    idle = swept(runtime, store, 1)
    open_conditions(store, range(0, 4 * PIECE, 4), suppressed_by="silence s1", next_summary_at=NOW)
    busy = swept(runtime, store, 2)

    assert busy.statements - idle.statements < 20
    assert {row.next_summary_at for row in rows(store, ALERTS)} == {NOW + timedelta(seconds=4)}


def test_due_alerts_are_settled_in_pieces(runtime: Runtime, store: SqlStore, outbox: Outbox) -> None:
    """No transaction grows with the number of due alerts, and one sweep settles some hundreds."""
    assert outbox.sent == []
    due = {"count": 2, "next_summary_at": NOW}
    open_conditions(store, range(0, 4 * 3 * PIECE, 4), **due)
    work = swept(runtime, store, 1)

    assert work.longest < PIECE * 15
    assert all(row.next_summary_at > NOW for row in rows(store, ALERTS))


def test_deferred_channels_are_checked_once_a_minute(runtime: Runtime, store: SqlStore) -> None:
    """The check is in pieces. A second one in the same minute fetches nothing."""
    open_conditions(store, range(0, 4 * 3 * PIECE, 4), deferred_channels=["outbox"])
    first = swept(runtime, store, 0)
    second = swept(runtime, store, 1)

    assert first.longest < PIECE * 15
    assert second.rows < PIECE
    assert {row.deferred_channels for row in rows(store, ALERTS)} == {None}


def test_open_outages_are_looked_at_by_few_statements(runtime: Runtime, store: SqlStore) -> None:
    """Continuing outages add no statements."""

    def outages(numbers: range) -> None:
        key = {"provider": "", "region": ""}
        bucket = int(NOW.timestamp()) // 10 * 10
        sums = {"succeeded": 0, "failed": 9, "milliseconds": 0, "completion_tokens": 0, "last_success": 0}
        with store.engine.begin() as connection:
            names = [{"deployment_id": f"d{n}", **key} for n in numbers]
            connection.execute(OUTAGES.insert(), [name | {"level": 1, "over_until": 0} for name in names])
            connection.execute(WINDOWS.insert(), [name | {"bucket": bucket, **sums} for name in names])

    store.run(lambda tx: tx.clock.advance(Clock.CANARY_ARRIVED, NOW))
    outages(range(3))
    swept(runtime, store, 0)
    few = swept(runtime, store, 1)
    outages(range(3, 300))
    many = swept(runtime, store, 2)

    assert many.statements == few.statements


def test_buckets_of_many_targets_are_each_targets_own(store: SqlStore) -> None:
    """The targets are deployments and regions, each from its own start. Some attempts have no deployment."""
    places = [("d1", "azure", "eu"), ("d2", "azure", "eu"), ("d1", "azure", "us"), ("", "", ""), ("", "azure", "eu")]
    sums = {"succeeded": 1, "failed": 0, "milliseconds": 0, "completion_tokens": 0, "last_success": 1}
    with store.engine.begin() as connection:
        keys = [dict(zip(("deployment_id", "provider", "region"), place, strict=True)) for place in places]
        connection.execute(WINDOWS.insert(), [key | {"bucket": at, **sums} for key in keys for at in (10, 20)])
    starts = {
        Target("d1"): 20,
        Target("d2"): 10,
        Target("d3"): 0,
        Target(provider="azure", region="eu"): 20,
    }
    found = store.run(lambda tx: tx.outages.buckets_of(starts, end=30))

    assert {target: sorted((one.deployment_id, one.start) for one in own) for target, own in found.items()} == {
        Target("d1"): [("d1", 20), ("d1", 20)],
        Target("d2"): [("d2", 10), ("d2", 20)],
        Target("d3"): [],
        Target(provider="azure", region="eu"): [("", 20), ("d1", 20), ("d2", 20)],
    }
    assert store.run(lambda tx: tx.outages.buckets_of({})) == {}


def test_users_with_alerts_are_checked_by_few_statements(runtime: Runtime, store: SqlStore) -> None:
    """A second check of the same day makes no query for a single user."""
    runtime = replace(runtime, users=UserPolicy(daily_nanos=1, every=timedelta(seconds=60)))

    def spend(numbers: range) -> None:
        ingest(batch(*(answered(f"c{n}", user_id=f"u{n}") for n in numbers)), runtime, now=NOW)

    spend(range(2))
    for seconds in (0, 61):  # the second sweep settles what the first has sent
        swept(runtime, store, seconds)
    few = swept(runtime, store, 122)
    spend(range(2, 60))
    for seconds in (183, 244):
        swept(runtime, store, seconds)
    many = swept(runtime, store, 305)

    assert many.statements == few.statements
