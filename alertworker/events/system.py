"""What the line says about itself: publishers' heartbeats and goodbyes, and the canary."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from alertworker.events.base import FEW, NAMED, Count, Event, Moment, Name


class PublisherCounters(BaseModel):
    """What one publisher did since its process started; every figure only grows."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    published: Count = 0
    sent: Count = 0
    spooled: Count = 0
    replayed: Count = 0
    #: Events that are gone, by reason: "buffer_full", "spool_full", "spool_lost", "spool_unwritable", "invalid" or
    #: "refused".
    dropped: Annotated[dict[Name, Count], Field(max_length=16, json_schema_extra=NAMED), FEW] = Field(
        default_factory=dict
    )


class PublisherEvent(Event):
    """One publisher's state. ``boot_id`` is new for every process; ``occurred_at`` is its clock."""

    boot_id: Name
    host: Name
    pid: Count
    version: Name
    started_at: Moment
    #: What publishes through it: "litellm" for the proxy's callback.
    integration: Name | None = None
    counters: PublisherCounters = Field(default_factory=PublisherCounters)


class PublisherHeartbeat(PublisherEvent):
    """A publisher lives. ``backlog`` is what it has sealed or spooled and not yet handed to the broker, in events."""

    type: Literal["publisher.heartbeat"] = "publisher.heartbeat"
    backlog: Count = 0
    inflight: Count = 0
    interval_seconds: float = Field(default=10.0, gt=0, le=3_600)


class PublisherStopped(PublisherEvent):
    """A publisher said goodbye: nothing more will come from this process."""

    type: Literal["publisher.stopped"] = "publisher.stopped"
    unsent: Count = 0


class Canary(Event):
    """Sent by the sweep through the broker to itself: its arrival proves that the line flows."""

    type: Literal["system.canary"] = "system.canary"
