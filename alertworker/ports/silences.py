"""Silences, as one transaction sees them."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from alertworker.routing.silences import Silence


class SilencePort(Protocol):
    """The silences in force."""

    def silences(self, *, now: datetime) -> list[Silence]:
        """Return the silences that are in force."""
        ...

    def silences_since(self, start: datetime, *, now: datetime) -> list[Silence]:
        """Return the silences that are in force, or were at some time after ``start``."""
        ...
