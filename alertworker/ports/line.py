"""The broker, and a note outside the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from alertworker.events import Event


class Line(Protocol):
    """The broker, as the core sees it: it carries and wakes, it never decides."""

    def publish(self, events: Sequence[Event]) -> None:
        """Send events through the broker as a producer would.

        Raises:
            LineUnavailable: when the broker cannot be reached; nothing was promised.
        """
        ...

    def resend(self, batch_id: str, events: bytes, encoding: str | None) -> None:
        """Send a batch's events as they are, under this id.

        Raises:
            LineUnavailable: when the broker cannot be reached.
        """
        ...

    def wake(self, channels: Sequence[str]) -> None:
        """Have the lanes of these channels looked at soon; a lost wake is made up for by the next tick."""
        ...


@dataclass(frozen=True, slots=True)
class Marker:
    """That an alert was told which is in no database: since when what it tells of holds, and its id."""

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
