"""The intervals between messages about an alert, which grow with its age."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from alertworker.alerts.alert import Subject
from alertworker.alerts.catalogue import CATALOGUE, FLAPPING, RELAYED, AlertKind, AlertType, Severity

#: Alerts of calls, which can repeat for hours. With the default group interval the summaries of notices follow after
#: 5 min, 15 min, 1 h and then every 4 h.
_GROWING: Final = frozenset(
    {
        AlertType.LLM_EXCEPTIONS,
        AlertType.LLM_TOO_SLOW,
        AlertType.LLM_REQUESTS_HANGING,
        AlertType.COOLDOWN_DEPLOYMENT,
    }
)
_FACTORS: Final = (1, 3, 12, 48)
#: The factors of hanging calls, a condition: its end is a message, too. So 30 min, 1 h and then every 4 h.
_FACTORS_OF_HANGING: Final = (6, 12, 48)
#: The longest interval between summaries that grow.
LONGEST: Final = timedelta(hours=4)
#: How long such an alert stays open after its last occurrence, so that the next ones are summed up and not announced.
_STAYS_OPEN: Final = timedelta(hours=1)
#: The first reminder of a flapping condition comes after this time, and each next one after three times its age.
_FIRST_REMINDER: Final = timedelta(minutes=15)


def summary_interval(alert_type: AlertType, messages: int, group_interval: float) -> timedelta:
    """Return the time until the next summary of an alert, about which ``messages`` were decided before the present one.

    A group interval of more than 4 h stays as it is.
    """
    interval = timedelta(seconds=group_interval)
    if alert_type not in _GROWING:
        return interval
    factors = _FACTORS_OF_HANGING if alert_type is AlertType.LLM_REQUESTS_HANGING else _FACTORS
    return max(interval, min(LONGEST, interval * factors[min(messages, len(factors) - 1)]))


def interval_grows(alert: Subject) -> bool:
    """Return whether an alert is a notice above Low whose summaries come at growing intervals.

    It is looked at after each group interval, because a summary comes sooner if its occurrences end.
    """
    return (
        alert.type in _GROWING and CATALOGUE[alert.type].kind is AlertKind.NOTICE and alert.severity is not Severity.LOW
    )


def may_close(alert: Subject, now: datetime) -> bool:
    """Return whether a notice without a new occurrence is over. Texts that LiteLLM relays are notices of their own."""
    return alert.type not in _GROWING or RELAYED in alert.labels or now - alert.last_at >= _STAYS_OPEN


def reminder_interval(alert: Subject, repeat_interval: float, *, now: datetime) -> timedelta:
    """Return the time until the next reminder of a condition. A flapping one has its first reminders sooner."""
    interval = timedelta(seconds=repeat_interval)
    if FLAPPING not in alert.labels:
        return interval
    return min(interval, max(_FIRST_REMINDER, 3 * (now - alert.first_at)))
