"""Shared helpers for tests of the pipeline: a channel and a broker that record, and functions that make events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from alertworker.alerts.message import Message
from alertworker.delivery.channel import Answer, Pace
from alertworker.delivery.retry import DeliveryError
from alertworker.events import (
    Canary,
    Event,
    Failure,
    Origin,
    RequestAnnounced,
    RequestFailed,
    RequestSucceeded,
)
from alertworker.events.base import new_id
from alertworker.events.batch import WORKER, seal
from alertworker.ledger.rows import SpendKey, SpendSums
from alertworker.pipeline import BatchMessage, Runtime, deliver
from alertworker.ports import Clock
from alertworker.store import SqlStore
from alertworker.store.schema.ledger import MONTHLY, SPEND, SPEND_MONTHS, SPEND_SIZES

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
FACTS: dict[str, Any] = {"model_group": "gpt-4o", "deployment_id": "d1", "team_id": "search", "key_alias": "app"}


class Outbox:
    """A channel that keeps its messages, and fails as configured."""

    name = kind = "outbox"
    pace = Pace()
    litellm_service: str | None = None
    digest_size = 0
    parallel = 1
    tracks_spend = False
    keeps_open = False

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.ids: list[str] = []
        self.failures: list[DeliveryError] = []

    def takes(self, _message: Message, /) -> bool:
        return True

    def render(self, message: Message) -> str:
        """Return a form that tests can read."""
        return message.model_dump_json()

    def send(self, body: str, *, notification_id: str) -> Answer:
        """Fail while there are failures, then accept the message."""
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(Message.model_validate_json(body))
        self.ids.append(notification_id)
        return Answer("200")


@dataclass
class Recorder:
    """A broker that records what is sent through it."""

    published: list[Event] = field(default_factory=list)
    woken: list[str] = field(default_factory=list)
    resent: list[tuple[str, bytes, str | None]] = field(default_factory=list)
    messages: list[tuple[str, bytes]] = field(default_factory=list)

    def publish(self, events: Sequence[Event]) -> None:
        self.published += events

    def resend(self, batch_id: str, events: bytes, encoding: str | None) -> None:
        self.resent.append((batch_id, events, encoding))

    def resend_message(self, message_id: str, body: bytes) -> None:
        self.messages.append((message_id, body))

    def wake(self, channels: Sequence[str]) -> None:
        self.woken += channels


def canary(runtime: Runtime, at: datetime) -> Canary:
    """Return a canary that the sweep has sent."""
    runtime.store.run(lambda tx: tx.clock.advance(Clock.CANARY_SENT, at))
    return Canary(occurred_at=at)


def batch(*events: Event, batch_id: str | None = None, sealed_at: datetime = NOW) -> BatchMessage:
    """Seal events as a publisher does. The worker parks a batch that was sealed too long before its own time."""
    encoded = [event.model_dump_json(exclude_none=True).encode() for event in events]
    producer = WORKER if any(isinstance(event, Canary) for event in events) else "test"
    sealed = seal(encoded, batch_id=batch_id or str(new_id()), producer=producer, sealed_at=sealed_at)
    return BatchMessage(sealed.batch_id, sealed.body, "zstd", sealed.producer, sealed.sealed_at)


def failed(call_id: str, origin: Origin = Origin.PROVIDER, at: datetime = NOW) -> RequestFailed:
    failure = Failure(error_class="APIError", status_code=500, origin=origin, message="boom")
    return RequestFailed(call_id=call_id, started_at=at, ended_at=at, occurred_at=at, failure=failure, **FACTS)


def answered(call_id: str, seconds: float = 1, **more: Any) -> RequestSucceeded:
    """Return an answered call that cost 13,500 nano-dollars."""
    more = {"cost_nanos": 13_500, **more}
    start = NOW - timedelta(seconds=seconds)
    return RequestSucceeded(call_id=call_id, started_at=start, ended_at=NOW, occurred_at=NOW, **FACTS | more)


def announced(call_id: str, age: float = 3, boot_id: str = "boot-1") -> RequestAnnounced:
    """Return a call that is still running."""
    start = NOW - timedelta(seconds=age)
    return RequestAnnounced(
        call_id=call_id,
        started_at=start,
        last_progress_at=start,
        occurred_at=NOW,
        age_seconds=age,
        boot_id=boot_id,
        **FACTS,
    )


def run_until_quiet(runtime: Runtime, now: datetime) -> None:
    """Deliver everything that is due."""
    while deliver("outbox", runtime, now=now):
        pass


def rows(store: SqlStore, table: Any) -> list[Any]:
    """Read a table."""
    with store.engine.connect() as connection:
        return list(connection.execute(select(table)).all())


def spend_of(store: SqlStore, dimension: str) -> dict[str, int]:
    """Return the nano-dollars of a dimension."""
    return {row.entity: row.spend_nanos for row in rows(store, SPEND) if row.dimension == dimension}


def ledger_days(store: SqlStore) -> dict[SpendKey, SpendSums]:
    """Return the ledger's days."""
    return {SpendKey(row.day, row.dimension, *row[2:5]): SpendSums(*row[5:]) for row in rows(store, SPEND)}


def assert_ledger_agrees(store: SqlStore) -> None:
    """Assert that months are the sums of their days, and that the stored number of rows of each day is right."""
    months: dict[tuple[object, ...], SpendSums] = {}
    counts: dict[tuple[object, ...], int] = {}
    for key, sums in ledger_days(store).items():
        if key.dimension in MONTHLY:
            month = (key.dimension, key.day.replace(day=1), key.entity, key.team_id)
            months.setdefault(month, SpendSums()).add(sums)
        if key.dimension != "team":
            counts[key.dimension, key.day] = counts.get((key.dimension, key.day), 0) + 1
    assert {tuple(row[:4]): SpendSums(*row[4:]) for row in rows(store, SPEND_MONTHS)} == months
    assert {(row.dimension, row.day): row.rows for row in rows(store, SPEND_SIZES)} == counts
