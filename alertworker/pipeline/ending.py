"""The ends of outages, which the sweep judges, and their reminders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from alertworker.alerts.alert import OpenAlert
from alertworker.alerts.catalogue import FLAPPING
from alertworker.alerts.message import Step
from alertworker.alerts.suppression import SuppressionReason
from alertworker.events.batch import REDELIVERED_WITHIN
from alertworker.outages import alert as outages
from alertworker.outages import flapping
from alertworker.outages.ending import DEAD_LASTS, NO_TRAFFIC_SECONDS, End, Ending, ended, lookback, recovered_at
from alertworker.outages.policy import Limits
from alertworker.outages.sparse import SPARSE_SECONDS, has_little_traffic
from alertworker.outages.verdict import judge
from alertworker.outages.windows import Bucket, Outage, Target, bucket_of
from alertworker.pipeline.counted_calls import CountedCalls
from alertworker.pipeline.current import outage_sums
from alertworker.pipeline.model_outages import end_models
from alertworker.pipeline.notify import notify, resolve
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Clock, Transaction

#: How long a reminder of a flapping target is put off while the target is well.
_WAIT_WHILE_WELL: Final = timedelta(minutes=5)


def end_outages(tx: Transaction, runtime: Runtime, *, limit: int, now: datetime) -> bool:
    """Resolve at most ``limit`` outages that are over. Return whether more may be left.

    Only the time before the newest returned canary is judged, and nothing while a publisher has a backlog. Events of
    later times may be missing.
    """
    arrived = tx.clock.read(Clock.CANARY_ARRIVED)
    if arrived is None or tx.publishers.backlogged():
        return False
    until = bucket_of((arrived - REDELIVERED_WITHIN).timestamp())
    counted = CountedCalls(tx, now=now)
    resolved = end_models(tx, runtime, counted, until=until, limit=limit, now=now)
    opened = tx.outages.open_outages()
    limits = {target: outages.limits_of(target, runtime.policy.outages) for target in opened}
    starts = {target: max(old.over_until, until - lookback(limits[target])) for target, old in opened.items()}
    buckets = tx.outages.buckets_of(starts)
    longer = _longer(tx, opened, buckets, until)
    alerts = tx.alerts.find_all_open(map(outages.fingerprint, opened))
    closed = _closed_inhibitors(tx, alerts.values())
    for target, outage in sorted(opened.items()):  # the widest first
        if resolved >= limit:
            return True
        alert = alerts.get(outages.fingerprint(target))
        rows = buckets[target] if target.deployment_id else counted.clear(buckets[target])
        judged = longer.get(target, rows)
        ending = _ending(tx, outage, alert, judged, limits[target], until=until, arrived=arrived)
        if ending is None and _inhibitor(alert) in closed and not _lasts(outage, rows, limits[target], until=until):
            ending = Ending(End.RECOVERED, max((row.last_failure // 1_000 for row in rows), default=until))
        ending = _recovered_last(target, ending, buckets[target], counted, limits[target], until=until)
        after = _after(outage, ending, until)
        if after is None:
            continue
        tx.outages.keep_outages({target: after})
        if after.state:
            continue  # it flaps, and has recovered for now
        if alert is not None:
            resolve(tx, _closed(tx, alert, outage, after, ending, counted, limits[target]), runtime, now=now)
            closed.add(alert.id)
        resolved += 1
    return resolved >= limit


def _closed_inhibitors(tx: Transaction, alerts: Iterable[OpenAlert]) -> set[str]:
    """Return the ids of alerts that inhibited some of these and are closed."""
    inhibitors = {by for alert in alerts if (by := _inhibitor(alert)) is not None}
    return inhibitors - tx.alerts.still_open(inhibitors)


def _recovered_last(
    target: Target,
    ending: Ending | None,
    buckets: Sequence[Bucket],
    counted: CountedCalls,
    limits: Limits,
    *,
    until: int,
) -> Ending | None:
    """Return the end of an outage; that of a region or provider comes when its last deployment recovered.

    Failures of deployments whose own outage has ended do not keep it open.
    """
    if ending is None or ending.how is not End.RECOVERED or target.deployment_id:
        return ending
    last = recovered_at(counted.without_silenced(buckets), limits)
    return ending._replace(at=min(until, max(ending.at, last)))


def _longer(
    tx: Transaction, opened: Mapping[Target, Outage], buckets: Mapping[Target, Sequence[Bucket]], until: int
) -> dict[Target, list[Bucket]]:
    """Return the buckets of a longer time for deployments with few calls: in a short time these prove nothing."""
    few = [target for target in opened if target.deployment_id and has_little_traffic(buckets[target])]
    starts = {target: max(opened[target].over_until, until - SPARSE_SECONDS) for target in few}
    return tx.outages.buckets_of(starts) if starts else {}


def _ending(
    tx: Transaction,
    outage: Outage,
    alert: OpenAlert | None,
    buckets: Sequence[Bucket],
    limits: Limits,
    *,
    until: int,
    arrived: datetime,
) -> Ending | None:
    """Return the end of an outage by its own calls, ``None`` if it continues."""
    since = bucket_of(alert.first_at.timestamp()) if alert is not None else 0
    ending = ended(buckets, limits, since=since, until=until, reach=SPARSE_SECONDS)
    if ending is None or ending.how is not End.UNKNOWN or alert is None or arrived - alert.last_at >= DEAD_LASTS:
        return ending
    if _never_answered(tx, alert, outage, limits):
        return None  # with so little traffic, 15 min without a call prove nothing
    return ending


def _never_answered(tx: Transaction, alert: OpenAlert, outage: Outage, limits: Limits) -> bool:
    """Return whether no call on a target has succeeded since its outage began. Few calls may not prove it dead yet."""
    if outage.is_dead or not limits.share:
        return outage.is_dead
    start = max(outage.over_until, bucket_of(alert.first_at.timestamp()))
    return not any(row.succeeded for row in tx.outages.buckets(outages.target_of(alert), start=start))


def _after(outage: Outage, ending: Ending | None, until: int) -> Outage | None:
    """Return the state after an outage ended, ``None`` if nothing ended."""
    over_until = max(outage.over_until, until)
    if outage.is_up:
        return flapping.closed(outage, 0, over_until=over_until) if flapping.has_ended(outage, until) else None
    if ending is None:
        return None
    if outage.is_flapping and ending.how is End.RECOVERED:
        return flapping.recovered(outage, ending.at, over_until=over_until)
    return flapping.closed(outage, ending.at, over_until=over_until)


def _closed(
    tx: Transaction,
    alert: OpenAlert,
    outage: Outage,
    after: Outage,
    ending: Ending | None,
    counted: CountedCalls,
    limits: Limits,
) -> OpenAlert:
    """Return an outage with the totals until the target recovered."""
    if outage.is_up or ending is None:
        ending = Ending(End.RECOVERED, after.episodes[-1].end)
    quiet = timedelta(seconds=NO_TRAFFIC_SECONDS)
    if ending.how is End.UNKNOWN and _never_answered(tx, alert, outage, limits):
        quiet = DEAD_LASTS
    sums = outage_sums(tx, alert, counted, until=ending.at or None)
    closed = outages.closing(alert, *sums, ending, quiet=quiet)
    return flapping.describe(closed, after, until=ending.at) if FLAPPING in alert.labels else closed


def _inhibitor(alert: OpenAlert | None) -> str | None:
    """Return the id of the alert that suppresses an outage on all channels."""
    suppression = alert.suppression if alert is not None else None
    return suppression.by if suppression is not None and suppression.reason is SuppressionReason.ALERT else None


def _lasts(outage: Outage, buckets: Sequence[Bucket], limits: Limits, *, until: int) -> bool:
    """Return whether the last window alone is an outage, or a dead target has answered no call since.

    An outage that does not last ends with the outage that suppressed it. No channel was notified of it. Few calls may
    reach the deployment, so the proof of its own recovery may come much later. If calls keep failing, they open the
    outage again.
    """
    if outage.is_dead and not any(row.succeeded for row in buckets):
        return True
    return bool(judge([row for row in buckets if row.start >= until - limits.span], limits).crossed)


def remind_of_outage(tx: Transaction, alert: OpenAlert, runtime: Runtime, *, now: datetime) -> None:
    """Send a reminder of an outage. While a flapping target is well, it waits."""
    target, second = outages.target_of(alert), int(now.timestamp())
    if FLAPPING in alert.labels and flapping.has_recovered(tx.outages.outage_of(target), second):
        tx.alerts.remind_at(alert.id, now + _WAIT_WHILE_WELL)
    else:
        notify(tx, alert, Step.REMINDER, runtime, now=now)
