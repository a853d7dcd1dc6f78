"""Failed calls: the severity of their alert rises with the share of a deployment's calls that users lost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import RELAYED, AlertType, Severity
from alertworker.outages.verdict import hurts
from alertworker.outages.windows import LONG_SECONDS, Target, bucket_of
from alertworker.pipeline.batches import BatchContext

#: The level of an alert about failures that hurt users. A first failed call has level 1.
_HURTING: Final = 2


def graded(context: BatchContext, alerts: Iterable[Alert]) -> list[Alert]:
    """Return the alerts of a batch. Those of severity Low about failed calls are Medium if the failures hurt users.

    The sums of the last 15 minutes decide. The rows of the failing deployments are locked by `judge_outages`, so two
    workers with half of the failures each do not both miss it.
    """
    hurting: dict[str, bool] = {}
    found = []
    for alert in alerts:
        deployment = alert.identity.get("deployment", "") if _may_rise(alert) else ""
        if deployment and deployment not in hurting:
            hurting[deployment] = _hurts(context, deployment, int(alert.last_at.timestamp()))
        rises = hurting.get(deployment, False)
        found.append(replace(alert, severity=Severity.MEDIUM, level=_HURTING) if rises else alert)
    return found


def _may_rise(alert: Alert) -> bool:
    return alert.type is AlertType.LLM_EXCEPTIONS and alert.severity is Severity.LOW and RELAYED not in alert.identity


def _hurts(context: BatchContext, deployment: str, at: int) -> bool:
    """Return whether a deployment lost so many of its calls that users are hurt, beyond chance."""
    target, limits = Target(deployment_id=deployment), context.policy.outages.deployment
    start = bucket_of(at) - LONG_SECONDS
    lost = sum(context.tx.calls_failed_by(target, start=start).lost.values())
    if not hurts(lost, lost, limits):
        return False
    calls = sum(row.failed + row.succeeded for row in context.tx.buckets(target, start=start))
    return hurts(lost, max(calls, lost), limits)
