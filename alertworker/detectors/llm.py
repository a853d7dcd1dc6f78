"""Failed, slow and hanging calls.

Severity depends on the cause, not on the status alone. A failure of the proxy itself is High. A failure of a
deployment is Low, because an outage of the deployment is judged by all its calls. A caller's mistake raises no alert,
however often it is repeated, so an anonymous client cannot page anyone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from alertworker.alerts.alert import Alert, OpenAlert
from alertworker.alerts.call_description import (
    UNKNOWN_MODEL,
    call_labels,
    deployment_facts,
    key_label,
    model_of,
    name_call,
    newest_metadata,
    owner_facts,
    trace_link,
)
from alertworker.alerts.catalogue import MAX_MEMBERS, RELAYED, AlertType, Severity
from alertworker.detectors.policy import Policy
from alertworker.events import CallEvent, EndEvent, Origin, RequestAnnounced, RequestFailed
from alertworker.events.attribution import OWNER_LABELS
from alertworker.folding import Fold
from alertworker.outages.windows import NO_DEPLOYMENTS
from alertworker.text.names import deployment_with_id, short_id

_E = TypeVar("_E", bound=CallEvent)


def exceptions(fold: Fold, policy: Policy) -> Iterable[Alert]:
    """Yield one alert for each distinct failure: model, deployment, error, status and origin."""
    failures = [event for event in fold.failed if event.failure.origin is not Origin.CALLER]
    for identity, events in _grouped(failures, _failure_identity, policy):
        first = events[0]
        yield Alert(
            type=AlertType.LLM_EXCEPTIONS,
            severity=_severity(first),
            identity=identity,
            headline=_failed(first),
            first_at=min(event.occurred_at for event in events),
            last_at=max(event.occurred_at for event in events),
            count=len(events),
            labels=_shared_labels(events),
            facts=_facts(first)
            | _excerpt(first)
            | trace_link(first.trace_id, policy.langfuse_host)
            | ({"Error": first.failure.message} if first.failure.message else {}),
            members=tuple(_who(event) for event in events[:MAX_MEMBERS]),
            parts=_by_team(events),
            metadata=newest_metadata(events),
        )


def _failed(event: RequestFailed) -> str:
    """Return the headline of a failure. It names the deployment, because a model's deployments have notices each."""
    failure = event.failure
    error = f"{failure.error_class} {failure.status_code}" if failure.status_code else failure.error_class
    headline = f"LLM API call failed: {model_of(event)} · {error}"
    if not event.deployment_id:
        return headline
    model = event.model or event.model_group
    return f"{headline} · {deployment_with_id(event.deployment_id, model, event.provider, event.region)}"


def _shared_labels(events: Sequence[RequestFailed]) -> dict[str, str]:
    """Return the first call's labels, with a key only if all calls have the same one.

    The problem of one caller explains no failures of others.
    """
    keys = {key_label(event.key_alias, event.key_hash) for event in events}
    labels = {name: value for name, value in call_labels(events[0]).items() if name != "key"}
    return labels | ({"key": key} if len(keys) == 1 and (key := keys.pop()) else {})


def _severity(event: RequestFailed) -> Severity:
    """Return the severity of a failed call.

    * A deployment's failure is Low: an outage judges by all calls whether users are hurt.
    * A call is Low if the router found no deployment for it: all of them had failed before.
    * Another failure of the proxy itself is High: nothing else judges it.
    * A provider's failure without a deployment is Medium: no outage judges it, but a single call must not page.
    """
    failure = event.failure
    if failure.error_class.startswith(NO_DEPLOYMENTS):
        return Severity.LOW
    if failure.origin is not Origin.PROVIDER:
        return Severity.HIGH
    return Severity.LOW if event.deployment_id else Severity.MEDIUM


def too_slow(fold: Fold, policy: Policy) -> Iterable[Alert]:
    """Yield one alert for each model and deployment that answered slower than the threshold."""
    for identity, events in _grouped(fold.slow, _call_identity, policy):
        slowest = max(events, key=_seconds)
        seconds = _seconds(slowest)
        yield Alert(
            type=AlertType.LLM_TOO_SLOW,
            severity=Severity.LOW,
            identity=identity,
            headline=_slow(f"{seconds:.2f}s response time", model_of(slowest), policy),
            first_at=min(event.occurred_at for event in events),
            last_at=max(event.occurred_at for event in events),
            count=len(events),
            labels=call_labels(slowest),
            facts=_facts(slowest) | _excerpt(slowest) | trace_link(slowest.trace_id, policy.langfuse_host),
            members=tuple(f"{_who(event)} · {_seconds(event):.2f}s" for event in events[:MAX_MEMBERS]),
            parts=_by_team(events),
            metadata=newest_metadata(events),
        )


