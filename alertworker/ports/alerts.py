"""Alerts, as one transaction sees them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from alertworker.alerts.alert import Alert, OpenAlert, Subject
from alertworker.alerts.catalogue import AlertType
from alertworker.alerts.suppression import Suppression


class AlertPort(Protocol):
    """Alerts: their generations, and the number of occurrences that messages have counted."""

    def raise_alert(self, alert: Alert, *, next_summary_at: datetime, now: datetime) -> OpenAlert:
        """Open the alert, or add to its open generation, in one statement. Return the row after that.

        An alert of a lower level than the row's is counted, but keeps the row's headline, facts, figures and metadata.
        Empty metadata replaces nothing.
        """
        ...

    def suppress(self, alert_id: str, suppression: Suppression, *, check_again_at: datetime) -> None:
        """Record what suppresses the firing message of a condition, until `record_notified`."""
        ...

    def check_again(self, alert_ids: Sequence[str], *, at: datetime) -> None:
        """Set when to check again whether these conditions are still suppressed."""
        ...

    def defer_channels(self, alert_id: str, channels: Sequence[str]) -> None:
        """Record which channels are mute at this hour and still have to be notified of an open condition."""
        ...

    def deferred_alerts(self, *, after: str, limit: int) -> list[OpenAlert]:
        """Return open conditions that have deferred channels and are not suppressed, locked.

        They are in the order of their fingerprints, from the one after ``after`` on, at most ``limit``.
        """
        ...

    def labelled_alerts(self, label: str, values: Collection[str], types: Iterable[AlertType]) -> Sequence[str]:
        """Return the fingerprints of the open alerts of some types whose label has one of some values."""
        ...

    def relabel(self, alert_id: str, labels: Mapping[str, str]) -> None:
        """Replace the labels of an open alert. Identifying labels must stay as they are."""
        ...

    def record_suppressed(self, alert_id: str, suppression: Suppression) -> None:
        """Record why a message was sent to no channel."""
        ...

    def remind_at(self, alert_id: str, moment: datetime) -> None:
        """Set the time of the next reminder of an open condition, unless it was acknowledged."""
        ...

    def raised(self, fingerprints: Iterable[str]) -> set[str]:
        """Return which of these alerts were ever raised, open or closed."""
        ...

    def still_open(self, alert_ids: Collection[str]) -> set[str]:
        """Return which of these alerts are open."""
        ...

    def find_open(self, fingerprint: str) -> OpenAlert | None:
        """Return the open generation of an alert, locked, or ``None`` if none is open."""
        ...

    def find_all_open(self, fingerprints: Iterable[str]) -> dict[str, OpenAlert]:
        """Return the open generations of these alerts by fingerprint, locked, by at most one statement."""
        ...

    def read_open(self, fingerprints: Collection[str]) -> dict[str, OpenAlert]:
        """Return what `find_all_open` does, without locks."""
        ...

    def last_closed(self, fingerprint: str) -> datetime | None:
        """Return when the newest closed generation was closed, or ``None`` if none was."""
        ...

    def count_openings(self, fingerprint: str, *, since: datetime) -> int:
        """Return how many generations of an alert were opened since then."""
        ...

    def closed_last_at(self, alert_id: str) -> datetime | None:
        """Return when the last occurrence of a closed alert was, ``None`` if the alert is open or unknown."""
        ...

    def count_as_notified(self, alert: OpenAlert, *, next_summary_at: datetime | None, now: datetime) -> None:
        """Record that no message needs to count the occurrences until now, because they were suppressed.

        ``next_summary_at`` of ``None`` leaves the time of the next check as it is.
        An alert about which nothing was sent still counts as not notified.
        """
        ...

    def record_notified(self, alert_id: str, *, count: int, next_summary_at: datetime, now: datetime) -> None:
        """Record how many occurrences messages have counted, and when to check the alert again."""
        ...

    def close(self, alert_id: str, *, count: int, now: datetime, last: Subject | None = None) -> None:
        """Close the alert, with this many occurrences counted, and with its last headline and facts if it has any.

        Its fingerprint may open again.
        """
        ...

    def due_alerts(self, *, limit: int, now: datetime) -> list[OpenAlert]:
        """Return open alerts that are due, and those about hanging calls that have all ended. All are locked.

        There are at most ``limit`` for each reason, the longest overdue first. Alerts of unknown types are left to the
        newer version that raised them.
        """
        ...

    def upcoming_summaries(self, *, until: datetime, limit: int, now: datetime) -> list[OpenAlert]:
        """Return open notices of severity Low whose next summary is due after ``now`` and until then, locked."""
        ...

    def report_unknown_types(self) -> None:
        """Count the open alerts whose type only a newer version knows, and warn about them."""
        ...
