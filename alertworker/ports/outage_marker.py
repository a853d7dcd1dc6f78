"""A note outside the database, by which one host knows that an outage of the database was notified."""

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
    """A place for one note, which one host keeps outside the database."""

    def put(self, note: Marker) -> bool:
        """Write the note; false where one is written already."""
        ...

    def take(self) -> Marker | None:
        """Take the note away and read it; ``None`` where there is none."""
        ...
