"""Several batches in one transaction: sums of one batch after the other, verdicts of one batch, or no change at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from alertworker.events import AttemptFailed, Budget, BudgetScope, Event, Failure, Origin, PublisherHeartbeat
from alertworker.events.base import new_id
from alertworker.events.batch import QUEUE
from alertworker.events.system import PublisherCounters
from alertworker.pipeline import BatchMessage, BrokerMessage, Runtime, ingest, receive_together
from alertworker.pipeline.ingest import MAX_TOGETHER, ingest_together
from alertworker.ports import Clock
from alertworker.store import SqlStore
from alertworker.store.schema.alerts import ALERTS
from alertworker.store.schema.base import METADATA
from alertworker.store.schema.batches import BATCHES, COUNTERS
from alertworker.store.schema.budgets import BUDGETS
from alertworker.store.schema.delivery import DEAD_LETTERS, NOTIFICATIONS
from alertworker.store.schema.ledger import (
    ALIASES,
    DROPS,
    FALLBACKS,
    LATENCIES,
    OUTCOMES,
    SPEND,
    SPEND_MONTHS,
    SPEND_SIZES,
)
from alertworker.store.schema.outages import CAUSES, FAILING_KEYS, MODEL_CALLS, OUTAGE_CALLS, OUTAGES, WINDOWS
from tests.integration.harness import NOW, announced, answered, assert_ledger_agrees, batch, canary, failed, rows
from tests.integration.test_ledger_property import OWN, calls

#: Tables whose rows must be equal in every column.
EXACT = (
    *(SPEND, SPEND_MONTHS, SPEND_SIZES, OUTCOMES, LATENCIES, FALLBACKS, DROPS),
    *(WINDOWS, CAUSES, OUTAGE_CALLS, MODEL_CALLS, FAILING_KEYS, BATCHES),
)


#: Facts of a process that publishes.
PROCESS: dict[str, Any] = {"host": "h", "pid": 1, "version": "1", "started_at": NOW}


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Return a call, an attempt on a deployment that always fails, a heartbeat, or an announcement."""
    kind = draw(st.sampled_from(["call", "call", "call", "failed", "attempt", "heartbeat", "slow", "announced"]))
    at = NOW - timedelta(seconds=draw(st.integers(0, 100)))
    if kind == "failed":
        return failed(str(new_id()), at=at).model_copy(update={"deployment_id": "dead"})
    if kind == "attempt":
        failure = Failure(error_class="InternalServerError", status_code=500, origin=Origin.PROVIDER)
        facts: dict[str, Any] = {"call_id": "c", "started_at": at, "occurred_at": at, "deployment_id": "dead"}
        return AttemptFailed(**facts, model_group="gpt-4o", key_hash="h1", failure=failure)
    if kind == "heartbeat":
        dropped = {"spool_full": draw(st.integers(0, 9))}
        counters = PublisherCounters(published=5, dropped=dropped)
        return PublisherHeartbeat(boot_id=draw(st.sampled_from("ab")), **PROCESS, occurred_at=at, counters=counters)
    if kind == "slow":
        return answered("slow", seconds=draw(st.integers(4, 60)))
    return announced(draw(st.sampled_from(["a1", "a2"]))) if kind == "announced" else draw(calls())


def store_after(store: SqlStore, runtime: Runtime, *groups: Sequence[BatchMessage]) -> None:
    """Apply groups of batches to an empty database."""
    with store.engine.begin() as connection:
        for table in METADATA.sorted_tables:
            connection.execute(table.delete())
    for group in groups:
        if len(group) > 1:
            assert ingest_together(group, runtime, now=NOW)
        else:
            ingest(group[0], runtime, now=NOW)
    assert_ledger_agrees(store)


def sums(store: SqlStore) -> dict[str, object]:
    """Return what was added up, and the budgets with the highest limit that was notified."""
    return {table.name: sorted(map(repr, rows(store, table))) for table in EXACT} | {
        "names": {tuple(row[:3]) for row in rows(store, ALIASES)},
        "budgets": {(row.scope, row.entity, row.spend_nanos, row.notified_nanos) for row in rows(store, BUDGETS)},
    }


def judgements(store: SqlStore) -> dict[str, object]:
    """Return the alerts, outages, messages and counters, without ids that are drawn by chance."""
    alerts = {row.id: row for row in rows(store, ALERTS)}
    return {
        "alerts": sorted(
            (row.fingerprint, row.severity, row.level, row.headline, row.count, str(row.closed_at))
            for row in alerts.values()
        ),
        "notified": sorted((alerts[row.alert_id].fingerprint, row.step) for row in rows(store, NOTIFICATIONS)),
        "outages": sorted(map(repr, rows(store, OUTAGES))),
        "counters": sorted(map(repr, rows(store, COUNTERS))),
    }


