"""The alert of an outage of a deployment or region. `verdict` decides whether there is an outage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from alertworker.alerts.alert import Alert, OpenAlert, fingerprint_of
from alertworker.alerts.call_description import name_call, newest_metadata
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.events import AttemptFailed
from alertworker.outages.ending import NO_TRAFFIC_SECONDS, End
from alertworker.outages.rows import CallKey, CallSums
from alertworker.outages.verdict import Grade, WindowVerdict
from alertworker.outages.windows import WINDOW_SECONDS, Bucket, Calls, Limits, OutagePolicy, Target, targets_of
from alertworker.text.format import spell

#: The maximum number of a region's deployments, or of teams, that a message names.
_MAX_NAMES = 5


def targets(blamed: Iterable[AttemptFailed]) -> dict[Target, list[AttemptFailed]]:
    """Return a batch's failed calls by deployment and by region."""
    found: dict[Target, list[AttemptFailed]] = {}
    for event in blamed:
        for target in targets_of(event):
            found.setdefault(target, []).append(event)
    return found


def lost_buckets(calls: Mapping[CallKey, CallSums]) -> dict[Target, list[int]]:
    """Return the buckets in which calls ended without an answer that a target had failed."""
    found: dict[Target, list[int]] = {}
    for key, sums in calls.items():
        if sums.lost:
            found.setdefault(Target(key.deployment_id, key.provider, key.region), []).append(key.bucket)
    return found


def target_of(alert: OpenAlert) -> Target:
    """Return the deployment or region of an outage's alert."""
    labels = alert.labels
    if alert.type is AlertType.OUTAGE_ALERTS:
        return Target(deployment_id=labels["deployment"])
    return Target(provider=labels["provider"], region=labels["region"])


def limits_of(target: Target, policy: OutagePolicy) -> Limits:
    """Return the policy's limits for a deployment or a region."""
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
    level = "Major" if grade.is_major else "Minor"
    alert_type, identity = _identity(target)
    return Alert(
        type=alert_type,
        identity=identity,
        first_at=datetime.fromtimestamp(verdict.since, UTC),
        severity=grade.severity,
        headline=f"{level} Service Outage: {_name(target, last)}",
        last_at=last.occurred_at,
        count=max(verdict.failed, len(events)) if kept is None else len(events),
        labels=_labels(target, last),
        facts=_facts(target, verdict, grade, calls, last, limits_of(target, policy)),
        members=_details(events, policy, kept or 0),
        metadata=newest_metadata(events),
        level=grade.alert_level,
    )


def ongoing(
    target: Target,
    standing: OpenAlert,
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
        headline=standing.headline,
        first_at=datetime.fromtimestamp(verdict.since, UTC) if verdict.crossed else standing.first_at,
        last_at=max(event.occurred_at for event in events),
        count=len(events),
        facts=standing.facts,
        members=_details(events, policy, kept),
        metadata=newest_metadata(events),
        level=standing.level,
    )


def risen(target: Target, standing: OpenAlert, grade: Grade, calls: Calls) -> Alert:
    """Return the alert that raises an open outage's grade because calls were lost. It adds no occurrences."""
    alert_type, identity = _identity(target)
    facts = {label: text for label, text in standing.facts.items() if label != "Calls"}
    return Alert(
        type=alert_type,
        severity=grade.severity,
        identity=identity,
        headline=standing.headline.replace("Minor", "Major", 1) if grade.is_major else standing.headline,
        first_at=standing.first_at,
        last_at=standing.last_at,
        count=0,
        labels={name: value for name, value in standing.labels.items() if name not in identity},
        facts=facts | spell_calls(calls),
        level=grade.alert_level,
    )


def total(alert: OpenAlert, buckets: Sequence[Bucket], calls: Calls) -> OpenAlert:
    """Return an outage with the totals of ``buckets`` and ``calls``, which cover all the time since it began."""
    failed = sum(sum(row.causes.values()) for row in buckets)
    attempts = failed + sum(row.succeeded for row in buckets)
    kept = {label: text for label, text in alert.facts.items() if label not in {"Attempts", "Calls"}}
    facts = {"Attempts": f"{failed} of {attempts} failed"} | spell_calls(calls)
    return replace(alert, count=max(failed, alert.notified_count), facts=facts | kept)


