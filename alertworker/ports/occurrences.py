"""Occurrences of alerts, as one transaction sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from alertworker.alerts.tables import Attachment


class OccurrencePort(Protocol):
    """The occurrences of alerts: their names, their numbers by team, and the files of an alert."""

    def add_members(self, alert_id: str, total: int, members: Sequence[str]) -> None:
        """Store the names of occurrences. ``total`` is the alert's count after they were added."""
        ...

    def members_since(self, alert_id: str, position: int, limit: int) -> tuple[str, ...]:
        """Return the first members from a position on: the number of occurrences that messages have counted."""
        ...

    def add_parts(self, alert_id: str, parts: Mapping[str, int]) -> None:
        """Add to the number of an alert's occurrences by team."""
        ...

    def attach(self, alert_id: str, attachments: Sequence[Attachment]) -> None:
        """Store the files that belong to an alert's messages."""
        ...

    def take_parts(self, alert_id: str) -> dict[str, int]:
        """Return the occurrences by team that no message has counted yet, and mark them as counted."""
        ...

    def count_members(self, alert_id: str) -> int:
        """Return how many of an alert's occurrences are stored by name."""
        ...
