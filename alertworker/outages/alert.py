"""The alert of an outage of a deployment, region or provider. `verdict` decides whether there is an outage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from alertworker.alerts.alert import Alert, OpenAlert, Subject, fingerprint_of
from alertworker.alerts.call_description import deployment_facts, name_call, newest_metadata
from alertworker.alerts.catalogue import AlertType, OutageScope, Severity
from alertworker.alerts.outage_headline import OutageHeadline
from alertworker.events import AttemptFailed
from alertworker.outages.ending import End, Ending
from alertworker.outages.facts import (
    Totals,
    current_facts,
    spell_calls,
    spell_threshold,
    titles_of,
    with_current_facts,
    without_error,
)
from alertworker.outages.grade import Grade
from alertworker.outages.headline import spell_target, with_grade, with_headline
from alertworker.outages.policy import Limits, OutagePolicy
from alertworker.outages.rows import CallKey, CallSums
from alertworker.outages.verdict import WindowVerdict
from alertworker.outages.windows import Bucket, Calls, Target, targets_of
from alertworker.text.format import spell

_S = TypeVar("_S", bound=Subject)


def targets(blamed: Iterable[AttemptFailed]) -> dict[Target, list[AttemptFailed]]:
    """Return a batch's failed calls by deployment, by region and by provider."""
    found: dict[Target, list[AttemptFailed]] = {}
    for event in blamed:
        for target in targets_of(event):
            found.setdefault(target, []).append(event)
    return found


def lost_buckets(calls: Mapping[CallKey, CallSums]) -> dict[Target, list[int]]:
    """Return for each target the buckets of lost calls: the target failed them, and no retry was answered."""
    found: dict[Target, list[int]] = {}
    for key, sums in calls.items():
        if sums.lost:
            found.setdefault(Target(key.deployment_id, key.provider, key.region), []).append(key.bucket)
    return found


def target_of(alert: Subject) -> Target:
    """Return the deployment, region or provider of an outage's alert."""
    labels = alert.labels
    if labels.get("scope") == OutageScope.PROVIDER:
        return Target(provider=labels["provider"])
    if alert.type is AlertType.OUTAGE_ALERTS:
        return Target(deployment_id=labels["deployment"])
    return Target(provider=labels["provider"], region=labels["region"])


def limits_of(target: Target, policy: OutagePolicy) -> Limits:
    """Return the policy's limits for a deployment, a region or a provider."""
    if target.is_provider:
        return policy.provider
    return policy.deployment if target.deployment_id else policy.region


def fingerprint(target: Target) -> str:
    """Return the fingerprint of a target's outage."""
    return fingerprint_of(*_identity(target))


def describe(
    target: Target,
    verdict: WindowVerdict,
    grade: Grade,
    calls: Calls,
    events: Sequence[AttemptFailed],
    policy: OutagePolicy,
    *,
    kept: int | None,
) -> Alert:
    """Return the alert that opens an outage or raises its grade.

    ``events`` are the batch's own failed calls, and all are counted. ``calls`` are those since the outage began.
    ``kept`` is how many failures the alert names already, ``None`` if the outage opens now. The policy limits how many
    are named.
    """
    last = max(events, key=lambda event: event.occurred_at)
    alert_type, identity = _identity(target)
    alert = Alert(
        type=alert_type,
        identity=identity,
        first_at=began_at(verdict),
        severity=grade.severity,
        headline="",
        last_at=last.occurred_at,
        count=max(verdict.failed, len(events)) if kept is None else len(events),
        labels=_labels(target, last),
        facts=_facts(target, verdict, grade, calls, events, limits_of(target, policy)),
        members=details(events, policy, kept or 0),
        metadata=newest_metadata(events),
        level=grade.alert_level,
    )
    subject = spell_target(target, last.model or last.model_group, last.provider, last.region)
    return with_headline(alert, OutageHeadline(subject=subject, is_major=grade.is_major))


def ongoing(
    target: Target,
    open_alert: OpenAlert,
    verdict: WindowVerdict,
    events: Sequence[AttemptFailed],
    policy: OutagePolicy,
    *,
    kept: int,
) -> Alert:
    """Return the alert that adds a batch to an open outage and keeps the outage's headline and facts.

    All events are counted. ``kept`` is how many failures the alert names already. The policy limits how many are named.
    """
    alert_type, identity = _identity(target)
    return Alert(
        type=alert_type,
        severity=Severity.MEDIUM,
        identity=identity,
        headline=open_alert.headline,
        headline_parts=open_alert.headline_parts,
        first_at=began_at(verdict) if verdict.crossed else open_alert.first_at,
        last_at=max(event.occurred_at for event in events),
        count=len(events),
        labels={name: value for name, value in open_alert.labels.items() if name not in identity},
        facts=open_alert.facts,
        members=details(events, policy, kept),
        metadata=newest_metadata(events),
        level=open_alert.level,
    )


