"""Whether the first message about an outage waits for a moment, because a better one may follow. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from alertworker.alerts.alert import OpenAlert
from alertworker.alerts.catalogue import AlertType, OutageScope, Severity
from alertworker.alerts.suppression import TIMED, SuppressionReason
from alertworker.outages.grade import HARM_SHARE
from alertworker.outages.verdict import count_by_deployment
from alertworker.outages.windows import Bucket, Calls

#: How long an outage waits after its newest failed call, when it opens, or when its silence or time interval ends. In
#: that time an outage of the model may be found. That needs more calls, and failures in a silence do not count.
_HOLD: Final = timedelta(seconds=30)
#: How long after its newest failed call an outage may wait for the ends of its calls, when it opens.
_RISE: Final = timedelta(seconds=10)
#: The minimum share of failed calls of a deployment that may be down with its model.
_SHARE: Final = 1 / 3
_OUTAGES: Final = frozenset({AlertType.OUTAGE_ALERTS, AlertType.REGION_OUTAGE_ALERTS})


def held_until(alert: OpenAlert, *, now: datetime) -> datetime | None:
    """Return until when the first message about a deployment's outage may wait, ``None`` for any other alert.

    The time is set when the outage opens, and when its silence or time interval ends.
    """
    if alert.type is not AlertType.OUTAGE_ALERTS or "scope" in alert.labels or not alert.labels.get("model"):
        return None
    known = _waits_until(alert, SuppressionReason.HELD)
    is_timed = alert.suppression is not None and alert.suppression.reason in TIMED
    return known or (min(alert.last_at, now) + _HOLD if alert.opened or is_timed else None)


def rising_until(alert: OpenAlert, *, now: datetime) -> datetime | None:
    """Return until when the first message about an outage at Medium may wait, because it may rise to High.

    The time is in event time and is set when the outage opens, so an outage that is reported late does not wait. A
    credential's outage has no such time.
    """
    if alert.type not in _OUTAGES or alert.labels.get("scope") == OutageScope.CREDENTIAL:
        return None
    if alert.severity is not Severity.MEDIUM:
        return None
    return min(alert.last_at, now) + _RISE if alert.opened else _waits_until(alert, SuppressionReason.RISING)


def may_rise(calls: Calls) -> bool:
    """Return whether an outage may soon hurt users: of the failed calls that have ended, a harmful share was lost.

    That holds, too, before any of them has ended.

    >>> may_rise(Calls(lost={"search": 2})), may_rise(Calls()), may_rise(Calls(0, 1))
    (True, True, False)
    """
    lost = sum(calls.lost.values())
    return lost >= HARM_SHARE * (lost + calls.by_fallback + calls.by_retry)


def most_fail(buckets: Iterable[Bucket]) -> bool:
    """Return whether most deployments of a model that had calls fail a third of them, and two or more of them do.

    This does not prove an outage of the model, but one may follow.
    """
    rows = list(buckets)
    active = {row.deployment_id for row in rows if row.failed or row.succeeded}
    failing = [failed >= _SHARE * calls for failed, calls in count_by_deployment(rows).values()]
    return sum(failing) > max(1, len(active) / 2)


def _waits_until(alert: OpenAlert, reason: SuppressionReason) -> datetime | None:
    """Return until when an alert waits for a reason, from the alert's row."""
    suppression = alert.suppression
    return suppression.until if suppression is not None and suppression.reason is reason else None
