"""Announced calls, as one transaction sees them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from alertworker.events import RequestAnnounced


class CallOutcome(StrEnum):
    """How an announced call ended, as messages show it."""

    FINISHED = "finished"
    FAILED = "failed"
    ABANDONED = "abandoned"
    PROXY_GONE = "proxy gone"


class HangingPort(Protocol):
    """Calls that were announced as still running, and how they ended."""

    def announce_calls(self, calls: Sequence[RequestAnnounced]) -> set[str]:
        """Store announced calls. Return the ids of those that are new and have not ended."""
        ...

    def attach_calls(self, call_ids: Iterable[str], alert_id: str) -> None:
        """Record which alert is about these calls."""
        ...

    def oldest_hanging(self, alert_id: str) -> datetime | None:
        """Return when the longest-running call of an alert was announced, ``None`` if all have ended."""
        ...

    def end_calls(self, calls: Mapping[str, tuple[CallOutcome, datetime]]) -> None:
        """Record outcome and end of each call, also if its announcement has not arrived yet."""
        ...
