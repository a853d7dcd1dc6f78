"""The sweep's decision about an alert that is due. Pure: from the alert and the time."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

from alertworker.alerts.alert import OpenAlert
from alertworker.alerts.catalogue import AlertType, Kind


class NextStep(StrEnum):
    """The decision about an alert that is due."""

    RESOLVE = "resolve"  # a condition is over: send its resolution to everybody who was notified, and close it
    NOTIFY_FIRING = "notify firing"  # it was suppressed: notify that it fires, unless it is still suppressed
    SUMMARIZE = "summarize"  #: it happened again since the last message
    CLOSE = "close"  # a notice without another occurrence: no message
    REMIND = "remind"
    REMIND_OF_BUDGET = "remind of budget"  # only if money was spent since the last message
    CHECK_LATER = "check later"  # nothing to do for another group interval


#: Conditions that rise when they become worse. Their reminders show the number of occurrences, so they have no
#: summaries.
_WITHOUT_SUMMARIES: Final = frozenset({AlertType.OUTAGE_ALERTS, AlertType.REGION_OUTAGE_ALERTS})


def next_step(alert: OpenAlert, now: datetime) -> NextStep:
    """Return what to do with an open alert that is due. The first rule that applies wins."""
    if is_over(alert):
        return NextStep.RESOLVE
    if alert.suppression is not None:
        return NextStep.NOTIFY_FIRING
    if alert.count > alert.notified_count and alert.type not in _WITHOUT_SUMMARIES:
        return NextStep.SUMMARIZE
    if alert.kind is Kind.NOTICE:
        return NextStep.CLOSE
    if alert.repeat_at is not None and alert.repeat_at <= now:
        return NextStep.REMIND_OF_BUDGET if alert.type is AlertType.BUDGET_ALERTS else NextStep.REMIND
    return NextStep.CHECK_LATER


def is_over(alert: OpenAlert) -> bool:
    """Return whether all calls of a hanging condition have ended. Other conditions are closed by what ends them."""
    return alert.type is AlertType.LLM_REQUESTS_HANGING and alert.kind is Kind.CONDITION and not alert.running
