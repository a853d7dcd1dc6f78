"""Judge a condition again when its suppression ends, so that people are notified of what still holds, as it is now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Protocol

from alertworker.alerts.alert import OpenAlert
from alertworker.alerts.catalogue import AlertKind, AlertType, OutageScope
from alertworker.alerts.message import Step
from alertworker.alerts.suppression import TIMED, SuppressionReason
from alertworker.detectors import llm
from alertworker.events.batch import REDELIVERED_WITHIN
from alertworker.outages import alert as outages
from alertworker.outages.ending import lookback, still_fails
from alertworker.outages.model_alert import is_about_model
from alertworker.outages.windows import bucket_of
from alertworker.pipeline.model_outages import model_still_fails
from alertworker.pipeline.notify import is_still_suppressed, notify
from alertworker.pipeline.publishers import SILENCE
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Host, HostState, Transaction

#: How often a condition is judged again that no longer holds, or whose data are too old for a decision.
_JUDGE_AGAIN: Final = timedelta(seconds=10)
_OUTAGES: Final = frozenset({AlertType.OUTAGE_ALERTS, AlertType.REGION_OUTAGE_ALERTS})


def notify_if_it_holds(tx: Transaction, alert: OpenAlert, runtime: Runtime, *, now: datetime) -> None:
    """Notify of an alert whose suppression has ended. A condition that does not hold any more waits for its end."""
    found = reviewed(tx, alert, runtime, now=now)
    if found is None:
        tx.alerts.check_again([alert.id], at=now + _JUDGE_AGAIN)
    else:
        notify(tx, found, Step.FIRING if alert.kind is AlertKind.CONDITION else Step.NOTICE, runtime, now=now)


def notify_unsilenced(tx: Transaction, claimed: OpenAlert, runtime: Runtime, *, now: datetime) -> None:
    """Notify of a condition with another failure if its silence or time interval has ended before this batch.

    It inhibits the alerts of the same calls then. The sweep that notices the end may come later.
    """
    suppression = claimed.suppression
    if claimed.opened or claimed.rose or suppression is None or suppression.reason not in TIMED:
        return
    if not is_still_suppressed(tx, claimed, runtime, now=now):
        notify_if_it_holds(tx, claimed, runtime, now=now)


def reviewed(tx: Transaction, alert: OpenAlert, runtime: Runtime, *, now: datetime) -> OpenAlert | None:
    """Return a condition with its facts of now, or ``None`` if it does not hold by all that is known now.

    An outage that waited for its severity was proven a moment ago, so it holds.
    """
    if alert.suppression is not None and alert.suppression.reason is SuppressionReason.RISING:
        return alert
    if alert.type in _OUTAGES:
        return alert if _still_fails(tx, alert, runtime, now=now) else None
    if alert.type is AlertType.LLM_REQUESTS_HANGING and alert.suppression is not None:
        oldest = tx.hanging.oldest_hanging(alert.id)
        return alert if oldest is None else llm.still_hanging(alert, now - oldest, runtime.policy)
    holds = _HOLDS.get(alert.type)
    return alert if holds is None or holds(tx, alert, runtime, now=now) else None


def _is_still_lost(tx: Transaction, alert: OpenAlert, _runtime: Runtime, *, now: datetime) -> bool:
    """Return whether a host with a lost publisher does not report again."""
    host = Host(alert.labels.get("host", ""), alert.labels.get("integration", ""))
    reported_at = tx.publishers.host_states([host]).get(host, HostState()).reported_at
    return reported_at is None or now - reported_at >= SILENCE


def _fails_lately(_tx: Transaction, alert: OpenAlert, runtime: Runtime, *, now: datetime) -> bool:
    """Return whether a caller's calls failed within the last window."""
    return now - alert.last_at < REDELIVERED_WITHIN + timedelta(seconds=runtime.policy.outages.deployment.span)


class _Holds(Protocol):
    """A function that returns whether a condition holds now."""

    def __call__(self, tx: Transaction, alert: OpenAlert, runtime: Runtime, /, *, now: datetime) -> bool: ...


_HOLDS: Final[Mapping[AlertType, _Holds]] = {
    AlertType.PUBLISHER_LOST: _is_still_lost,
    AlertType.CALLER_ERRORS: _fails_lately,
}


def _still_fails(tx: Transaction, alert: OpenAlert, runtime: Runtime, *, now: datetime) -> bool:
    """Return whether a target still fails calls.

    If another outage explained its failures, it must have failed a call after that outage's last one. Until then
    nothing shows that it did not recover with the other. Otherwise a failure within a window is enough, and any failure
    of a dead target.
    """
    if alert.labels.get("scope") == OutageScope.CREDENTIAL:
        return True  # every sweep judges whether it has ended
    suppression, after = alert.suppression, None
    if suppression is not None and suppression.reason is SuppressionReason.ALERT:
        after = tx.alerts.closed_last_at(suppression.by)
    if is_about_model(alert):
        return model_still_fails(tx, alert, runtime, after=after, now=now)
    target = outages.target_of(alert)
    outage, limits = tx.outages.outage_of(target), outages.limits_of(target, runtime.policy.outages)
    if not outage.state:
        return True  # no calls are known to judge it by
    if outage.is_up:
        return False
    if after is None:
        recently = now - REDELIVERED_WITHIN - timedelta(seconds=limits.span)
        after = alert.first_at - timedelta(days=1) if outage.is_dead else recently
    begin = int(alert.first_at.timestamp())
    if not outage.is_dead:
        begin = max(begin, int(now.timestamp()) - lookback(limits))
    buckets = tx.outages.buckets(target, start=max(outage.over_until, bucket_of(begin)))
    return still_fails(buckets, limits, after=after.timestamp())
