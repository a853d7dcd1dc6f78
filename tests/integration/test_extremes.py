"""Figures and times at and beyond the limits of an event, in every zone and on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alertworker.events.base import MAX_COST, MAX_MOMENT, MIN_MOMENT
from alertworker.pipeline import BatchMessage, Runtime, ingest
from alertworker.store import SqlStore
from alertworker.store.schema.delivery import DEAD_LETTERS
from alertworker.store.schema.ledger import LATENCIES, SPEND, SPEND_MONTHS
from tests.integration.harness import NOW, rows


def call(**more: Any) -> dict[str, Any]:
    """Return an answered call as JSON has it."""
    times = dict.fromkeys(("occurred_at", "started_at", "ended_at"), NOW.isoformat())
    return {"type": "llm.request.succeeded", "call_id": "1", "team_id": "t1", "cost_nanos": 7, **times, **more}


def taken(events: list[dict[str, Any]], runtime: Runtime, store: SqlStore) -> int:
    """Ingest events, and return the team's spend by month, which equals its spend by day."""
    ingest(BatchMessage("b1", events), runtime, now=NOW)
    days, months = (
        sum(row.spend_nanos for row in rows(store, table) if row.dimension == "team") for table in (SPEND, SPEND_MONTHS)
    )
    assert days == months
    return int(months)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Pacific/Kiritimati"])
@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"occurred_at": "0001-01-01T00:00:00Z"}, "occurred_at"),
        ({"occurred_at": "9999-12-31T23:59:59Z"}, "occurred_at"),
        ({"started_at": "0001-01-01T00:00:00+14:00"}, "started_at"),
        ({"ended_at": "9999-12-31T23:59:59-12:00"}, "ended_at"),
        ({"first_token_at": "1970-01-01T00:00:00Z"}, "first_token_at"),
        ({"budgets": [{"scope": "key", "entity_id": "k", "reset_at": "9999-12-31T23:59:59Z"}]}, "reset_at"),
        ({"cost_nanos": MAX_COST + 1}, "cost_nanos"),
    ],
)
def test_an_event_out_of_bounds_is_refused_alone(
    runtime: Runtime, store: SqlStore, zone: str, wrong: dict[str, Any], place: str
) -> None:
    """The dead letter names the event's place and the field. The other calls in the batch are booked."""
    spent = taken([call(), call(**wrong), call()], replace(runtime, zone=ZoneInfo(zone)), store)

    [letter] = rows(store, DEAD_LETTERS)
    assert (spent, letter.position) == (14, 1)
    assert f"{place}: Input should be " in letter.reason


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati"])
def test_an_event_within_bounds_is_in_the_ledger(runtime: Runtime, store: SqlStore, zone: str) -> None:
    """The first and the last possible time, in every zone. A future time counts as now."""
    moments = (MIN_MOMENT, MAX_MOMENT - timedelta(microseconds=1))
    events = [call(occurred_at=at.isoformat(), started_at=at.isoformat(), ended_at=at.isoformat()) for at in moments]

    assert taken(events, replace(runtime, zone=ZoneInfo(zone)), store) == 14
    assert rows(store, DEAD_LETTERS) == []


def test_the_dearest_calls_of_a_month_add_up(runtime: Runtime, store: SqlStore) -> None:
    """The sums are exact to the nano-dollar, in integers."""
    days = [datetime(2026, 10, day, 12, tzinfo=UTC).isoformat() for day in range(1, 31)]
    events = [call(occurred_at=day, cost_nanos=MAX_COST) for day in days for _ in range(10)]

    assert taken(events, runtime, store) == 300 * MAX_COST


def test_a_call_that_began_decades_ago_fills_no_sum(runtime: Runtime, store: SqlStore) -> None:
    """A wrong clock adds at most 30 days."""
    events = [call(started_at=MIN_MOMENT.isoformat(), completion_tokens=1, deployment_id="d1") for _ in range(3_000)]
    taken(events, runtime, store)

    [latency] = [row for row in rows(store, LATENCIES) if row.measure == "per_token"]
    assert (latency.count, latency.microseconds) == (3_000, 3_000 * 30 * 86_400 * 1_000_000)
