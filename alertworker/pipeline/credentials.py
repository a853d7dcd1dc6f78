"""Refused credentials: judge a batch's refused calls in its transaction. `credential_ends` decides when one is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from alertworker.alerts.alert import Alert, OpenAlert
from alertworker.alerts.catalogue import AlertType
from alertworker.events import AttemptFailed, DeploymentCooledDown, RequestFailed
from alertworker.events.batch import BatchError
from alertworker.outages import credential_alert, credentials
from alertworker.outages.credentials import CredentialState, RefusalReport, Refusals, judge_credential
from alertworker.outages.grade import Grade
from alertworker.outages.policy import Limits
from alertworker.outages.rows import CredentialKey
from alertworker.outages.verdict import DEAD_REACH, WindowVerdict
from alertworker.outages.windows import NO_DEPLOYMENTS, REFUSED, WINDOW_SECONDS, Target, bucket_of
from alertworker.pipeline.batches import BatchContext
from alertworker.pipeline.credential_reports import condition_labels, own_conditions, read_reports
from alertworker.pipeline.current import names_of
from alertworker.pipeline.notify import claim
from alertworker.pipeline.outages import MAX_OUTAGES
from alertworker.ports import Transaction

#: The statuses by which a provider refuses a credential.
_STATUSES: Final = frozenset(map(int, REFUSED))
#: Up to this number of credentials each is judged by itself.
_FEW: Final = 20


def judge_credentials(context: BatchContext) -> None:
    """Claim the conditions of credentials that providers refuse, under the locks of their rows.

    They come before outages, because they inhibit those. A batch in which calls were lost may raise the severity.

    Raises:
        BatchError: more than `MAX_OUTAGES` conditions would be raised or counted.
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
    found = [_Refused(judged[key], reports[key], events[key]) for key in sorted(judged)]
    raising = [one for one in found if one.is_raising(context.runtime.policy.outages.deployment)]
    many = _many(context, raising)
    conditions = len(raising) - len(many) + len({key.provider for key in many})
    if conditions > MAX_OUTAGES:
        raise BatchError(f"the batch raises or counts {conditions:,} refused credentials; the limit is {MAX_OUTAGES:,}")
    for one in raising:
        if one.key not in many:
            _raise(context, one)
    for provider in sorted({key.provider for key in many}):
        _raise_many(context, [one for one in raising if one.key in many and one.key.provider == provider])


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
    by_deployment, by_model = dict[str, str](), dict[str, str]()
    # Any refused credential may be the only one of a starved call's model.
    reports = context.refused.reports(context.now, None if starved else refused)
    labels = condition_labels(context.tx, [report.key for report in reports])
    for report in reports:
        for row in report.rows:
            if row.deployment_id in refused:
                by_deployment.setdefault(row.deployment_id, labels[report.key])
        for model in report.alone:
            by_model.setdefault(model, labels[report.key])
    return [_labelled(alert, by_deployment, by_model) for alert in alerts]


@dataclass(frozen=True, slots=True)
class _Refused:
    """A credential's state before the batch, its refusals since its last success, and the batch's refused calls."""

    state: CredentialState
    report: RefusalReport
    events: Sequence[AttemptFailed]

    @property
    def key(self) -> CredentialKey:
        return self.report.key

    def is_raising(self, limits: Limits) -> bool:
        """Return whether the batch opens the condition, raises its grade or adds to it."""
        verdict = judge_credential(self.report.rows, limits)
        return verdict is not None and (bool(self.events) or self.grade(verdict).rank > self.state.level)

    def grade(self, verdict: WindowVerdict) -> Grade:
        return credentials.grade_of(verdict, self.report).worst(self.state.level)


