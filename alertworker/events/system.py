"""The pipeline's events about itself: heartbeats and clean shutdowns of publishers, and the canary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from alertworker.events.base import FEW, MAX_COUNT, NAMED, Count, Event, Moment, Name

#: Why a publisher drops events. An earlier version also had "shutdown".
DROP_REASONS: Final = frozenset(
    {"buffer_full", "spool_full", "spool_lost", "spool_unwritable", "invalid", "refused", "shutdown"}
)
#: Stands for every other reason: reasons come from producers, and each one is a row in the store and on pages.
OTHER_REASON: Final = "(other)"


def by_known_reason(dropped: Mapping[str, int]) -> dict[str, int]:
    """Return counts of dropped events with all unknown reasons added up as one.

    >>> by_known_reason({"invalid": 1, "bored": 2, "tired": 3})
    {'invalid': 1, '(other)': 5}
    """
    known = {reason: count for reason, count in dropped.items() if reason in DROP_REASONS}
    rest = sum(count for reason, count in dropped.items() if reason not in DROP_REASONS)
    return known | ({OTHER_REASON: min(rest, MAX_COUNT)} if rest else {})


class PublisherCounters(BaseModel):
    """Counters of one publisher since its process started. They never decrease."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    published: Count = 0
    sent: Count = 0
    spooled: Count = 0
    replayed: Count = 0
    #: Dropped events, by reason: one of `DROP_REASONS`, or `OTHER_REASON`.
    dropped: Annotated[
        dict[Name, Count], Field(max_length=16, json_schema_extra=NAMED), FEW, AfterValidator(by_known_reason)
    ] = Field(default_factory=dict)


class PublisherEvent(Event):
    """One publisher's state. ``boot_id`` is new for every process. ``occurred_at`` is by the publisher's clock."""

    boot_id: Name
    host: Name
    pid: Count
    version: Name
    started_at: Moment
    #: The software that uses the publisher: "litellm" for the proxy's callback.
    integration: Name | None = None
    counters: PublisherCounters = Field(default_factory=PublisherCounters)


class PublisherHeartbeat(PublisherEvent):
    """A publisher is running. ``backlog`` is the number of its events that the broker does not have yet."""

    type: Literal["publisher.heartbeat"] = "publisher.heartbeat"
    backlog: Count = 0
    inflight: Count = 0
    interval_seconds: float = Field(default=10.0, gt=0, le=3_600)


class PublisherStopped(PublisherEvent):
    """A publisher shut down cleanly. Its process publishes no more events."""

    type: Literal["publisher.stopped"] = "publisher.stopped"
    unsent: Count = 0


class Canary(Event):
    """An event that the sweep sends through the broker to itself. Its return proves that the pipeline works."""

    type: Literal["system.canary"] = "system.canary"
