"""What the routes share: put together once, found on every request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from starlette.requests import Request

from alertworker.pipeline import ChannelTest
from alertworker.web.broker_queue import BrokerQueue
from alertworker.web.cached import CachedHealth
from alertworker.web.decoders import Decoders
from alertworker.web.keys import Keys
from alertworker.web.page_context import PageContext
from alertworker.web.request_body import Room
from alertworker.web.throttle import Throttle


@dataclass(frozen=True, slots=True)
class Context:
    """``outbox`` takes batches to the broker, ``look`` asks how the line is, ``room`` bounds what is received, and
    ``decoders`` how much of it is decoded at once.

    ``office`` is what the pages work with, ``throttle`` bounds the keys that may be tried at their door. With
    ``show_messages`` excerpts of calls' messages stay in what LiteLLM's own alerting says.
    """

    keys: Keys
    outbox: BrokerQueue
    look: CachedHealth
    try_service: Callable[[str, datetime], Sequence[ChannelTest]]
    office: PageContext
    show_messages: bool = False
    room: Room = field(default_factory=Room)
    decoders: Decoders = field(default_factory=Decoders)
    throttle: Throttle = field(default_factory=Throttle)


def context_of(request: Request) -> Context:
    """Give what the application was made with."""
    return cast("Context", request.app.state.context)