def closing(alert: OpenAlert, buckets: Sequence[Bucket], calls: Calls, end: End) -> OpenAlert:
    """Return an outage with the facts of its resolving message."""
    last = total(alert, buckets, calls)
    facts = {label: text for label, text in last.facts.items() if label != "Error"}
    if end is End.UNKNOWN:
        facts["State"] = f"unknown: no attempts for {NO_TRAFFIC_SECONDS // 60} min"
    return replace(last, facts=facts, unknown=end is End.UNKNOWN)


def spell_calls(calls: Calls) -> dict[str, str]:
    """Return the fact "Calls", which says how the calls that the target failed ended; nothing if there are none.

    >>> spell_calls(Calls(by_fallback=28, lost={"billing": 1, "search": 2}))
    {'Calls': '28 saved by fallback, 3 failed for good (search ×2, billing)'}
    """
    lost = Counter(calls.lost)
    parts = [f"{calls.by_fallback} saved by fallback"] if calls.by_fallback else []
    parts += [f"{calls.by_retry} saved by retry"] if calls.by_retry else []
    if lost.total():
        ranked = sorted(lost.items(), key=lambda item: (-item[1], item[0]))
        teams = [f"{team} ×{count}" if count > 1 else team for team, count in ranked]
        parts += [f"{lost.total()} failed for good ({_names(teams)})"]
    return {"Calls": ", ".join(parts)} if parts else {}


def _identity(target: Target) -> tuple[AlertType, dict[str, str]]:
    if target.deployment_id:
        return AlertType.OUTAGE_ALERTS, {"deployment": target.deployment_id}
    return AlertType.REGION_OUTAGE_ALERTS, {"provider": target.provider, "region": target.region}


def _name(target: Target, event: AttemptFailed) -> str:
    if not target.deployment_id:
        return f"region {target.region} ({target.provider})"
    model = event.model_group or event.model
    return f"{target.deployment_id} ({model})" if model else target.deployment_id


def _labels(target: Target, event: AttemptFailed) -> Mapping[str, str]:
    if not target.deployment_id:
        return {}
    labels = {"model": event.model_group or event.model, "provider": event.provider, "region": event.region}
    return {name: value for name, value in labels.items() if value}


def _facts(
    target: Target, verdict: WindowVerdict, grade: Grade, calls: Calls, last: AttemptFailed, limits: Limits
) -> dict[str, str]:
    threshold = limits.major if grade.is_major and not verdict.is_dead else limits.minor
    causes = sorted(verdict.causes.items(), key=lambda item: (-item[1], item[0]))
    spelled = ", ".join(f"{name} ×{count}" for name, count in causes)
    seconds = timedelta(seconds=verdict.until - verdict.since + WINDOW_SECONDS)
    counts = f"{verdict.failed} of {verdict.calls} failed in {spell(seconds)}"
    facts: dict[str, str | None] = {"Attempts": f"{counts} ({spelled}); threshold {threshold}"}
    facts |= spell_calls(calls)
    if target.deployment_id:
        facts |= {"Request Model": last.model_group or last.model, "API Base": last.api_base}
        facts |= {"Deployment": target.deployment_id, "Provider": last.provider, "Region": last.region}
    else:
        facts |= {"Provider": target.provider, "Region": target.region, "Deployments": _names(verdict.deployments)}
    facts["Error"] = last.failure.message
    return {label: text for label, text in facts.items() if text}


def _names(names: Sequence[str]) -> str:
    rest = len(names) - _MAX_NAMES
    return ", ".join(names[:_MAX_NAMES]) + (f" and {rest} more" if rest > 0 else "")


def _details(events: Sequence[AttemptFailed], policy: OutagePolicy, kept: int) -> tuple[str, ...]:
    return tuple(_detail(event) for event in events[: max(0, policy.max_details - kept)])


def _detail(event: AttemptFailed) -> str:
    failure = event.failure
    error = f"{failure.error_class} {failure.status_code}" if failure.status_code else failure.error_class
    return name_call(event.call_id, error, event.attribution.name_of("team"), metadata=event.alerting_metadata)
