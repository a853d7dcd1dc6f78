"""Failed calls: the severity of their alert rises with the share of a deployment's calls that users lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from alertworker.alerts.alert import Alert, OpenAlert
from alertworker.alerts.catalogue import RELAYED, AlertType, Severity
from alertworker.outages.grade import HARM, hurts
from alertworker.outages.windows import LONG_SECONDS, Target, bucket_of
from alertworker.pipeline.batches import BatchContext
from alertworker.pipeline.notify import claim

#: The level of an alert about failures that hurt users. A first failed call has level 1.
_HURTING: Final = 2


def raise_severity(context: BatchContext, alert: Alert, claimed: OpenAlert) -> None:
    """Raise an open alert about failed calls from Low to Medium if the failures hurt users. Its next summary shows it.

    The sums of the last 15 minutes decide. The rows of the failing deployments are locked by `judge_outages`, so two
    workers with half of the failures each do not both miss it.
    """
    if alert.type is not AlertType.LLM_EXCEPTIONS or alert.severity is not Severity.LOW or RELAYED in alert.identity:
        return
    if claimed.level >= _HURTING or claimed.count < HARM or not _hurts(context, alert):
        return
    risen = replace(alert, severity=Severity.MEDIUM, level=_HURTING, count=0, members=(), parts={}, attachments=())
    claim(context.tx, risen, context.runtime, now=context.now)


def _hurts(context: BatchContext, alert: Alert) -> bool:
    """Return whether a deployment lost so many of its calls that users are hurt, beyond chance."""
    target, limits = Target(deployment_id=alert.identity["deployment"]), context.policy.outages.deployment
    start = bucket_of(alert.last_at.timestamp()) - LONG_SECONDS
    lost = sum(context.tx.outages.calls_failed_by(target, start=start).lost.values())
    if lost < HARM:
        return False
    calls = sum(row.failed + row.succeeded for row in context.tx.outages.buckets(target, start=start))
    return hurts(lost, max(calls, lost), limits)
