"""Why an alert, or a message about it, was sent to no receiver."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final


class SuppressionReason(StrEnum):
    """Why a message was suppressed. The set is closed, because it is a metric's label."""

    SILENCE = "silence"
    ALERT = "alert"  #: an open alert that inhibits this one
    TIME = "time"  #: the time intervals of its routes
    COVERED = "covered"  #: another alert reports the same
    HELD = "held"  #: for a moment, because an outage that says more may follow
    RISING = "rising"  #: for a moment, because its severity may become High
    NO_ROUTE = "no route"  #: no route leads to a channel
    NOT_TAKEN = "not taken"  #: none of its channels accepts such a message
    OTHER = "other"  #: a reason that only a newer version knows


#: The reasons that end at a known time, and not because of another alert.
TIMED: Final = frozenset({SuppressionReason.SILENCE, SuppressionReason.TIME})
#: The reasons for which a condition waits a moment before channels are notified of it.
WAITING: Final = frozenset({SuppressionReason.HELD, SuppressionReason.RISING})

#: The first word of a row with each reason. The rest names what suppresses.
_NAMING: Final = {
    SuppressionReason.SILENCE: "silence ",
    SuppressionReason.ALERT: "alert ",
    SuppressionReason.COVERED: "covered by ",
    SuppressionReason.HELD: "held until ",
    SuppressionReason.RISING: "rising until ",
}
#: The whole string of a row with each of the other reasons.
_PLAIN: Final = {
    SuppressionReason.TIME: "time",
    SuppressionReason.NO_ROUTE: "no route",
    SuppressionReason.NOT_TAKEN: "not taken by its channels",
}


@dataclass(frozen=True, slots=True)
class Suppression:
    """The reason for which an alert is suppressed.

    ``by`` is the id of the silence or of the alert, or the name of the covering alert. For an alert that waits it is
    the time of the end. Rows hold the suppression as a string, which older and newer versions read, too. ``by`` is the
    whole string if the reason is unknown, so reading and writing never changes such a row.
    """

    reason: SuppressionReason
    by: str = ""

    def __str__(self) -> str:
        """Return the string of a row.

        >>> str(Suppression(SuppressionReason.SILENCE, "7")), str(Suppression(SuppressionReason.TIME))
        ('silence 7', 'time')
        """
        if self.reason is SuppressionReason.OTHER:
            return self.by
        return _PLAIN.get(self.reason) or f"{_NAMING[self.reason]}{self.by}"

    @property
    def until(self) -> datetime | None:
        """The time until when the alert waits a moment, ``None`` for any other reason."""
        return datetime.fromisoformat(self.by) if self.reason in WAITING else None

    @classmethod
    def held(cls, until: datetime) -> Suppression:
        """Return the suppression of an alert that is held until a time."""
        return cls(SuppressionReason.HELD, until.isoformat())

    @classmethod
    def rising(cls, until: datetime) -> Suppression:
        """Return the suppression of an alert whose severity may become High until a time."""
        return cls(SuppressionReason.RISING, until.isoformat())

    @classmethod
    def parse(cls, text: str) -> Suppression:
        """Read the string of a row.

        >>> Suppression.parse("alert 7").reason, Suppression.parse("quota 7").by
        (<SuppressionReason.ALERT: 'alert'>, 'quota 7')
        """
        for reason, start in _NAMING.items():
            if text.startswith(start):
                return cls(reason, text.removeprefix(start))
        reason = next((reason for reason, whole in _PLAIN.items() if whole == text), SuppressionReason.OTHER)
        return cls(reason, text if reason is SuppressionReason.OTHER else "")
