"""Figures and times at and beyond the limits of an event, in every zone and on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alertworker.events.base import MAX_COST, MAX_MOMENT, MIN_MOMENT
from alertworker.pipeline import BatchMessage, Runtime, ingest
from alertworker.store import SqlStore
from alertworker.store.schema.delivery import DEAD_LETTERS
from alertworker.store.schema.ledger import LATENCIES, SPEND, SPEND_MONTHS
from alertworker.store.schema.outages import WINDOWS
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
    """The dead letter names the event's place and the field. The other calls in the batch are posted."""
    spent = taken([call(), call(**wrong), call()], replace(runtime, zone=ZoneInfo(zone)), store)

    [letter] = rows(store, DEAD_LETTERS)
    assert (spent, letter.position) == (14, 1)
    assert f"{place}: Input should be " in letter.reason


#: Numbers that no field takes as a count, an amount or a duration.
NUMBERS = (-1, 2**63 - 1, 2**63, -(2**63), 10**30, 1e308, "1e309", float("nan"), float("inf"), 1.5, "9" * 4_000)
FIELDS = (
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "attempts",
    "fallbacks",
    "cost_nanos",
    "schema_version",
)


def test_no_number_out_of_bounds_is_booked(runtime: Runtime, store: SqlStore) -> None:
    """Each such event is rejected alone. This holds for every field."""
    wrong = [call(**{name: value}) for name in FIELDS for value in NUMBERS]
    reports = {"boot_id": "b", "host": "h", "pid": 1, "version": "1"}
    wrong += [
        call(type="publisher.heartbeat", **reports, interval_seconds=value) for value in (1e308, -1, float("nan"))
    ]

    assert taken([call(), *wrong, call()], runtime, store) == 14
    assert len(rows(store, DEAD_LETTERS)) == len(wrong)


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


class Longest:
    """Makes strings of 4-byte characters that do not compress: the longest keys that an event can cause."""

    def __init__(self) -> None:
        self._random = Random(7)

    def name(self) -> str:
        return "".join(chr(self._random.randrange(0x10000, 0x10FFFE)) for _ in range(256))

    def place(self) -> dict[str, str]:
        return {"deployment_id": self.name(), "provider": self.name(), "region": self.name()}

    def event(self, kind: str, **more: Any) -> dict[str, Any]:
        """Return an event of this type with every name at its bound."""
        owner = ("key_hash", "key_alias", "team_id", "team_alias", "user_id", "user_email", "customer_id")
        names = ("call_id", "trace_id", "model", "model_group", "organization_id", "organization_alias", *owner)
        own = {name: self.name() for name in names} | {"tags": [self.name() for _ in range(32)]}
        return call(type=kind) | own | self.place() | more

    def end(self, kind: str, **more: Any) -> dict[str, Any]:
        """Return the end of a call that failed on deployments before."""
        failed_on = [self.place() for _ in range(16)]
        return self.event(kind, original_model_group=self.name(), fallbacks=1, failed_on=failed_on, **more)

    def failure(self, status: int) -> dict[str, Any]:
        return {"error_class": self.name(), "status_code": status, "origin": "provider", "message": self.name()}


@pytest.mark.parametrize("status", [401, 503])
def test_names_of_the_longest_keys_are_posted(runtime: Runtime, store: SqlStore, status: int) -> None:
    """PostgreSQL refuses a key of more than 2,704 bytes, and with it the whole batch."""
    longest = Longest()
    credential, failure = "0123456789ab", longest.failure(status)
    events = [
        longest.end("llm.request.succeeded", credential=credential),
        longest.end("llm.request.failed", failure=failure),
        longest.end("llm.request.abandoned", reason="disconnected"),
        longest.event("llm.attempt.failed", failure=failure, credential=credential),
        longest.event("llm.request.announced", age_seconds=9, last_progress_at=NOW.isoformat(), boot_id=longest.name()),
        longest.event("llm.deployment.cooled_down", seconds=9, failure=failure),
        call(),
    ]
    ingest(BatchMessage("b1", events), runtime, now=NOW)

    assert rows(store, DEAD_LETTERS) == []
    assert sum(row.spend_nanos for row in rows(store, SPEND) if row.dimension == "team") == 4 * 7
    windows = {row.deployment_id for row in rows(store, WINDOWS)}
    assert len(windows) == 2
    assert all(len(name.encode()) <= 512 for name in windows)
