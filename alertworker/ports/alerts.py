"""Alerts, as one transaction sees them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from alertworker.alerts.alert import Alert, OpenAlert
from alertworker.alerts.tables import Attachment


class AlertPort(Protocol):
    """Alerts: their generations, and up to where channels were notified of them."""

    def raise_alert(self, alert: Alert, *, next_summary_at: datetime, now: datetime) -> OpenAlert:
        """Open the alert, or add to its open generation, in one statement; gives the row as it then stands."""
        ...

    def add_members(self, alert_id: str, total: int, members: Sequence[str]) -> None:
        """Keep occurrences by name; ``total`` is the alert's count after they were added."""
        ...

    def members_since(self, alert_id: str, told: int, limit: int) -> tuple[str, ...]:
        """Give the first members that no message has named yet."""
        ...

    def add_parts(self, alert_id: str, parts: Mapping[str, int]) -> None:
        """Add to how an alert's occurrences divide."""
        ...

    def attach(self, alert_id: str, attachments: Sequence[Attachment]) -> None:
        """Keep the files that go with an alert's messages."""
        ...

    def take_parts(self, alert_id: str) -> dict[str, int]:
        """Give how the occurrences divide that no message has divided yet, and count them as told."""
        ...

    def mute(self, alert_id: str, muted_by: str, *, look_again_at: datetime) -> None:
        """Record what mutes a condition of which nobody was told; `told` ends it."""
        ...

    def look_again(self, alert_ids: Sequence[str], *, at: datetime) -> None:
        """Set when to look again at conditions that something still mutes."""
        ...

    def owe(self, alert_id: str, channels: Sequence[str]) -> None:
        """Record which channels are still to be told of an open condition, since they are mute at this hour."""
        ...

    def owing_alerts(self, *, after: str, limit: int) -> list[OpenAlert]:
        """Return open conditions that some were told of, and channels that are owed are not; locked.

        They are in the order of their fingerprints, from the one after ``after`` on, at most ``limit``.
        """
        ...

    def withhold(self, alert_id: str, reason: str) -> None:
        """Record why a message reached nobody."""
        ...

    def remind_at(self, alert_id: str, moment: datetime) -> None:
        """Set when to remind of an open condition, unless it was acknowledged."""
        ...

    def raised(self, fingerprints: Iterable[str]) -> set[str]:
        """Return those of these that were ever raised, open or closed."""
        ...

    def find_open(self, fingerprint: str) -> OpenAlert | None:
        """Give the open generation of an alert, locked."""
        ...

    def last_closed(self, fingerprint: str) -> datetime | None:
        """Give when the newest generation that is over was closed; ``None`` where none is."""
        ...

    def told(self, alert_id: str, *, count: int, next_summary_at: datetime, now: datetime) -> None:
        """Record up to which count the alert was told, and when to look at it again."""
        ...

    def close(self, alert_id: str, *, count: int, now: datetime) -> None:
        """Close the alert, told up to this count."""
        ...

    def due_alerts(self, *, limit: int, now: datetime) -> list[OpenAlert]:
        """Return open alerts that are due (summary, reminder, muted), and hanging ones that are over; locked.

        At most ``limit`` for each of these reasons, those that are due for longest first.
        """
        ...

    def count_members(self, alert_id: str) -> int:
        """Give how many of an alert's occurrences are kept by name."""
        ...