def _many(context: BatchContext, raising: Sequence[_Refused]) -> set[CredentialKey]:
    """Return the credentials that share their provider's condition.

    If more than `credentials.MOST` credentials of a provider are refused, the newly refused ones share it. A condition
    of a single credential stays open.
    """
    tx, new = context.tx, Counter(one.key.provider for one in raising if not one.state.level)
    known = Counter(key.provider for key in tx.credentials.refused_credentials()) if new else Counter[str]()
    full = {provider for provider in new if new[provider] + known[provider] > credentials.MOST}
    old = {one.key for one in raising if one.state.level}
    shared = {key: credentials.shared_by(key.provider) for key in old}
    opened = own_conditions(tx, {*old, *shared.values()})
    joined = {key for key in old if key not in opened and shared[key] in opened}
    return joined | {one.key for one in raising if not one.state.level and one.key.provider in full}


def _raise(context: BatchContext, one: _Refused) -> None:
    """Claim a credential's condition, and store its new level."""
    opened = context.tx.alerts.find_open(credential_alert.fingerprint(one.key)) if one.state.level else None
    if one.events or opened is not None:
        grade = _claim(context, one.report, one.events, one.state.level, opened)
        _keep(context, one, grade)


def _raise_many(context: BatchContext, refused: Sequence[_Refused]) -> None:
    """Claim the condition that credentials of a provider share."""
    report = credentials.add_up_reports(refused[0].key.provider, [one.report for one in refused])
    opened = context.tx.alerts.find_open(credential_alert.fingerprint(report.key))
    events = [event for one in refused for event in one.events]
    if events or opened is not None:
        grade = _claim(context, report, events, max(one.state.level for one in refused), opened)
        for one in refused:
            _keep(context, one, grade)


def _keep(context: BatchContext, one: _Refused, grade: Grade) -> None:
    if grade.rank != one.state.level:
        context.tx.credentials.keep_credential(one.key, replace(one.state, level=grade.rank))


def _claim(
    context: BatchContext, report: RefusalReport, events: Sequence[AttemptFailed], level: int, opened: OpenAlert | None
) -> Grade:
    """Claim the alert about refused calls. Return its grade."""
    tx, policy = context.tx, context.runtime.policy.outages
    verdict = credentials.sums_of(report.rows)
    grade = credentials.grade_of(verdict, report).worst(level)
    kept = tx.occurrences.count_members(opened.id) if opened is not None else 0
    alert = credential_alert.describe(
        report,
        verdict,
        grade,
        events,
        names=names_of(tx, verdict.failures),
        members=max(0, policy.max_details - kept),
        is_open=opened is not None,
    )
    since = _first_refusal(tx, report.rows, verdict.since)
    claim(tx, replace(alert, first_at=since), context.runtime, now=context.now)
    return grade


def _first_refusal(tx: Transaction, rows: Iterable[Refusals], since: int) -> datetime:
    """Return the first failure of the deployments that were refused in the bucket ``since``."""
    targets = {Target(row.deployment_id): since for row in rows if row.since == since}
    buckets = [row for own in tx.outages.buckets_of(targets, end=since + WINDOW_SECONDS).values() for row in own]
    first = min((row.failed_since for row in buckets if row.failed), default=since * 1_000)
    return datetime.fromtimestamp(first / 1_000, UTC)


def _with_enough_refusals(
    context: BatchContext,
    states: Mapping[CredentialKey, CredentialState],
    refused: Mapping[CredentialKey, Sequence[AttemptFailed]],
) -> Mapping[CredentialKey, CredentialState]:
    """Return the credentials that may have a condition. If there are many, one statement counts their refusals."""
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
    return not event.deployment_id and event.failure.error_class.startswith(NO_DEPLOYMENTS)


def _labelled(alert: Alert, by_deployment: Mapping[str, str], by_model: Mapping[str, str]) -> Alert:
    """Return the alert with the refused credential of its deployment, or the only one of its model, as a label."""
    identity, credential = alert.identity, None
    own = by_deployment.get(identity.get("deployment", ""))
    if alert.type is AlertType.COOLDOWN_DEPLOYMENT:
        credential = own
    elif alert.type is AlertType.LLM_EXCEPTIONS:
        if identity.get("status") in REFUSED:
            credential = own
        if identity.get("error", "").startswith(NO_DEPLOYMENTS) and not identity.get("deployment"):
            credential = by_model.get(identity.get("model", ""))
    return alert if credential is None else replace(alert, labels={**alert.labels, "credential": credential})
