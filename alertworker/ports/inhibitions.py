"""The open conditions that may inhibit others, as one transaction sees them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from alertworker.routing.inhibitions import OpenCondition, SourceFilter


class InhibitionPort(Protocol):
    """Open conditions that may suppress other alerts."""

    def open_conditions(self, wanted: SourceFilter) -> Iterable[OpenCondition]:
        """Yield the open conditions that may suppress an alert, in pages, so that a match ends the reading."""
        ...
