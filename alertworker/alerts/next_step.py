"""The sweep's decision about an alert that is due. Pure: from the alert and the time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from alertworker.alerts.alert import OpenAlert
from alertworker.alerts.catalogue import AlertKind, AlertType, OutageScope
from alertworker.alerts.intervals import LONGEST, may_close


class NextStep(StrEnum):
    """The decision about an alert that is due."""

    RESOLVE = "resolve"  # a condition is over: send its resolution to every notified channel, and close it
    NOTIFY_FIRING = "notify firing"  # it was suppressed: notify that it fires, unless it is still suppressed
    SUMMARIZE = "summarize"  #: it happened again since the last message
    CLOSE = "close"  # a notice without another occurrence, or without enough: no message
    REMIND = "remind"
    REMIND_OF_BUDGET = "remind of budget"  # only if money was spent since the last message
    REMIND_OF_OUTAGE = "remind of outage"  # later, while a flapping target is well
    WAIT = "wait"  # it happened again, but too seldom for a message
    CHECK_LATER = "check later"  # nothing to do for another group interval


#: The reminders of conditions whose figures change while they fire. The others' alerts hold everything.
_REMINDERS: Final[Mapping[AlertType, NextStep]] = {
    AlertType.BUDGET_ALERTS: NextStep.REMIND_OF_BUDGET,
    AlertType.OUTAGE_ALERTS: NextStep.REMIND_OF_OUTAGE,
    AlertType.REGION_OUTAGE_ALERTS: NextStep.REMIND_OF_OUTAGE,
}
#: Conditions whose reminders show the number of occurrences, so they have no summaries. Outages and lost publishers
#: also rise when they become worse.
WITHOUT_SUMMARIES: Final = frozenset(
    {
        AlertType.OUTAGE_ALERTS,
        AlertType.REGION_OUTAGE_ALERTS,
        AlertType.CALLER_ERRORS,
        AlertType.PUBLISHER_LOST,
        AlertType.PUBLISHER_SILENT,
    }
)
#: A summary of cooldowns needs at least this many, and one of them within the last minute. Any short burst of rate
#: limits causes a few, and a burst that is over needs no person. Otherwise cooldowns wait for more, or for a pause of
#: `_QUIET`.
_MIN_COOLDOWNS: Final = 5
_GOING_ON: Final = timedelta(minutes=1)
_QUIET: Final = timedelta(minutes=5)
#: Trouble that has ended is summed up before its interval is over if it has at least this many occurrences.
_MIN_ENDED: Final = 5
#: The number of messages that may be sent about such trouble, and the number of further messages an hour.
_MESSAGES: Final = 2
_MORE_AN_HOUR: Final = 2


def next_step(alert: OpenAlert, now: datetime, *, is_explained: bool = False, is_early: bool = False) -> NextStep:
    """Return what to do with an open alert that is due. The first rule that applies wins.

    ``is_explained`` is true if chance or another alert explains the occurrences since the last message. ``is_early`` is
    true while the interval until the next summary is not over.
    """
    if is_over(alert):
        return NextStep.RESOLVE
    if alert.suppression is not None:
        return NextStep.NOTIFY_FIRING
    if (step := _further(alert, now, is_explained=is_explained, is_early=is_early)) is not None:
        return step
    if alert.kind is AlertKind.NOTICE:
        return NextStep.CLOSE if may_close(alert, now) else NextStep.CHECK_LATER
    if alert.repeat_at is not None and alert.repeat_at <= now:
        return _reminder(alert)
    return NextStep.CHECK_LATER


def _further(alert: OpenAlert, now: datetime, *, is_explained: bool, is_early: bool) -> NextStep | None:
    """Return what to do about the occurrences that no message has counted, ``None`` if there is nothing to do."""
    more = 0 if alert.type in WITHOUT_SUMMARIES else alert.count - alert.notified_count
    if not more:
        return None
    pause = now - alert.last_at
    if is_explained:
        is_long_ago = alert.notified_at is not None and now - alert.notified_at >= LONGEST
        return None if is_long_ago or may_close(alert, now) else NextStep.WAIT
    if is_early and (more < _MIN_ENDED or pause < _QUIET or not _may_send(alert, now)):
        return NextStep.WAIT
    if alert.type is not AlertType.COOLDOWN_DEPLOYMENT or (more >= _MIN_COOLDOWNS and pause < _GOING_ON):
        return NextStep.SUMMARIZE
    return NextStep.WAIT if pause < _QUIET else None


def _may_send(alert: OpenAlert, now: datetime) -> bool:
    """Return whether fewer messages were sent about an alert than trouble of its age may have."""
    return alert.summaries < _MESSAGES + _MORE_AN_HOUR * ((now - alert.first_at) / timedelta(hours=1))


def _reminder(alert: OpenAlert) -> NextStep:
    if alert.labels.get("scope") == OutageScope.CREDENTIAL:
        return NextStep.REMIND  # every refused call renews its facts
    return _REMINDERS.get(alert.type, NextStep.REMIND)


def is_over(alert: OpenAlert) -> bool:
    """Return whether all calls of a hanging condition have ended. Other conditions are closed by what ends them."""
    return alert.type is AlertType.LLM_REQUESTS_HANGING and alert.kind is AlertKind.CONDITION and not alert.running