def summarize_slow(alert: OpenAlert, policy: Policy) -> OpenAlert:
    """Return the alert of a summary of slow calls: its headline has no response time of a single call.

    A notice has the response time of its slowest call.
    """
    count = alert.count - alert.notified_count
    if RELAYED in alert.labels or count < 2:
        return alert
    return replace(alert, headline=_slow(f"{count} response times", alert.labels.get("model", UNKNOWN_MODEL), policy))


def _slow(times: str, model: str, policy: Policy) -> str:
    """Return a headline in LiteLLM's words, which people filter for."""
    return f"Responses are slow - {times} > Alerting threshold: {policy.threshold_seconds:g}s ({model})"


def hanging(calls: Sequence[RequestAnnounced], policy: Policy) -> Iterable[tuple[Alert, Sequence[RequestAnnounced]]]:
    """Yield one condition for each model with hanging calls, with those calls. ``calls`` are newly announced."""
    for identity, events in _grouped(calls, lambda event: {"model": model_of(event)}, policy):
        oldest = max(events, key=lambda event: event.age_seconds)
        alert = Alert(
            type=AlertType.LLM_REQUESTS_HANGING,
            severity=Severity.MEDIUM,
            identity=identity,
            headline=f"Requests are hanging - {oldest.age_seconds:.0f}s without progress on {model_of(oldest)}",
            first_at=min(event.last_progress_at for event in events),
            last_at=max(event.occurred_at for event in events),
            count=len(events),
            labels=call_labels(oldest),
            facts=_facts_of_all(events)
            | trace_link(oldest.trace_id, policy.langfuse_host)
            | {"Alerting threshold": f"{policy.threshold_seconds:g}s"},
            members=tuple(f"{_who(event)} · {event.age_seconds:.0f}s" for event in events[:MAX_MEMBERS]),
            parts=_by_team(events),
            metadata=newest_metadata(events),
        )
        yield alert, events


def still_hanging(alert: OpenAlert, announced_for: timedelta, policy: Policy) -> OpenAlert:
    """Return a condition that counts only the calls that still hang. The oldest was announced so long ago."""
    seconds = announced_for.total_seconds() + policy.threshold_seconds
    headline = f"Requests are hanging - {seconds:.0f}s without progress on {alert.labels.get('model', 'a model')}"
    return replace(alert, headline=headline, notified_count=max(0, alert.count - alert.running))


def _grouped(
    events: Iterable[_E], identify: Callable[[_E], Mapping[str, str]], policy: Policy
) -> Iterable[tuple[Mapping[str, str], list[_E]]]:
    """Group calls by identity and by those labels of `OWNER_LABELS` that `Policy.group_by` names, oldest call first."""
    apart = [label for label in OWNER_LABELS if label in policy.group_by]
    groups: dict[tuple[tuple[str, str], ...], list[_E]] = {}
    for event in events:
        labels = call_labels(event) if apart else {}
        own = {label: labels[label] for label in apart if label in labels}
        groups.setdefault(tuple((dict(identify(event)) | own).items()), []).append(event)
    for key, members in groups.items():
        yield dict(key), sorted(members, key=lambda event: event.occurred_at)


def _seconds(event: EndEvent) -> float:
    return (event.ended_at - event.started_at).total_seconds()


def _call_identity(event: CallEvent) -> dict[str, str]:
    return {"model": model_of(event), "deployment": event.deployment_id or event.api_base or ""}


def _failure_identity(event: RequestFailed) -> dict[str, str]:
    failure = event.failure
    return _call_identity(event) | {
        "error": failure.error_class,
        "status": str(failure.status_code or ""),
        "origin": failure.origin.value,
    }


def _facts(event: CallEvent) -> dict[str, str]:
    return {"Request Model": model_of(event)} | deployment_facts(event) | owner_facts(event)


def _facts_of_all(events: Sequence[CallEvent]) -> dict[str, str]:
    """Return the facts that are the same for all calls."""
    first, *others = map(_facts, events)
    return {label: text for label, text in first.items() if all(other.get(label) == text for other in others)}


def _by_team(events: Iterable[CallEvent]) -> Mapping[str, int]:
    return Counter(event.attribution.team for event in events)


def _excerpt(event: EndEvent) -> dict[str, str]:
    return {"Messages": event.messages_excerpt} if event.messages_excerpt else {}


def _who(event: CallEvent) -> str:
    """Return the line that names one call: its id, team, key and user, and its metadata to show."""
    whose = event.attribution
    names = (event.call_id, short_id(whose.name_of("team")), whose.key_alias, short_id(whose.user_id))
    return name_call(*names, metadata=event.alerting_metadata)
