"""Refused credentials: judge a batch's refused calls in its transaction. `credential_ends` decides when one is over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import AlertType
from alertworker.events import AttemptFailed, DeploymentCooledDown, RequestFailed
from alertworker.outages import credentials
from alertworker.outages.credentials import CredentialState, Refusals, Report, judge_credential
from alertworker.outages.rows import CredentialKey
from alertworker.outages.verdict import DEAD_REACH
from alertworker.outages.windows import REFUSED, WINDOW_SECONDS, Target, bucket_of
from alertworker.pipeline.batches import BatchContext
from alertworker.pipeline.credential_reports import read_reports
from alertworker.pipeline.current import names_of
from alertworker.pipeline.notify import claim
from alertworker.ports import Transaction

#: The statuses by which a provider refuses a credential.
_STATUSES: Final = frozenset(map(int, REFUSED))
#: Up to this number of credentials each is judged by itself.
_FEW: Final = 20


def judge_credentials(context: BatchContext) -> None:
    """Claim the conditions of credentials that providers refuse, under the locks of their rows.

    They come before outages, because they inhibit those. A batch in which calls were lost may raise the severity.
    """
    refused = _refused_calls(context.folded.outages.blamed)
    states = _with_enough_refusals(context, context.tx.credentials.judged_credentials(), refused)
    events = {
        key: [event for event in refused.get(key, ()) if event.occurred_at.timestamp() >= state.over_until]
        for key, state in states.items()
    }
    judged = {key: state for key, state in states.items() if events[key] or state.level}
    at = {key: max((event.occurred_at for event in events[key]), default=context.now) for key in judged}
    reports = read_reports(context.tx, judged, at)
    for key, state in sorted(judged.items()):
        _judge(context, state, reports[key], events[key])


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
    by_deployment, by_model = dict[str, str](), dict[str, str]()
    for report in context.refused.reports(context.now, None if starved else refused):
        for row in report.rows:
            if row.deployment_id in refused:
                by_deployment.setdefault(row.deployment_id, report.key.credential)
        for model in report.alone:
            by_model.setdefault(model, report.key.credential)
    return [_labelled(alert, by_deployment, by_model) for alert in alerts]


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


def _with_enough_refusals(
    context: BatchContext,
    states: Mapping[CredentialKey, CredentialState],
    refused: Mapping[CredentialKey, Sequence[AttemptFailed]],
) -> Mapping[CredentialKey, CredentialState]:
    """Return the credentials of those that may have a condition, by one statement if there are many."""
    if len(states) <= _FEW:
        return states
    least = credentials.least_refusals(context.runtime.policy.outages.deployment)
    first = min((event.occurred_at for own in refused.values() for event in own), default=context.now)
    start = bucket_of(first.timestamp()) - DEAD_REACH
    enough = context.tx.credentials.refused_often(states, start=start, least=least)
    return {key: state for key, state in states.items() if key in enough or state.level}


def _refused_calls(blamed: Iterable[AttemptFailed]) -> dict[CredentialKey, list[AttemptFailed]]:
    found: dict[CredentialKey, list[AttemptFailed]] = {}
    for event in blamed:
        if event.credential is not None and event.failure.status_code in _STATUSES:
            found.setdefault(CredentialKey(event.provider or "", event.credential), []).append(event)
    return found


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


def _labelled(alert: Alert, by_deployment: Mapping[str, str], by_model: Mapping[str, str]) -> Alert:
    """Return the alert with the refused credential of its deployment, or the only one of its model, as a label."""
    identity, credential = alert.identity, None
    own = by_deployment.get(identity.get("deployment", ""))
    if alert.type is AlertType.COOLDOWN_DEPLOYMENT:
        credential = own
    elif alert.type is AlertType.LLM_EXCEPTIONS:
        if identity.get("status") in REFUSED:
            credential = own
        if identity.get("error", "").startswith("RouterRateLimit") and not identity.get("deployment"):
            credential = by_model.get(identity.get("model", ""))
    return alert if credential is None else replace(alert, labels={**alert.labels, "credential": credential})
