"""The pipeline's own moments, as one transaction sees them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol


class ClockPort(Protocol):
    """Named moments of the pipeline, which several workers share."""

    def mark_line(self, name: str, at: datetime) -> None:
        """Move a named moment of the line forward, never back."""
        ...

    def claim_moment(self, name: str, at: datetime) -> bool:
        """Move a named moment forward, in one statement; false where it is as late already."""
        ...

    def claim_tick(self, name: str, *, every: timedelta, now: datetime) -> bool:
        """Move a named moment to now, if it is as long ago as that; false where another did so within that time."""
        ...

    def line(self, name: str) -> datetime | None:
        """Give a named moment of the line."""
        ...
