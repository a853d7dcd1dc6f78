"""The statuses of a notification, and the changes between them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple


class NotificationStatus(StrEnum):
    """The status of a notification."""

    PENDING = "pending"  #: to be attempted, for the first time or again
    SENT = "sent"  #: the receiver has it
    DEAD = "dead"  #: no further retry; there is a dead letter, unless it is a test
    MERGED = "merged"  #: another notification contains it
    DROPPED = "dropped"  #: out of date, or withdrawn


class StatusChange(StrEnum):
    """A change of a notification's status."""

    DELIVER = "deliver"  #: the receiver accepted it
    RETRY = "retry"  #: an attempt failed, and a later one may succeed
    GIVE_UP = "give up"  #: an attempt failed for good, or the deadline has passed
    MERGE = "merge"  #: it becomes part of another message
    DROP = "drop"  #: it is out of date, or was withdrawn
    REPLAY = "replay"  #: a person replays its dead letter


class DropReason(StrEnum):
    """Why a notification was dropped."""

    STALE = "stale"  #: a reminder behind which a newer message waits
    WITHDRAWN = "withdrawn"  #: a test message that was not sent in time, or the end of a refused one


class Transition(NamedTuple):
    """The status before a change, and after it."""

    before: NotificationStatus
    after: NotificationStatus


_PENDING: Final = NotificationStatus.PENDING
#: Each change applies to one status only. In any other status it does nothing, so a late worker cannot change a settled
#: notification.
TRANSITIONS: Final[Mapping[StatusChange, Transition]] = {
    StatusChange.DELIVER: Transition(_PENDING, NotificationStatus.SENT),
    StatusChange.RETRY: Transition(_PENDING, _PENDING),
    StatusChange.GIVE_UP: Transition(_PENDING, NotificationStatus.DEAD),
    StatusChange.MERGE: Transition(_PENDING, NotificationStatus.MERGED),
    StatusChange.DROP: Transition(_PENDING, NotificationStatus.DROPPED),
    StatusChange.REPLAY: Transition(NotificationStatus.DEAD, _PENDING),
}
#: The statuses of notifications that no worker attempts any more.
SETTLED: Final = tuple(sorted(set(NotificationStatus) - {_PENDING}))
#: The statuses of notifications that the receiver never gets, neither by themselves nor within another message.
UNDELIVERED: Final = (NotificationStatus.DEAD, NotificationStatus.DROPPED)
