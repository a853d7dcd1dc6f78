"""The pipeline's own moments, as one transaction sees them."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from alertworker.alerts.catalogue import AlertType
from alertworker.reports import ReportKind


class Clock(StrEnum):
    """The moments that all workers share, by the names of their rows. `reported` and `last_change` name the others."""

    CANARY_SENT = "canary_sent"  #: when the newest canary was sent
    CANARY_ARRIVED = "canary_arrived"  #: when the newest canary that came back had been sent
    HEARTBEAT_PINGED = "heartbeat_pinged"
    DEFERRED_CHECKED = "owed_looked_at"  #: the minute in which deferred channels were last looked for
    PRUNED = "pruned"
    USERS_CHECKED = "users_looked_at"
    USERS_PIECE = "users_piece"  #: when a piece of a look at users was last begun
    ZONE_CHECKED = "zone_looked_at"
    UNKNOWN_TYPES_CHECKED = "unknown_types_looked_at"


def reported(kind: ReportKind) -> str:
    """Return the name of the moment up to which a kind of report was sent."""
    return f"reported_{kind.value}"


def last_change(alert_type: AlertType) -> str:
    """Return the name of the moment of the newest change that the callback itself reported as this type."""
    return f"told {alert_type.value}"


class ClockPort(Protocol):
    """Named moments of the pipeline, which several workers share. They never go back."""

    def advance(self, name: str, at: datetime) -> None:
        """Move a moment forward."""
        ...

    def read(self, name: str) -> datetime | None:
        """Return a moment; ``None`` if it was never set."""
        ...

    def claim_every(self, name: str, *, every: timedelta, now: datetime) -> bool:
        """Move a moment to now if it is at least ``every`` ago; false where another worker did so since."""
        ...

    def claim_later(self, name: str, at: datetime) -> bool:
        """Move a moment forward, in one statement; false where it is as late already."""
        ...
