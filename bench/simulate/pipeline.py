"""alertworker itself on a database in memory: ingest, sweep and delivery, with the clock passed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random
from typing import Any, Final
from zoneinfo import ZoneInfo

from alertworker.alerts.message import Message
from alertworker.delivery.channel import Answer, Pace
from alertworker.events import Event
from alertworker.events.batch import WORKER
from alertworker.pipeline import BatchMessage, Runtime, deliver, ingest, sweep
from alertworker.routing.matchers import parse
from alertworker.routing.silences import Silence
from alertworker.settings import Settings
from alertworker.store import AdminStore, SqlStore, make_engine
from alertworker.store.migrations import upgrade

_CHANNEL: Final = "recorder"
#: The share of batches that come twice: a worker died before it acknowledged them.
_REDELIVERED: Final = 0.01


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that was sent, and when: epoch seconds."""

    at: float
    message: Message


class RecordingChannel:
    """A channel that takes every message by itself, and keeps it."""

    name = kind = _CHANNEL
    pace = Pace()
    digest_size = 0
    parallel = 1
    tracks_spend = False
    keeps_open = False
    litellm_service = None

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.now = 0.0

    def takes(self, _message: Message, /) -> bool:
        """Take everything."""
        return True

    def render(self, message: Message) -> str:
        """Return the message as JSON."""
        return message.model_dump_json()

    def send(self, body: str, *, notification_id: str) -> Answer:
        """Keep a message."""
        del notification_id
        self.sent.append(Sent(self.now, Message.model_validate_json(body)))
        return Answer("200")


@dataclass
class RecordingBroker:
    """A broker that hands canaries and wakes to the loop."""

    published: list[Event] = field(default_factory=list)
    woken: list[str] = field(default_factory=list)

    def publish(self, events: Sequence[Event]) -> None:
        """Keep what the sweep publishes: canaries."""
        self.published += events

    def wake(self, channels: Sequence[str]) -> None:
        """Keep which lanes have something due."""
        self.woken += channels

    def resend(self, batch_id: str, events: bytes, encoding: str | None) -> None:
        """Nothing is replayed here."""

    def resend_message(self, message_id: str, body: bytes) -> None:
        """Nothing is replayed here."""


class Pipeline:
    """One worker on default settings; ``settings`` are what a scenario sets otherwise."""

    def __init__(self, settings: Mapping[str, Any], rng: Random, *, split: bool = False) -> None:
        chosen = Settings(**settings)
        self.channel = RecordingChannel()
        self._rng = rng
        self._broker = RecordingBroker()
        self._engine = make_engine("sqlite://")
        upgrade(self._engine)
        self._batches = 0
        self._split = split
        self.runtime = Runtime(
            store=SqlStore(self._engine),
            broker=self._broker,
            channels={_CHANNEL: self.channel},
            router=replace(chosen.router(), receivers={"default": (_CHANNEL,)}),
            inhibitions=chosen.inhibitions,
            policy=chosen.policy(),
            users=chosen.users(),
            zone=ZoneInfo(chosen.time_zone),
            max_entities=chosen.spend_max_entities,
        )

    def silence(self, matchers: Sequence[str], starts_at: float, ends_at: float) -> None:
        """Enter a silence that begins and ends at these epoch seconds."""
        start, end = (datetime.fromtimestamp(one, UTC) for one in (starts_at, ends_at))
        one = Silence(f"silence-{start:%H%M}", tuple(map(parse, matchers)), start, end, "simulation", "maintenance")
        AdminStore(self._engine).add_silence(one, now=start)

    def tick(self, batches: Sequence[bytes], now: float) -> None:
        """Apply what came, sweep, and deliver what is due.

        All processes' events, and the canary of the last sweep, are one batch unless ``split``: a decision does not
        depend on how batches are cut, and a transaction each costs three times as much.
        """
        moment = datetime.fromtimestamp(now, UTC)
        self.channel.now = now
        canaries = [one.model_dump_json().encode() for one in self._broker.published]
        self._broker.published.clear()
        bodies = [*batches, *(b"[" + one + b"]" for one in canaries)]
        for body in bodies if self._split else [b"[" + b",".join(one[1:-1] for one in bodies) + b"]"] * bool(bodies):
            self._take(body, moment)
        sweep(self.runtime, now=moment)
        while self._broker.woken:
            self._broker.woken.clear()
            while deliver(_CHANNEL, self.runtime, now=moment):
                pass

    def _take(self, body: bytes, moment: datetime) -> None:
        """Apply one batch; one in a hundred comes a second time."""
        self._batches += 1
        batch = BatchMessage(f"batch-{self._batches}", body, None, WORKER, moment)
        ingest(batch, self.runtime, now=moment)
        if self._rng.random() < _REDELIVERED:
            ingest(batch, self.runtime, now=moment)

    def close(self) -> None:
        """Forget everything."""
        self._engine.dispose()
