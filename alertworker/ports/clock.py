"""The pipeline's clocks, as one transaction sees them."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from alertworker.alerts.catalogue import AlertType
from alertworker.reports import ReportKind

#: The beginning of the names that `failure_clock` returns.
FAILED: Final = "failed "
#: For how long after its last failure a step counts as failing. Some steps do their work once an hour.
FAILING: Final = timedelta(minutes=70)


class Clock(StrEnum):
    """The names of the clocks that all workers share.

    `report_clock`, `failure_clock` and `change_clock` return further names.
    """

    CANARY_SENT = "canary_sent"  # when the newest canary was sent
    CANARY_ARRIVED = "canary_arrived"  # when the newest canary that has returned was sent
    HEARTBEAT_PINGED = "heartbeat_pinged"
    DEFERRED_CHECKED = "owed_looked_at"  # the minute in which deferred channels were last checked
    PRUNED = "pruned"
    USERS_CHECKED = "users_looked_at"
    USERS_PIECE = "users_piece"  #: when a piece of a check of users was last begun
    ZONE_CHECKED = "zone_looked_at"
    PUBLISHERS_JUDGED = "publishers_judged"  # when a lost publisher was last judged; also the lock of that judgement
    UNKNOWN_TYPES_CHECKED = "unknown_types_looked_at"


def report_clock(kind: ReportKind) -> str:
    """Return the name of the clock up to which reports of a kind were sent."""
    return f"reported_{kind.value}"


def failure_clock(step: str) -> str:
    """Return the name of the clock of the last failure of a periodic task's step."""
    return f"{FAILED}{step}"


def change_clock(alert_type: AlertType) -> str:
    """Return the name of the clock of the newest change that the callback itself reported as this type."""
    return f"told {alert_type.value}"


class ClockPort(Protocol):
    """Named times of the pipeline that several workers share. They never go back."""

    def advance(self, name: str, at: datetime) -> None:
        """Move a clock forward."""
        ...

    def read(self, name: str) -> datetime | None:
        """Return a clock's time, or ``None`` if it was never set."""
        ...

    def claim_every(self, name: str, *, every: timedelta, now: datetime) -> bool:
        """Move a clock to now if its time is at least ``every`` ago. Return false if another worker did so since."""
        ...

    def claim_later(self, name: str, at: datetime) -> bool:
        """Move a clock forward, in one statement. Return false if it is not earlier than ``at``."""
        ...