def risen(
    target: Target, open_alert: OpenAlert, verdict: WindowVerdict, grade: Grade, calls: Calls, policy: OutagePolicy
) -> Alert:
    """Return the alert that raises an open outage's grade because calls were lost. It adds no occurrences."""
    alert_type, identity = _identity(target)
    alert = Alert(
        type=alert_type,
        severity=grade.severity,
        identity=identity,
        headline=open_alert.headline,
        headline_parts=open_alert.headline_parts,
        first_at=open_alert.first_at,
        last_at=open_alert.last_at,
        count=0,
        labels={name: value for name, value in open_alert.labels.items() if name not in identity},
        facts={**open_alert.facts, **spell_calls(calls), **_threshold(verdict, grade, limits_of(target, policy))},
        level=grade.alert_level,
    )
    return with_grade(alert, target, open_alert.labels, is_major=grade.is_major)


def total(alert: _S, buckets: Sequence[Bucket], calls: Calls, names: Mapping[str, str], *, is_over: bool = False) -> _S:
    """Return an outage with its current facts. ``buckets`` and ``calls`` cover all the time since it began.

    ``names`` are those of deployments by id.
    """
    totals = Totals.of(buckets)
    if not totals.failed:  # its buckets are deleted, or all failed calls found no deployment
        return alert if calls == Calls() else replace(alert, facts={**alert.facts, **spell_calls(calls)})
    of_region = None if target_of(alert).deployment_id else titles_of(names)
    facts = with_current_facts(alert.facts, current_facts(totals, calls, of_region, is_over=is_over))
    return replace(alert, count=max(totals.failed, alert.notified_count), facts=facts)


def closing(
    alert: OpenAlert,
    buckets: Sequence[Bucket],
    calls: Calls,
    names: Mapping[str, str],
    ending: Ending,
    *,
    quiet: timedelta,
) -> OpenAlert:
    """Return an outage with the facts of its resolving message. It ended when the target recovered.

    An unknown end comes after ``quiet`` without calls.
    """
    last = total(alert, buckets, calls, names, is_over=True)
    facts = without_error(last.facts)
    if ending.how is End.UNKNOWN:
        facts = {"State": f"unknown: no calls for {spell(quiet)}"} | facts
        return replace(last, facts=facts, unknown=True)
    return replace(last, facts=facts, ended_at=max(alert.first_at, datetime.fromtimestamp(ending.at, UTC)))


def _identity(target: Target) -> tuple[AlertType, dict[str, str]]:
    if target.deployment_id:
        return AlertType.OUTAGE_ALERTS, {"deployment": target.deployment_id}
    if target.is_provider:
        return AlertType.OUTAGE_ALERTS, {"scope": OutageScope.PROVIDER.value, "provider": target.provider}
    return AlertType.REGION_OUTAGE_ALERTS, {"provider": target.provider, "region": target.region}


def began_at(verdict: WindowVerdict) -> datetime:
    """Return when the first call of an outage failed."""
    return datetime.fromtimestamp(verdict.first_failure / 1_000 or verdict.since, UTC)


def _labels(target: Target, event: AttemptFailed) -> Mapping[str, str]:
    if target.is_provider:
        return {"deployment": ""}  # workers of the previous version read this label of every outage
    if not target.deployment_id:
        return {}
    labels = {"model": event.model_group or event.model, "provider": event.provider, "region": event.region}
    return {name: value for name, value in labels.items() if value}


def _facts(
    target: Target,
    verdict: WindowVerdict,
    grade: Grade,
    calls: Calls,
    events: Sequence[AttemptFailed],
    limits: Limits,
) -> dict[str, str]:
    last = max(events, key=lambda event: event.occurred_at)
    facts = verdict_facts(verdict, grade, calls, None if target.deployment_id else titles_of({}, events), limits)
    if target.deployment_id:
        where = deployment_facts(last)
        named = {"Provider", "Region"} if last.model else set()  # the deployment's name has both
        facts |= {"Request Model": last.model_group or last.model or ""}
        facts |= {label: text for label, text in where.items() if label not in named}
    else:
        facts |= {"Provider": target.provider} | ({"Region": target.region} if target.region else {})
    facts["Error"] = last.failure.message
    return {label: text for label, text in facts.items() if text}


def verdict_facts(
    verdict: WindowVerdict, grade: Grade, calls: Calls, titles: Mapping[str, str] | None, limits: Limits
) -> dict[str, str]:
    """Return the facts of a verdict. ``titles`` are those of several deployments by id, ``None`` for a deployment."""
    return current_facts(Totals.of_verdict(verdict), calls, titles) | _threshold(verdict, grade, limits)


def _threshold(verdict: WindowVerdict, grade: Grade, limits: Limits) -> dict[str, str]:
    crossed = limits.major if grade.is_major and not verdict.is_dead else limits.minor
    return {"Threshold": spell_threshold(crossed, limits)}


def details(events: Sequence[AttemptFailed], policy: OutagePolicy, kept: int) -> tuple[str, ...]:
    """Return the names of failed calls. The policy limits how many an alert names, and ``kept`` is how many it has."""
    return tuple(_detail(event) for event in events[: max(0, policy.max_details - kept)])


def _detail(event: AttemptFailed) -> str:
    failure = event.failure
    error = f"{failure.error_class} {failure.status_code}" if failure.status_code else failure.error_class
    return name_call(event.call_id, error, event.attribution.name_of("team"), metadata=event.alerting_metadata)
