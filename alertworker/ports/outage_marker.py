"""A marker outside the database, by which one host knows that an outage of the database was notified."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Marker:
    """A notified alert that is not in the database: the start of its outage, and its id."""

    since: datetime
    alert_id: str


class OutageMarker(Protocol):
    """A place for one marker, which one host keeps outside the database."""

    def put(self, marker: Marker) -> bool:
        """Write the marker. Return false if a marker exists already."""
        ...

    def take(self) -> Marker | None:
        """Remove the marker and return it. Return ``None`` without a marker, or while it cannot be removed."""
        ...
