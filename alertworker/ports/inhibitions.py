"""The open conditions that may inhibit others, as one transaction sees them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from alertworker.routing.inhibitions import OpenCondition, SourceFilter


class InhibitionPort(Protocol):
    """Open conditions that may suppress other alerts."""

    def open_conditions(self, wanted: SourceFilter) -> Iterable[OpenCondition]:
        """Yield the open conditions that may suppress an alert, in pages, so that a match ends the reading."""
        ...

    def conditions_at(self, wanted: SourceFilter, moment: datetime) -> Iterable[OpenCondition]:
        """Return closed conditions that may suppress an alert, had begun at this moment and were open then."""
        ...
