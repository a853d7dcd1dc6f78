"""The context that the pages share: the admin store, the ledger reader and the broker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from alertworker.delivery.channel_labels import ChannelLabels
from alertworker.health import HealthReport
from alertworker.ledger.reader import LedgerReader
from alertworker.ports import Broker
from alertworker.ports.sessions import SessionPort
from alertworker.routing.router import Router
from alertworker.store import AdminStore


@dataclass(frozen=True, slots=True)
class PageContext:
    """``examine`` returns the health report. ``channels`` maps channels to kinds, and ``labels`` are how people see
    them. ``zone`` is for displayed times.

    ``router`` has the operator's annotations of routes and alert types.
    """

    admin: AdminStore
    sessions: SessionPort
    ledger: LedgerReader
    broker: Broker
    examine: Callable[[datetime], HealthReport]
    channels: Mapping[str, str]
    labels: ChannelLabels
    zone: ZoneInfo
    router: Router
