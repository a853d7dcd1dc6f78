"""Refused credentials: judge a batch's refused calls in its transaction; the sweep decides when a condition is over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import AlertType
from alertworker.events import AttemptFailed, DeploymentCooledDown, RequestFailed
from alertworker.events.batch import REDELIVERED_WITHIN
from alertworker.outages import alert as outages
from alertworker.outages import credentials
from alertworker.outages.credentials import CredentialState, Refusals, Report, judge_credential, unserved
from alertworker.outages.ending import NO_TRAFFIC_SECONDS, End
from alertworker.outages.model import JudgedModel, is_outage_without
from alertworker.outages.rows import CredentialKey
from alertworker.outages.verdict import DEAD_REACH, WindowVerdict, is_dead, judge
from alertworker.outages.windows import (
    REFUSED,
    WINDOW_SECONDS,
    Bucket,
    Calls,
    Limits,
    Outage,
    Target,
    bucket_of,
    without_refusals,
)
from alertworker.pipeline.batches import BatchContext
from alertworker.pipeline.current import names_of
from alertworker.pipeline.explained import settle_explained
from alertworker.pipeline.notify import claim, resolve
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Clock, Transaction

#: The statuses by which a provider refuses a credential.
_STATUSES: Final = frozenset(map(int, REFUSED))
_OUTAGES: Final = (AlertType.OUTAGE_ALERTS, AlertType.REGION_OUTAGE_ALERTS)


def judge_credentials(context: BatchContext) -> None:
    """Claim the conditions of credentials that providers refuse, under the locks of their rows.

    They come before outages, because they inhibit those. A batch in which calls were lost may raise the severity.
    """
    tx = context.tx
    refused = {CredentialKey(*key[:2]) for key in context.folded.outages.refusals}
    standings = tx.credentials.lock_credentials(refused | _hurt(context))
    for key, standing in sorted(standings.items()):
        own = [event for event in context.folded.outages.blamed if _is_refused(event, key)]
        events = [event for event in own if event.occurred_at.timestamp() >= standing.over_until]
        if events or standing.level:
            _judge(context, key, standing, events)


def count_credentials(context: BatchContext) -> int:
    """Return the number of credentials that the batch may raise an alert about, those of lost calls left out."""
    return len({key[:2] for key in context.folded.outages.refusals})


def end_credentials(tx: Transaction, runtime: Runtime, *, limit: int, now: datetime) -> bool:
    """Resolve at most ``limit`` conditions that are over. Return whether more may be left.

    Outages that the credential explains end with it. Only the time before the newest returned canary is judged, and
    nothing while a publisher has a backlog: events of that time may be missing.
    """
    arrived = tx.clock.read(Clock.CANARY_ARRIVED)
    if arrived is None or tx.publishers.backlogged():
        return False
    until = bucket_of((arrived - REDELIVERED_WITHIN).timestamp())
    resolved = 0
    for key, standing in tx.credentials.lock_refused_credentials().items():
        if resolved == limit:
            return True
        alert = tx.alerts.find_open(credentials.fingerprint(key))
        since = bucket_of(alert.first_at.timestamp()) if alert is not None else until - credentials.UNUSED_SECONDS
        rows = tx.credentials.refusals(key, start=max(since, standing.over_until))
        names = [row.deployment_id for row in rows]
        end = credentials.ended(rows, standing, tx.credentials.last_successes(names, start=since), until=until)
        if end is None:
            continue
        if alert is not None:
            facts = {label: text for label, text in alert.facts.items() if label != "Error"}
            last = max((row.last_refusal for row in rows), default=0)
            ended_at = datetime.fromtimestamp(last / 1_000, UTC) if last else None
            over = replace(alert, facts=facts, ended_at=ended_at, unknown=end is End.UNKNOWN)
            resolve(tx, over, runtime, now=now)
        _end_explained(tx, key, rows, until, runtime, now=now)
        tx.credentials.keep_credential(key, replace(standing, level=0, over_until=max(standing.over_until, until)))
        resolved += 1
    return False


def explaining(
    tx: Transaction, target: Target, verdict: WindowVerdict, buckets: Sequence[Bucket], limits: Limits
) -> str | None:
    """Return the refused credential that explains a target's outage, ``None`` if there is none.

    It explains the outage if the other failures alone are not an outage. A region's outage may be that of
    its deployments that use the credential.
    """
    if not REFUSED & verdict.causes.keys():
        return None
    rest = [without_refusals(row) for row in buckets]
    if judge(rest, limits).crossed or is_dead(rest, limits) is not None:
        return None
    named = {target.deployment_id} if target.deployment_id else set(verdict.failures)
    for key in sorted(tx.credentials.refused_credentials()):
        users = {row.deployment_id for row in tx.credentials.refusals(key, start=verdict.since - DEAD_REACH)}
        if named & users and (not target.deployment_id or named <= users):
            return key.credential
    return None


def explaining_model(tx: Transaction, judged: JudgedModel, limits: Limits) -> str | None:
    """Return the refused credential that explains a model's outage, ``None`` if there is none.

    Several refused credentials may explain it together. They explain it if the failures and lost calls that they leave
    are no outage by themselves, neither of the model nor of one of its deployments.
    """
    if not any(REFUSED & row.causes.keys() for row in judged.buckets):
        return None
    failing = {row.deployment_id for row in judged.buckets if row.failed}
    start, users, named = judged.verdict.since - DEAD_REACH, set[str](), None
    for key in sorted(tx.credentials.refused_credentials()):
        own = {row.deployment_id for row in tx.credentials.refusals(key, start=start)}
        named = named or (key.credential if own & failing else None)
        users |= own
    return named if named is not None and not is_outage_without(judged, users, limits) else None


def label_refused(context: BatchContext) -> list[Alert]:
    """Return the detected alerts. Those that a refused credential explains have its label, so that it inhibits them.

    Refused calls and cooldowns of its deployments are explained, and so are calls of models that no other credential
    serves, if the router found no deployment for them.
    """
    folded, alerts = context.folded, list(context.detected)
    refused = _newest_refused(folded.cooled_down) | _newest_refused(folded.failed)
    starved = {event.attribution.model for event in folded.failed if _is_starved(event)}
    known = context.tx.credentials.refused_credentials() if refused or starved else {}
    if not known:
        return alerts
    reports = [_report(context.tx, key, known[key], context.now) for key in sorted(known)]
    return [_labelled(alert, refused, reports) for alert in alerts]


def _report(tx: Transaction, key: CredentialKey, standing: CredentialState, at: datetime) -> Report:
    """Return what is known of a credential's refusals since its last success, within the reach of the dead rule."""
    start = max(standing.over_until, bucket_of(at.timestamp()) - DEAD_REACH)
    rows = tx.credentials.refusals(key, start=max(start, standing.last_success + WINDOW_SECONDS))
    if rows and not standing.last_success:
        accepted = tx.credentials.last_successes([row.deployment_id for row in rows], start=start)
        last = bucket_of(max(accepted.values(), default=0) // 1_000)
        rows = tx.credentials.refusals(key, start=max(start, last + WINDOW_SECONDS))
    each = tx.credentials.calls_failed_by_each(
        [row.deployment_id for row in rows], start=min((row.since for row in rows), default=0)
    )
    return Report(key, rows, _total(each.values()), unserved(rows, each))


def _judge(
    context: BatchContext, key: CredentialKey, standing: CredentialState, events: Sequence[AttemptFailed]
) -> None:
    tx, policy = context.tx, context.runtime.policy.outages
    report = _report(tx, key, standing, max((event.occurred_at for event in events), default=context.now))
    verdict = judge_credential(report.rows, policy.deployment)
    if verdict is None:
        return
    grade = credentials.grade_of(verdict, report).worst(standing.level)
    opened = tx.alerts.find_open(credentials.fingerprint(key)) if standing.level else None
    if not events and (opened is None or grade.rank <= standing.level):
        return
    kept = tx.occurrences.count_members(opened.id) if opened is not None else 0
    members = max(0, policy.max_details - kept)
    alert = credentials.describe(
        report,
        verdict,
        grade,
        events,
        names=names_of(tx, verdict.failures),
        members=members,
        is_open=opened is not None,
    )
    since = _first_refusal(tx, report.rows, verdict.since)
    claim(tx, replace(alert, first_at=since), context.runtime, now=context.now)
    if grade.rank != standing.level:
        tx.credentials.keep_credential(key, replace(standing, level=grade.rank))


def _first_refusal(tx: Transaction, rows: Iterable[Refusals], since: int) -> datetime:
    """Return the first failure of the deployments that were refused in the bucket ``since``."""
    targets = [Target(row.deployment_id) for row in rows if row.since == since]
    buckets = [row for one in targets for row in tx.outages.buckets(one, start=since, end=since + WINDOW_SECONDS)]
    first = min((row.failed_since for row in buckets if row.failed), default=since * 1_000)
    return datetime.fromtimestamp(first / 1_000, UTC)


def _hurt(context: BatchContext) -> set[CredentialKey]:
    """Return the refused credentials of deployments that failed a call of the batch which ended without an answer."""
    lost = [key for key, sums in context.folded.outages.calls.items() if sums.lost and key.deployment_id]
    if not lost:
        return set()
    stored = context.tx.credentials
    known = stored.refused_credentials()
    start = min(key.bucket for key in lost) - NO_TRAFFIC_SECONDS
    return known.keys() & stored.refused_with({key.deployment_id for key in lost}, start=start) if known else set()


def _is_refused(event: AttemptFailed, key: CredentialKey) -> bool:
    own = (event.provider or "", event.credential) == key
    return own and event.failure.status_code in _STATUSES


def _total(parts: Iterable[Calls]) -> Calls:
    total = Calls()
    for one in parts:
        lost = dict(total.lost)
        for team, count in one.lost.items():
            lost[team] = lost.get(team, 0) + count
        total = Calls(total.by_fallback + one.by_fallback, total.by_retry + one.by_retry, lost)
    return total


def _newest_refused(events: Iterable[DeploymentCooledDown | RequestFailed]) -> set[str]:
    """Return the deployments whose newest event says that their credential was refused."""
    newest: dict[str, DeploymentCooledDown | RequestFailed] = {}
    for event in events:
        known = newest.get(event.deployment_id or "")
        if known is None or known.occurred_at <= event.occurred_at:
            newest[event.deployment_id or ""] = event
    return {name for name, event in newest.items() if name and event.failure.status_code in _STATUSES}


def _is_starved(event: RequestFailed) -> bool:
    """Return whether the router found no deployment for a call, because all were in a cooldown."""
    return not event.deployment_id and event.failure.error_class.startswith("RouterRateLimit")


def _labelled(alert: Alert, refused: set[str], reports: Sequence[Report]) -> Alert:
    identity = alert.identity
    for report in reports:
        users = {row.deployment_id for row in report.rows} & refused
        if alert.type is AlertType.COOLDOWN_DEPLOYMENT:
            explained = identity.get("deployment") in users
        elif alert.type is AlertType.LLM_EXCEPTIONS:
            own = identity.get("deployment") in users and identity.get("status") in REFUSED
            starved = identity.get("error", "").startswith("RouterRateLimit") and not identity.get("deployment")
            explained = own or (starved and identity.get("model") in report.alone)
        else:
            explained = False
        if explained:
            return replace(alert, labels={**alert.labels, "credential": report.key.credential})
    return alert


def _end_explained(
    tx: Transaction, key: CredentialKey, rows: Sequence[Refusals], until: int, runtime: Runtime, *, now: datetime
) -> None:
    """End the outages that the credential explains, of which nobody was notified.

    Notices that it explains count as notified, so no summary of what it inhibited is sent after its end.
    """
    targets = {Target(row.deployment_id) for row in rows}
    targets |= {Target(provider=key.provider, region=row.region) for row in rows if row.region}
    standings = {outages.fingerprint(target): (target, one) for target, one in tx.outages.lock_outages(targets).items()}
    named = tx.alerts.labelled_alerts("credential", key.credential, _OUTAGES)
    for mark, alert in sorted((tx.alerts.find_all_open(named) if named else {}).items()):
        if mark in standings:
            target, standing = standings[mark]
            resolve(tx, alert, runtime, now=now)
            tx.outages.keep_outages({target: Outage(over_until=max(standing.over_until, until))})
    settle_explained(tx, "credential", key.credential, now=now)
