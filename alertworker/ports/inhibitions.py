"""What inhibitions ask, as one transaction sees it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from alertworker.routing.inhibitions import OpenCondition, SourceFilter


class InhibitionPort(Protocol):
    """Open conditions that may suppress other alerts."""

    def open_conditions(self, wanted: SourceFilter, *, shadow: bool) -> Iterable[OpenCondition]:
        """Yield the open conditions that may suppress an alert, in pages, so that a match ends the reading.

        Those of which no channel was notified are left out. Messages suppressed by ``shadow`` count only while it is
        on.
        """
        ...

    def forget_sources(self) -> None:
        """Read open conditions again, because one has changed or its channels are notified."""
        ...
