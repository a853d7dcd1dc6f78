"""A batch of the most events, each about other entities, is applied in few statements."""

from __future__ import annotations

from typing import Any

from alertworker.events.base import MAX_EVENTS
from alertworker.pipeline import BatchMessage, Runtime, ingest
from alertworker.store import SqlStore
from alertworker.store.schema.delivery import DEAD_LETTERS
from alertworker.store.schema.publishers import CALLS, PUBLISHERS
from tests.integration.harness import NOW, rows, spend_of
from tests.integration.statements import counted

TIMES = dict.fromkeys(("occurred_at", "started_at", "ended_at"), NOW.isoformat())


def call(number: int, **more: Any) -> dict[str, Any]:
    return {"type": "llm.request.succeeded", "call_id": f"call-{number}", "cost_nanos": 7, **TIMES, **more}


def statements_of(runtime: Runtime, store: SqlStore, events: list[dict[str, Any]], batch_id: str = "large") -> int:
    """Ingest events as one batch that must not be parked. Return the number of statements."""
    with counted(store.engine) as work:
        ingest(BatchMessage(batch_id, events), runtime, now=NOW)
    assert rows(store, DEAD_LETTERS) == []
    return work.statements


def test_calls_with_owners_and_tags_of_their_own_are_applied(runtime: Runtime, store: SqlStore) -> None:
    """A busy proxy's backlog: no two calls share a user, key, customer, organization or tag."""
    names = ("user_id", "key_hash", "key_alias", "customer_id", "organization_id", "organization_alias")
    place = {"model": "gpt-4o", "provider": "openai", "deployment_id": "d1"}
    events = [
        call(
            number,
            **{name: f"{name}-{number}" for name in names},
            **place,
            team_id=f"team-{number % 50}",
            tags=[f"tag-{number}-{tag}" for tag in range(5)],
        )
        for number in range(MAX_EVENTS)
    ]

    assert statements_of(runtime, store, events) < 80
    assert {sum(spend_of(store, one).values()) for one in ("team", "user", "customer")} == {7 * MAX_EVENTS}


def test_reports_of_many_publishers_are_stored_in_few_statements(runtime: Runtime, store: SqlStore) -> None:
    """A heartbeat after a stop, or with an older time, does not undo what is newer."""
    report = {"host": "h", "pid": 1, "version": "1", "started_at": NOW.isoformat(), "counters": {"published": 5}}

    def beat(number: int, kind: str = "heartbeat", second: int = 11, **more: int) -> dict[str, Any]:
        at = NOW.replace(second=second).isoformat()
        return {"type": f"publisher.{kind}", "boot_id": f"b{number:04}", "occurred_at": at, **report, **more}

    first = statements_of(runtime, store, [beat(number, inflight=2) for number in range(MAX_EVENTS)])
    mixed = [beat(0, "stopped"), beat(1, second=10, inflight=3), beat(2, second=12, inflight=4)]
    statements_of(runtime, store, mixed, "mixed")
    statements_of(runtime, store, [beat(0, second=13)], "late")

    assert first < 20
    found = sorted(rows(store, PUBLISHERS), key=lambda row: str(row.boot_id))
    assert len(found) == MAX_EVENTS
    assert [row.inflight for row in found[:4]] == [0, 2, 4, 2]
    assert [row.stopped_at for row in found[:2]] == [NOW, None]


def test_announced_calls_and_their_ends_are_stored_in_few_statements(runtime: Runtime, store: SqlStore) -> None:
    """The first end of a call stays, whether its announcement comes before or after it."""
    running = {"age_seconds": 9, "last_progress_at": NOW.isoformat(), "boot_id": "boot", "model_group": "m"}

    def announced(number: int) -> dict[str, Any]:
        return call(number) | running | {"type": "llm.request.announced"}

    before = statements_of(runtime, store, [announced(number) for number in range(1_000)])
    ends = statements_of(runtime, store, [call(number, announced=True) for number in range(MAX_EVENTS)], "ends")
    statements_of(runtime, store, [announced(number) for number in range(2_000)], "again")

    assert before < 60
    assert ends < 20
    assert {row.outcome for row in rows(store, CALLS)} == {"finished"}
    assert len(rows(store, CALLS)) == MAX_EVENTS
