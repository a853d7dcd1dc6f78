"""Announced calls, as one transaction sees them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from alertworker.events import RequestAnnounced


class HangingPort(Protocol):
    """Calls that were announced as still running, and how they ended."""

    def announce_calls(self, calls: Sequence[RequestAnnounced]) -> set[str]:
        """Track announced calls; gives the ids of those that are new and have not ended."""
        ...

    def attach_calls(self, call_ids: Iterable[str], alert_id: str) -> None:
        """Say which alert speaks for these calls."""
        ...

    def end_calls(self, calls: Mapping[str, tuple[str, datetime]]) -> None:
        """Record outcome and end per call id; also for calls whose announcement is still on its way."""
        ...
