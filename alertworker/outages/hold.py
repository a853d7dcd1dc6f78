"""Whether the outage of a deployment is held back for a moment, because one of its whole model may follow. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from alertworker.alerts.alert import OpenAlert
from alertworker.alerts.catalogue import AlertType
from alertworker.alerts.suppression import TIMED
from alertworker.outages.verdict import count_by_deployment
from alertworker.outages.windows import Bucket

#: How long an outage is held back after its newest failed call, when it opens or its silence or time interval ends. A
#: model needs more calls to be judged, and failures in a silence do not count for it.
_HOLD: Final = timedelta(seconds=30)
#: The minimum share of failed calls of a deployment that may be down with its model.
_SHARE: Final = 1 / 3


def held_until(alert: OpenAlert, *, now: datetime) -> datetime | None:
    """Return until when the first message about a deployment's outage may wait, ``None`` for any other alert.

    The time is set when the outage opens, and when its silence or time interval ends.
    """
    if alert.type is not AlertType.OUTAGE_ALERTS or "scope" in alert.labels or not alert.labels.get("model"):
        return None
    reason = alert.suppression.reason if alert.suppression is not None else None
    if alert.suppression is not None and alert.suppression.until is not None:
        return alert.suppression.until
    return min(alert.last_at, now) + _HOLD if alert.opened or reason in TIMED else None


def most_fail(buckets: Iterable[Bucket]) -> bool:
    """Return whether most deployments of a model that had calls fail a third of them, and two or more of them do.

    This does not prove an outage of the model, but one may follow.
    """
    rows = list(buckets)
    active = {row.deployment_id for row in rows if row.failed or row.succeeded}
    failing = [failed >= _SHARE * calls for failed, calls in count_by_deployment(rows).values()]
    return sum(failing) > max(1, len(active) / 2)