def test_batches_together_add_what_they_add_one_by_one_and_are_judged_as_one(store: SqlStore, runtime: Runtime) -> None:
    """Sums, windows, names, ids and budgets are those of one batch after the other.

    Alerts and messages are those of one batch with all events: an outage then suppresses the notices of its own calls,
    which a batch before it would have sent.
    """
    runtime = replace(runtime, budgets=OWN)

    @settings(max_examples=15, phases=[Phase.reuse, Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.lists(st.lists(events(), min_size=1, max_size=5), min_size=2, max_size=4))
    def same(parts: list[list[Event]]) -> None:
        sealed = [batch(*part) for part in parts]
        store_after(store, runtime, sealed)
        added, judged = sums(store), judgements(store)
        store_after(store, runtime, *([one] for one in sealed))
        assert added == sums(store)
        store_after(store, runtime, [batch(*(event for part in parts for event in part))])
        assert judged == judgements(store)

    same()


def content(store: SqlStore) -> dict[str, object]:
    """Return every row of every table."""
    return {table.name: sorted(map(repr, rows(store, table))) for table in METADATA.sorted_tables}


REPEATED = batch(answered("c1"), batch_id="repeated")


def used_up(team: str) -> tuple[Budget]:
    """Return a budget of which half is spent."""
    reset_at = NOW + timedelta(days=1)
    return (Budget(scope=BudgetScope.TEAM, entity_id=team, spend_nanos=1, max_nanos=2, reset_at=reset_at),)


TWO_PIECES = batch(*(answered("c", budgets=used_up(f"t{number}")) for number in range(600)))


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param([REPEATED], id="applied before"),
        pytest.param([batch(answered("c2"), batch_id="repeated")], id="another batch has its id"),
        pytest.param([batch(answered("c3"), batch_id="twice")] * 2, id="the same twice"),
        pytest.param([BatchMessage("unreadable", b"[")], id="unreadable"),
        pytest.param([batch(answered("c4"), sealed_at=NOW - timedelta(days=36))], id="too old"),
        pytest.param([batch(*(answered(f"c{n}") for n in range(MAX_TOGETHER)))], id="too many events"),
        pytest.param([TWO_PIECES], id="budgets of two pieces"),
    ],
)
def test_a_batch_that_must_be_alone_leaves_all_others_to_be_applied_alone(
    store: SqlStore, runtime: Runtime, odd: list[BatchMessage]
) -> None:
    """Nothing is changed. Then the others are applied, each once."""
    ingest(REPEATED, runtime, now=NOW)
    before = content(store)
    group = [batch(answered("first"), batch_id="first"), *odd, batch(answered("last"), batch_id="last")]
    assert not ingest_together(group, runtime, now=NOW)
    assert content(store) == before

    for one in group:
        ingest(one, runtime, now=NOW)
    applied = {row.batch_id for row in rows(store, BATCHES) if row.events}
    assert {"first", "last", "repeated"} <= applied
    assert_ledger_agrees(store)


@pytest.mark.parametrize("bound", ["MAX_ROWS", "MAX_LEDGER_ROWS", "MAX_DROPS", "MAX_READINGS", "MOST"])
def test_a_bound_that_the_sum_exceeds_and_no_batch_does_parks_nothing(
    store: SqlStore, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    """Each batch is applied alone, because bounds are those of one batch."""

    def one(name: str) -> BatchMessage:
        call = answered(name, seconds=5, budgets=used_up(name))
        call = call.model_copy(update={"deployment_id": name, "team_id": name, "model_group": name})
        counters = PublisherCounters(dropped={"spool_full": 1})
        heartbeat = PublisherHeartbeat(boot_id=name, **PROCESS, occurred_at=NOW, counters=counters)
        return batch(call, heartbeat, batch_id=name)

    module = import_module("alertworker.pipeline.ingest")
    monkeypatch.setattr(module, bound, {"MAX_LEDGER_ROWS": 4}.get(bound, 1))
    group = [one("b1"), one("b2")]
    assert not ingest_together(group, runtime, now=NOW)
    assert rows(store, BATCHES) == []
    for each in group:
        ingest(each, runtime, now=NOW)
    assert {row.batch_id for row in rows(store, BATCHES)} == {"b1", "b2"}
    assert rows(store, DEAD_LETTERS) == []


def test_canaries_and_bad_events_stay_those_of_their_batch(store: SqlStore, runtime: Runtime) -> None:
    """A canary counts if its own batch is the worker's. A bad event's letter names its batch and its place."""
    foreign = replace(batch(canary(runtime, NOW)), producer="test")
    bad = BatchMessage("bad", b"[" + answered("c").model_dump_json(exclude_none=True).encode() + b",{}]")
    assert ingest_together([batch(answered("a")), foreign, bad], runtime, now=NOW)
    assert runtime.store.read(lambda tx: tx.clock.read(Clock.CANARY_ARRIVED)) is None
    assert ("dropped", "foreign_canary", 1) in rows(store, COUNTERS)
    assert [(row.batch_id, row.position) for row in rows(store, DEAD_LETTERS)] == [("bad", 1)]

    assert ingest_together([batch(answered("b")), batch(canary(runtime, NOW))], runtime, now=NOW)
    assert runtime.store.read(lambda tx: tx.clock.read(Clock.CANARY_ARRIVED)) == NOW


def test_a_message_that_is_not_a_batch_leaves_the_others_alone(store: SqlStore, runtime: Runtime) -> None:
    good = BrokerMessage(QUEUE, b'[[], {"events": [], "batch_id": "good"}, {}]')
    assert not receive_together([good, BrokerMessage(QUEUE, b"[[")], runtime, now=NOW)
    assert rows(store, BATCHES) == []
    assert receive_together([good, replace(good, body=good.body.replace(b"good", b"more"))], runtime, now=NOW)
    assert {row.batch_id for row in rows(store, BATCHES)} == {"good", "more"}
