"""Silences, as one transaction sees them."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from alertworker.routing.silences import Silence


class SilencePort(Protocol):
    """The silences in force."""

    def current(self, *, now: datetime) -> list[Silence]:
        """Return the silences that are in force."""
        ...

    def ended(self, since: datetime, *, now: datetime) -> list[Silence]:
        """Return the silences that ended after ``since``."""
        ...
