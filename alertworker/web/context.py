"""The context that all routes share. It is built once and attached to the application."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from starlette.requests import Request

from alertworker.pipeline import ChannelTest
from alertworker.store import HealthSnapshot
from alertworker.web.broker_queue import BrokerQueue
from alertworker.web.cached import CachedHealth
from alertworker.web.cardinality import CardinalityBound
from alertworker.web.counts import Counts
from alertworker.web.decoders import Decoders
from alertworker.web.event_rate import EventRate
from alertworker.web.keys import Keys
from alertworker.web.page_context import PageContext
from alertworker.web.request_body import MemoryBudget


@dataclass(frozen=True, slots=True)
class Context:
    """``room`` bounds the memory of request bodies, and ``decoders`` the number that are decoded at once.

    ``pages`` is the context of the pages. With ``show_messages`` the relay keeps excerpts of calls' messages in
    LiteLLM's alerts. ``refused_keys`` counts keys that were refused. ``hosts`` are the names under which the server
    answers, ``None`` for all. ``event_rate`` bounds the events of each address, and ``names`` the distinct names in
    them. ``other_names`` counts the names above that bound.
    """

    keys: Keys
    broker_queue: BrokerQueue
    health: CachedHealth
    try_service: Callable[[str, datetime], Sequence[ChannelTest]]
    pages: PageContext
    show_messages: bool = False
    room: MemoryBudget = field(default_factory=MemoryBudget)
    decoders: Decoders = field(default_factory=Decoders)
    refused_keys: Counts | None = None
    hosts: frozenset[str] | None = None
    event_rate: EventRate = field(default_factory=lambda: EventRate(0))
    names: CardinalityBound = field(default_factory=lambda: CardinalityBound(0))
    other_names: Counts | None = None

    def broken(self, snapshot: HealthSnapshot) -> dict[str, float]:
        """Return the configured channels that are broken. A channel that was removed stays broken in the store."""
        return {name: seconds for name, seconds in snapshot.broken.items() if name in self.pages.channels}


def context_of(request: Request) -> Context:
    """Return the context of the application that serves this request."""
    return cast("Context", request.app.state.context)
