"""The states of a notification, and every change that leads from one to another."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple


class NotificationStatus(StrEnum):
    """What a notification's row says of it."""

    PENDING = "pending"  #: to be attempted, for the first time or again
    SENT = "sent"  #: the receiver has it
    DEAD = "dead"  #: nobody will retry it; there is a dead letter
    MERGED = "merged"  #: another notification says it, too
    DROPPED = "dropped"  #: nobody needs it any more


class StatusChange(StrEnum):
    """What can happen to a notification."""

    DELIVER = "deliver"  #: the receiver took it
    RETRY = "retry"  #: an attempt failed, and a later one may succeed
    GIVE_UP = "give up"  #: an attempt failed for good, or the deadline has passed
    MERGE = "merge"  #: it becomes part of another message
    DROP = "drop"  #: it is out of date, or was withdrawn
    REPLAY = "replay"  #: a person wants it sent after all


class DropReason(StrEnum):
    """Why a notification was dropped."""

    STALE = "stale"  #: a reminder, and something newer waits
    WITHDRAWN = "withdrawn"  #: a test message whose time is over


class Transition(NamedTuple):
    """The status before a change, and after it."""

    before: NotificationStatus
    after: NotificationStatus


_PENDING: Final = NotificationStatus.PENDING
#: Each change happens in one status. A change of a row in another one changes nothing: what is settled stays settled,
#: whichever worker comes late.
TRANSITIONS: Final[Mapping[StatusChange, Transition]] = {
    StatusChange.DELIVER: Transition(_PENDING, NotificationStatus.SENT),
    StatusChange.RETRY: Transition(_PENDING, _PENDING),
    StatusChange.GIVE_UP: Transition(_PENDING, NotificationStatus.DEAD),
    StatusChange.MERGE: Transition(_PENDING, NotificationStatus.MERGED),
    StatusChange.DROP: Transition(_PENDING, NotificationStatus.DROPPED),
    StatusChange.REPLAY: Transition(NotificationStatus.DEAD, _PENDING),
}
#: What no worker attempts any more.
SETTLED: Final = tuple(sorted(set(NotificationStatus) - {_PENDING}))
#: What its receiver never gets, neither by itself nor within another message.
UNDELIVERED: Final = (NotificationStatus.DEAD, NotificationStatus.DROPPED)
