"""Delay the first message about an outage, and the alerts that it explains, while a better message may follow."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Final

from alertworker.alerts.alert import OpenAlert
from alertworker.alerts.catalogue import AlertKind, AlertType
from alertworker.alerts.suppression import Suppression
from alertworker.outages.hold import held_until, may_rise, most_fail, rising_until
from alertworker.outages.model_alert import is_about_model
from alertworker.outages.windows import bucket_of
from alertworker.pipeline.counted_calls import CountedCalls
from alertworker.pipeline.current import model_sums, outage_sums
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Transaction
from alertworker.routing.inhibitions import OpenCondition

#: How much longer an alert waits than the condition that explains it. In that time the sweep notifies channels of the
#: condition.
_GRACE: Final = timedelta(seconds=10)


def find_hold(tx: Transaction, alert: OpenAlert, runtime: Runtime, *, now: datetime) -> Suppression | None:
    """Return why the first message about an outage waits, ``None`` if it does not.

    The message about a deployment's outage waits while most deployments of its model fail. A message at Medium waits
    while no failed call was saved. Where LiteLLM's counts alone decide, models have no outages, and the severity
    follows the counts. An outage that LiteLLM's own alerting reports is a notice and does not wait.
    """
    if alert.kind is AlertKind.NOTICE or not runtime.policy.outages.model.share:
        return None
    until = held_until(alert, now=now)
    if until is not None and now < until and _model_fails(tx, alert):
        return Suppression.held(until)
    until = rising_until(alert, now=now)
    if until is not None and now < until and _may_rise(tx, alert, now=now):
        return Suppression.rising(until)
    return None


def find_held_source(
    alert: OpenAlert, channels: Collection[str], sources: Iterable[OpenCondition], runtime: Runtime, *, now: datetime
) -> Suppression | None:
    """Return the suppression of an alert by a condition that waits and will mute it, ``None`` if there is none.

    All of the alert's channels must be those of the condition. A condition does not wait after channels were notified
    of it.
    """
    if not channels or (alert.kind is AlertKind.CONDITION and alert.notified_at is not None):
        return None
    for source in sources:
        if source.waits_until is None or now >= source.waits_until + _GRACE:
            continue
        decision = runtime.router.decide(AlertType(source.labels["alert_type"]), source.labels, now=now)
        if set(channels) <= set(decision.channels):
            return Suppression.held(source.waits_until + _GRACE)
    return None


def _model_fails(tx: Transaction, alert: OpenAlert) -> bool:
    model = alert.labels["model"]
    return most_fail(tx.models.model_buckets({model: bucket_of(alert.first_at.timestamp())})[model])


def _may_rise(tx: Transaction, alert: OpenAlert, *, now: datetime) -> bool:
    read = model_sums if is_about_model(alert) else outage_sums
    _, calls, _ = read(tx, alert, CountedCalls(tx, now=now))
    return may_rise(calls)
