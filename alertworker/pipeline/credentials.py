"""Refused credentials: judge a batch's refused calls in its transaction. `credential_ends` decides when one is over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import AlertType
from alertworker.events import AttemptFailed, DeploymentCooledDown, RequestFailed
from alertworker.outages import credentials
from alertworker.outages.credentials import CredentialState, Refusals, Report, judge_credential
from alertworker.outages.rows import CredentialKey
from alertworker.outages.windows import REFUSED, WINDOW_SECONDS, Target
from alertworker.pipeline.batches import BatchContext
from alertworker.pipeline.credential_reports import read_reports
from alertworker.pipeline.current import names_of
from alertworker.pipeline.notify import claim
from alertworker.ports import Transaction

#: The statuses by which a provider refuses a credential.
_STATUSES: Final = frozenset(map(int, REFUSED))


def judge_credentials(context: BatchContext) -> None:
    """Claim the conditions of credentials that providers refuse, under the locks of their rows.

    They come before outages, because they inhibit those. A batch in which calls were lost may raise the severity.
    """
    states = context.tx.credentials.judged_credentials()
    events: dict[CredentialKey, list[AttemptFailed]] = {}
    for key, state in sorted(states.items()):
        own = [event for event in context.folded.outages.blamed if _is_refused(event, key)]
        events[key] = [event for event in own if event.occurred_at.timestamp() >= state.over_until]
    judged = {key: state for key, state in states.items() if events[key] or state.level}
    at = {key: max((event.occurred_at for event in events[key]), default=context.now) for key in judged}
    reports = read_reports(context.tx, judged, at)
    for key, state in sorted(judged.items()):
        _judge(context, state, reports[key], events[key])


def count_credentials(context: BatchContext) -> int:
    """Return the number of refused credentials that the batch may raise an alert about. Those of lost calls do not
    count.
    """
    return len({key[:2] for key in context.folded.outages.refusals})


def label_refused(context: BatchContext) -> list[Alert]:
    """Return the detected alerts. Alerts that a refused credential explains have its label, so that it inhibits them.

    Refused calls and cooldowns of its deployments are explained. So are calls of models that no other credential
    serves, if the router found no deployment for them.
    """
    folded, alerts = context.folded, list(context.detected)
    refused = _newest_refused(folded.cooled_down) | _newest_refused(folded.failed)
    starved = {event.attribution.model for event in folded.failed if _is_starved(event)}
    if not (refused or starved):
        return alerts
    # Any refused credential may be the only one of a starved call's model.
    reports = context.refused.reports(context.now, None if starved else refused)
    return [_labelled(alert, refused, reports) for alert in alerts]


def _judge(context: BatchContext, state: CredentialState, report: Report, events: Sequence[AttemptFailed]) -> None:
    tx, policy, key = context.tx, context.runtime.policy.outages, report.key
    verdict = judge_credential(report.rows, policy.deployment)
    if verdict is None:
        return
    grade = credentials.grade_of(verdict, report).worst(state.level)
    if not events and grade.rank <= state.level:
        return
    opened = tx.alerts.find_open(credentials.fingerprint(key)) if state.level else None
    if not events and opened is None:
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
    if grade.rank != state.level:
        tx.credentials.keep_credential(key, replace(state, level=grade.rank))


def _first_refusal(tx: Transaction, rows: Iterable[Refusals], since: int) -> datetime:
    """Return the first failure of the deployments that were refused in the bucket ``since``."""
    targets = [Target(row.deployment_id) for row in rows if row.since == since]
    buckets = [row for one in targets for row in tx.outages.buckets(one, start=since, end=since + WINDOW_SECONDS)]
    first = min((row.failed_since for row in buckets if row.failed), default=since * 1_000)
    return datetime.fromtimestamp(first / 1_000, UTC)


def _is_refused(event: AttemptFailed, key: CredentialKey) -> bool:
    own = (event.provider or "", event.credential) == key
    return own and event.failure.status_code in _STATUSES


def _newest_refused(events: Iterable[DeploymentCooledDown | RequestFailed]) -> set[str]:
    """Return the deployments whose newest event is a refusal of their credential."""
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
