"""The log of the publisher's problems: each problem once, since a publisher without a broker must not fill the log."""

from __future__ import annotations

import logging

_log = logging.getLogger(__name__)


class Problems:
    """Logs each problem once until `forget` is called."""

    def __init__(self) -> None:
        self._logged: set[str] = set()

    def warn(self, problem: str) -> None:
        """Log a problem unless it is already known."""
        if problem not in self._logged:
            self._logged.add(problem)
            _log.warning("alertworker: %s; see the publisher's counters", problem)

    def forget(self) -> None:
        """Log problems again, since publishing works again."""
        self._logged.clear()
