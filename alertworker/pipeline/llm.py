"""Failed calls and cooldowns: a deployment's calls decide the severity of their alert, and whether it is summed up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Final

from alertworker.alerts.alert import Alert, OpenAlert
from alertworker.alerts.catalogue import RELAYED, AlertKind, AlertType, Severity
from alertworker.outages.evidence import evidence
from alertworker.outages.grade import HARM, hurts_users
from alertworker.outages.policy import Limits
from alertworker.outages.windows import LONG_SECONDS, Bucket, Target, bucket_of
from alertworker.pipeline.batches import BatchContext
from alertworker.pipeline.notify import claim
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Transaction
from alertworker.routing.inhibitions import SourceFilter

#: The evidence, in nats, below which failed calls may be chance. Chance reaches it once in 20 times, and at
#: an error rate well below the tolerated one hardly ever.
_LEAST: Final = 3.0
#: The types whose summaries at Low depend on the deployment's calls.
_JUDGED: Final = frozenset({AlertType.LLM_EXCEPTIONS, AlertType.COOLDOWN_DEPLOYMENT})
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
    return hurts_users(lost, max(calls, lost), limits)


def find_by_chance(tx: Transaction, alerts: Iterable[OpenAlert], runtime: Runtime) -> set[str]:
    """Return the ids of alerts of severity Low that need no summary: since the last message, chance explains the calls.

    A healthy deployment fails a few calls, too. Its cooldowns need no summary, either, if it failed a smaller share of
    its calls than an outage has: other deployments answered them. Types with a digest of their own are left out.
    """
    limits = runtime.policy.outages.deployment
    judged = {one.id: one for one in alerts if _is_judged(one) and one.type not in runtime.router.digests}
    if not limits.share or not judged:
        return set()
    targets = {name: Target(deployment_id=one.labels["deployment"]) for name, one in judged.items()}
    starts = {name: _counted_from(one) for name, one in judged.items()}
    earliest: dict[Target, int] = {}
    for name, target in targets.items():
        earliest[target] = min(starts[name], earliest.get(target, starts[name]))
    rows = tx.outages.buckets_of(earliest)
    since = {name: [row for row in rows[targets[name]] if row.start >= start] for name, start in starts.items()}
    return {name for name, alert in judged.items() if _is_by_chance(alert, since[name], limits)}


def _is_by_chance(alert: OpenAlert, rows: Sequence[Bucket], limits: Limits) -> bool:
    """Return whether the calls of a deployment show no trouble. Cooldowns without a known call may be trouble."""
    calls = sum(row.failed + row.succeeded for row in rows)
    if alert.type is AlertType.COOLDOWN_DEPLOYMENT:
        return calls > 0 and sum(row.failed for row in rows) < limits.share * calls
    failed = alert.count - alert.notified_count
    return evidence(failed, max(failed, calls), limits.tolerated) < _LEAST


def find_hung(tx: Transaction, alerts: Iterable[OpenAlert], runtime: Runtime) -> set[str]:
    """Return the ids of those alerts about slow calls of a model whose calls hung, and somebody was notified of that.

    The slow calls are the same calls, once they have ended. They need no summary.
    """
    found = set[str]()
    for alert in alerts:
        model = alert.labels.get("model")
        if alert.type is not AlertType.LLM_TOO_SLOW or RELAYED in alert.labels or not model:
            continue
        hanging = SourceFilter(frozenset({AlertType.LLM_REQUESTS_HANGING}), frozenset({("model", model)}))
        conditions = chain(
            tx.inhibitions.open_conditions(hanging, channels=runtime.channels, shadow=runtime.shadow),
            tx.inhibitions.conditions_at(hanging, alert.last_at, shadow=runtime.shadow),
        )
        if any(one.channels for one in conditions):
            found.add(alert.id)
    return found


def _is_judged(alert: OpenAlert) -> bool:
    """Return whether the calls of a deployment decide about the next summary of an alert."""
    is_low = alert.type in _JUDGED and alert.severity is Severity.LOW and alert.kind is AlertKind.NOTICE
    has_more = alert.count > alert.notified_count
    return is_low and has_more and bool(alert.labels.get("deployment")) and RELAYED not in alert.labels


def _counted_from(alert: OpenAlert) -> int:
    """Return the epoch second from which on calls count: the last message. Late occurrences may be older."""
    notified_at = alert.notified_at or alert.first_at
    if alert.last_at >= notified_at:
        return bucket_of(notified_at.timestamp())
    return bucket_of(alert.last_at.timestamp()) - LONG_SECONDS
