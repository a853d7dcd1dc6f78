"""Old records that are over are deleted in pieces, once an hour. Open and waiting ones are kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from alertworker.alerts.message import Step
from alertworker.delivery.retry import DeliveryError, Reason
from alertworker.events import Budget, BudgetScope, PublisherHeartbeat, PublisherStopped
from alertworker.pipeline import Runtime, ingest, retention, sweep
from alertworker.routing.matchers import parse
from alertworker.routing.silences import Silence
from alertworker.store import AdminStore, SqlStore
from alertworker.store.schema.alerts import ALERTS, MEMBERS, PARTS, SILENCES
from alertworker.store.schema.batches import BATCHES, REDELIVERIES
from alertworker.store.schema.budgets import BUDGETS
from alertworker.store.schema.delivery import ATTEMPTS, DEAD_LETTERS, NOTIFICATIONS
from alertworker.store.schema.publishers import PUBLISHERS
from tests.integration.harness import NOW, Outbox, announced, answered, batch, failed, rows, run_until_quiet

RECORDS = (ALERTS, ATTEMPTS, DEAD_LETTERS, MEMBERS, NOTIFICATIONS, PARTS, PUBLISHERS, SILENCES)


def days(count: float) -> datetime:
    """Return the time this many days later."""
    return NOW + timedelta(days=count)


def counts(store: SqlStore) -> dict[str, int]:
    """Return the number of rows in the tables that the retention of records covers."""
    return {table.name: len(rows(store, table)) for table in RECORDS}


def publisher(event_class: type[Any], boot_id: str) -> Any:
    """Return an event of a publisher."""
    return event_class(boot_id=boot_id, host="h", pid=1, version="1", started_at=NOW, occurred_at=NOW)


def live(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """Let one alert be sent, one die, one publisher stop, and one silence end."""
    silence = Silence("s1", (parse('team="x"'),), NOW, NOW + timedelta(hours=1), "ops", "night")
    AdminStore(store.engine).add_silence(silence, now=NOW)
    ingest(batch(failed("a"), publisher(PublisherStopped, "b1")), runtime, now=NOW)
    run_until_quiet(runtime, NOW + timedelta(seconds=1))
    outbox.failures = [DeliveryError("no", Reason.CLIENT_ERROR)]
    ingest(batch(failed("b").model_copy(update={"model_group": "other"})), runtime, now=NOW)
    run_until_quiet(runtime, NOW + timedelta(seconds=30))
    sweep(runtime, now=NOW + timedelta(minutes=61))  # no further occurrences: both notices are over


def test_batches_that_came_again_are_forgotten_with_the_ids(runtime: Runtime, store: SqlStore) -> None:
    """This includes those that were never seen again."""
    store.count_redelivery("never applied", now=NOW)
    store.count_redelivery("never applied", now=days(1))
    sweep(runtime, now=days(35.5))
    assert [row.times for row in rows(store, REDELIVERIES)] == [2]
    sweep(runtime, now=days(36.5))
    assert rows(store, REDELIVERIES) == []


def test_closed_alerts_are_deleted_after_the_retention_and_not_before(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """All rows that belong to it are deleted with it. Ids of batches are deleted earlier."""
    live(runtime, outbox, store)
    before = counts(store)
    assert all(before.values()), before

    sweep(runtime, now=days(36))
    assert counts(store) == before
    assert rows(store, BATCHES) == []
    sweep(runtime, now=days(91))
    assert not any(counts(store).values()), counts(store)


def test_open_alerts_and_waiting_messages_are_never_deleted(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """A call that hangs for 100 days still resolves at its receivers, and a running publisher stays."""
    ingest(batch(announced("a"), publisher(PublisherHeartbeat, "boot-1")), runtime, now=NOW)
    run_until_quiet(runtime, NOW)
    for day in (30, 60, 100):
        sweep(runtime, now=days(day))
    assert len(rows(store, PUBLISHERS)) == 1

    ingest(replace(batch(answered("a", announced=True)), sealed_at=days(100)), runtime, now=days(100))
    sweep(runtime, now=days(100) + timedelta(seconds=5))
    run_until_quiet(runtime, days(101))
    assert [outbox.sent[0].step, outbox.sent[-1].step] == [Step.FIRING, Step.RESOLVED]


def test_a_budget_without_reset_is_deleted_after_its_last_report(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """Its alert is closed with a message. A budget that is still reported, or resets, stays."""
    named = {"old": None, "used": None, "resets": days(400)}
    every = [
        Budget(scope=BudgetScope.USER, entity_id=name, spend_nanos=90_000_000, max_nanos=100_000_000, reset_at=reset_at)
        for name, reset_at in named.items()
    ]
    ingest(batch(answered("a").model_copy(update={"budgets": tuple(every)})), runtime, now=NOW)
    later = {"budgets": (every[1],), "started_at": days(30), "occurred_at": days(30)}
    ingest(batch(answered("b").model_copy(update=later)), runtime, now=days(30))
    run_until_quiet(runtime, days(30))
    assert len(outbox.sent) == 3

    sweep(runtime, now=days(89))
    retention.forget(runtime, now=days(89))
    assert len(rows(store, BUDGETS)) == 3
    retention.forget(runtime, now=days(91))
    run_until_quiet(runtime, days(91))

    assert sorted(row.entity for row in rows(store, BUDGETS)) == ["resets", "used"]
    (closed,) = [message for message in outbox.sent if message.step is Step.RESOLVED]
    assert closed.headline.startswith("Closed after")
    assert closed.headline.endswith("User old: 85 % of budget")
    assert closed.facts["State"] == "unknown: not reported for 90 days"


def test_much_is_forgotten_in_pieces(
    runtime: Runtime, outbox: Outbox, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One pass continues until everything is done."""
    monkeypatch.setattr(retention, "PIECE", 2)
    for n in range(7):
        ingest(batch(failed(f"c{n}").model_copy(update={"model_group": f"m{n}"})), runtime, now=NOW)
    run_until_quiet(runtime, NOW)
    sweep(runtime, now=NOW + timedelta(minutes=61))
    assert len(rows(store, ALERTS)) == 7
    sweep(runtime, now=days(91))

    assert (rows(store, ALERTS), rows(store, ATTEMPTS), rows(store, BATCHES)) == ([], [], [])


def test_one_pass_is_made_an_hour(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """The number of sweeps and beats does not matter. The retention of records is a setting."""
    live(runtime, outbox, store)
    short = replace(runtime, record_retention=timedelta(days=7))
    sweep(short, now=days(8))
    assert not any(counts(store).values()), counts(store)

    over = Silence("s2", (parse('team="x"'),), NOW, NOW + timedelta(hours=1), "ops", "night")
    AdminStore(store.engine).add_silence(over, now=NOW)
    sweep(short, now=days(8) + timedelta(minutes=59))
    assert counts(store)["silences"] == 1
    sweep(short, now=days(8) + timedelta(minutes=61))
    assert counts(store)["silences"] == 0
