"""The wire contract: the events that producers publish. No logic, no IO."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, FailFast, Field, TypeAdapter

from alertworker.events.admin import Action, AlertRelayed, Entity, EntityChanged
from alertworker.events.attribution import Attribution
from alertworker.events.base import MAX_EVENTS, Event
from alertworker.events.budget import Budget, BudgetScope
from alertworker.events.llm import (
    AbandonReason,
    AttemptFailed,
    CallEvent,
    DeploymentCooledDown,
    EndEvent,
    FailedOn,
    Failure,
    Origin,
    RequestAbandoned,
    RequestAnnounced,
    RequestFailed,
    RequestSucceeded,
)
from alertworker.events.spend import BudgetReported
from alertworker.events.system import Canary, PublisherCounters, PublisherEvent, PublisherHeartbeat, PublisherStopped

_Published = (
    RequestSucceeded
    | RequestFailed
    | RequestAbandoned
    | RequestAnnounced
    | AttemptFailed
    | DeploymentCooledDown
    | EntityChanged
    | AlertRelayed
    | BudgetReported
    | PublisherHeartbeat
    | PublisherStopped
)
#: Every event type that publishers may send. A new type is a class in its family's file and a line above.
PublishedEvent = Annotated[_Published, Field(discriminator="type")]
#: Every event type. Only the workers send a canary.
AnyEvent = Annotated[_Published | Canary, Field(discriminator="type")]

_CONFIG = ConfigDict(hide_input_in_errors=True)

#: Validates one event from JSON bytes or from a mapping.
EVENT: TypeAdapter[Any] = TypeAdapter(AnyEvent, config=_CONFIG)
#: Validates a whole batch at once, and stops at the first invalid event.
EVENTS: TypeAdapter[list[Any]] = TypeAdapter(
    Annotated[list[AnyEvent], FailFast(), Field(max_length=MAX_EVENTS)], config=_CONFIG
)

__all__ = [
    "EVENT",
    "EVENTS",
    "AbandonReason",
    "Action",
    "AlertRelayed",
    "AnyEvent",
    "AttemptFailed",
    "Attribution",
    "Budget",
    "BudgetReported",
    "BudgetScope",
    "CallEvent",
    "Canary",
    "DeploymentCooledDown",
    "EndEvent",
    "Entity",
    "EntityChanged",
    "Event",
    "FailedOn",
    "Failure",
    "Origin",
    "PublishedEvent",
    "PublisherCounters",
    "PublisherEvent",
    "PublisherHeartbeat",
    "PublisherStopped",
    "RequestAbandoned",
    "RequestAnnounced",
    "RequestFailed",
    "RequestSucceeded",
]
