"""The open conditions that may inhibit others, as one transaction sees them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Protocol

from alertworker.alerts.catalogue import AlertType
from alertworker.routing.inhibitions import OpenCondition, SourceFilter


class InhibitionPort(Protocol):
    """Open conditions that may suppress other alerts."""

    def open_conditions(
        self, wanted: SourceFilter, *, channels: Collection[str], shadow: bool
    ) -> Iterable[OpenCondition]:
        """Yield the open conditions that may suppress an alert, in pages, so that a match ends the reading.

        A condition is left out if none of these channels was notified of it. It is kept if another alert suppresses it,
        or if it waits for a moment. Messages suppressed by ``shadow`` count only while it is on.
        """
        ...

    def forget_sources(self) -> None:
        """Read open conditions again, because one has changed or its channels are notified."""
        ...

    def conditions_of(self, types: Collection[AlertType]) -> Iterable[OpenCondition]:
        """Return the open conditions of these types, without their channels, whether or not a channel was notified."""
        ...

    def conditions_at(self, wanted: SourceFilter, moment: datetime, *, shadow: bool) -> Iterable[OpenCondition]:
        """Return closed conditions that may suppress an alert, had begun at this moment and were open then."""
        ...
