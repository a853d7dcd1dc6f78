"""What the pages work with: the admin store, the ledger reader and the broker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from alertworker.health import HealthReport
from alertworker.ledger.reader import LedgerReader
from alertworker.ports import Broker
from alertworker.store import AdminStore


@dataclass(frozen=True, slots=True)
class PageContext:
    """``examine`` says how the line is, ``channels`` of which kind each channel is; times are shown in ``zone``."""

    desk: AdminStore
    book: LedgerReader
    line: Broker
    examine: Callable[[datetime], HealthReport]
    channels: Mapping[str, str]
    zone: ZoneInfo
