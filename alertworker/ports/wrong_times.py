"""Times that a host with a wrong clock has stored, as one transaction sees them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Protocol

#: How far a stored time may be in the future. The clocks of hosts, and of the database, differ by less.
AHEAD: Final = timedelta(minutes=5)


class WrongTimesPort(Protocol):
    """Corrects what a host whose clock was ahead has stored."""

    def set_back(self, *, now: datetime) -> bool:
        """Set times that are in the future back to now, if a canary was sent in the future. Return whether one was.

        Sums of calls in the future are deleted: they would count once their time comes. Nothing is changed unless
        the database's clock, too, says that the canary was sent in the future.
        """
        ...
