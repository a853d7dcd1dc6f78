"""The same calls in any batches, in any order, redelivered: the same ledger, the same limits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from alertworker.budgets.configured import OwnBudget
from alertworker.events import (
    AttemptFailed,
    Budget,
    BudgetScope,
    Event,
    Failure,
    Origin,
    RequestFailed,
    RequestSucceeded,
)
from alertworker.ledger.rows import SpendSums
from alertworker.pipeline import BatchMessage, Runtime, ingest
from alertworker.store import SqlStore
from alertworker.store.schema.alerts import ALERTS
from alertworker.store.schema.base import METADATA
from alertworker.store.schema.budgets import BUDGETS
from alertworker.store.schema.delivery import NOTIFICATIONS
from alertworker.store.schema.ledger import ALIASES, FALLBACKS, LATENCIES, OUTCOMES, SPEND, SPEND_MONTHS, SPEND_SIZES
from tests.integration.harness import NOW, assert_ledger_agrees, batch, ledger_days, rows

DOLLAR = 10**9
SUMS = (SPEND, SPEND_MONTHS, SPEND_SIZES, OUTCOMES, LATENCIES, FALLBACKS)
OWN = (
    OwnBudget(dimension="tag", entity="x", max=10, thresholds=(50,)),
    OwnBudget(dimension="key", entity="App*", max=20),
)
FAILURE = Failure(error_class="Timeout", origin=Origin.CALLER)


@st.composite
def calls(draw: st.DrawFn) -> Event:
    """Return a call of one of few teams, keys, models and tags, with odd costs and a budget reported by its proxy."""
    at = NOW - timedelta(days=draw(st.sampled_from([0, 0, 0, 1, 30, 59])), minutes=draw(st.integers(0, 50)))
    key = draw(st.sampled_from(["h1", "h2", "h3"]))
    facts: dict[str, Any] = {
        "call_id": "c",
        "started_at": at - timedelta(milliseconds=draw(st.integers(0, 2_000))),
        "occurred_at": at,
        "team_id": draw(st.sampled_from(["t1", "t2", None])),
        "key_hash": key,
        "key_alias": draw(st.sampled_from([{"h1": "App", "h2": "App", "h3": "Chat"}[key], None])),
        "model_group": draw(st.sampled_from(["gpt-4o", "o3"])),
        "deployment_id": draw(st.sampled_from(["d1", "d2"])),
    }
    kind = draw(st.sampled_from(["answered", "answered", "failed", "attempt"]))
    if kind == "attempt":
        return AttemptFailed.model_validate(facts | {"failure": FAILURE})
    budget = Budget(
        scope=BudgetScope.TEAM,
        entity_id="t1",
        spend_nanos=draw(st.integers(60, 110)) * DOLLAR,
        max_nanos=100 * DOLLAR,
        reset_at=NOW + timedelta(days=5),
    )
    facts |= {
        "ended_at": at,
        "tags": tuple(draw(st.lists(st.sampled_from("xyz"), max_size=3))),
        "cost_nanos": draw(st.sampled_from([0, 1, 123, 999_999_999, 2_000_000_001, 4_000_000_000])),
        "completion_tokens": draw(st.integers(0, 50)),
        "budgets": (budget,) if facts["team_id"] == "t1" else (),
    }
    if kind == "failed":
        return RequestFailed.model_validate(facts | {"failure": FAILURE})
    return RequestSucceeded.model_validate(facts)


@dataclass(frozen=True)
class Delivery:
    """Calls, and their batches in order of arrival, some repeated."""

    events: list[Event]
    batches: list[BatchMessage]


@st.composite
def deliveries(draw: st.DrawFn) -> Delivery:
    """Cut calls into batches and deliver them in any order, some several times."""
    cut = draw(st.lists(st.tuples(calls(), st.integers(0, 4)), min_size=1, max_size=14))
    parts = [[event for event, part in cut if part == number] for number in range(5)]
    sealed = [batch(*part) for part in parts if part]
    again = draw(st.lists(st.sampled_from(sealed), max_size=4))
    return Delivery([event for part in parts for event in part], draw(st.permutations([*sealed, *again])))


def ledger_of(store: SqlStore, runtime: Runtime, batches: Sequence[BatchMessage]) -> dict[str, object]:
    """Apply batches to an empty database, and return its ledger and the notified limits."""
    with store.engine.begin() as connection:
        for table in METADATA.sorted_tables:
            connection.execute(table.delete())
    for message in batches:
        ingest(message, runtime, now=NOW)
    assert_ledger_agrees(store)
    notified = [json.loads(row.message) for row in sorted(rows(store, NOTIFICATIONS), key=lambda row: row.id)]
    headlines = [message["headline"] for message in notified]
    assert len(headlines) == len(set(headlines)), "no limit is notified twice"
    alerts = rows(store, ALERTS)
    assert {row.headline for row in alerts} <= set(headlines), "the highest limit of each budget was notified"
    return {table.name: set(map(tuple, rows(store, table))) for table in SUMS} | {
        "names": {tuple(row[:3]) for row in rows(store, ALIASES)},
        "budgets": {(row.scope, row.entity, row.spend_nanos, row.notified_nanos) for row in rows(store, BUDGETS)},
        "alerts": {(row.fingerprint, row.headline) for row in alerts},
    }


def test_any_cutting_order_and_redelivery_gives_the_same_ledger_and_limits(store: SqlStore, runtime: Runtime) -> None:
    """The result equals that of one batch with all calls, on both databases."""
    runtime = replace(runtime, budgets=OWN)

    @settings(max_examples=10, phases=[Phase.reuse, Phase.generate], suppress_health_check=list(HealthCheck))
    @given(deliveries())
    def same(delivery: Delivery) -> None:
        assert ledger_of(store, runtime, delivery.batches) == ledger_of(store, runtime, [batch(*delivery.events)])

    same()


def test_past_the_cap_no_sum_is_lost(store: SqlStore, runtime: Runtime) -> None:
    """The order decides which values become "(other)". It does not change teams, or the sum of a team's day."""
    capped = replace(runtime, max_entities=1)

    def added() -> dict[tuple[object, ...], SpendSums]:
        sums: dict[tuple[object, ...], SpendSums] = {}
        for key, row in ledger_days(store).items():
            sums.setdefault((key.day, key.dimension, key.team_id), SpendSums()).add(row)
        return sums

    @settings(max_examples=10, phases=[Phase.reuse, Phase.generate], suppress_health_check=list(HealthCheck))
    @given(deliveries())
    def same(delivery: Delivery) -> None:
        ledger_of(store, capped, delivery.batches)
        found = added()
        ledger_of(store, runtime, [batch(*delivery.events)])
        assert found == added()

    same()
