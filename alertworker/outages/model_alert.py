"""The alert of a model group's outage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from alertworker.alerts.alert import Alert, OpenAlert, Subject, fingerprint_of
from alertworker.alerts.call_description import newest_metadata
from alertworker.alerts.catalogue import AlertType, OutageScope
from alertworker.alerts.outage_headline import ModelOutcome, ModelState, OutageHeadline
from alertworker.events import AttemptFailed
from alertworker.outages.alert import began_at, closing, details, total, verdict_facts
from alertworker.outages.ending import Ending
from alertworker.outages.facts import titles_of
from alertworker.outages.grade import Grade
from alertworker.outages.headline import with_headline
from alertworker.outages.model import JudgedModel
from alertworker.outages.policy import OutagePolicy
from alertworker.outages.windows import Bucket, Calls

_S = TypeVar("_S", bound=Subject)
_A = TypeVar("_A", bound=Alert | Subject)

#: The minimum share of failed calls of a model that is down. With a smaller share, deployments still answer many calls.
_DOWN_SHARE: Final = 0.5


def identity(model: str) -> Mapping[str, str]:
    """Return the labels that identify a model's outage."""
    return {"scope": OutageScope.MODEL.value, "model": model}


def fingerprint(model: str) -> str:
    """Return the fingerprint of a model's outage."""
    return fingerprint_of(AlertType.OUTAGE_ALERTS, identity(model))


def is_about_model(alert: Subject) -> bool:
    """Return whether an alert is the outage of a model group."""
    return alert.type is AlertType.OUTAGE_ALERTS and alert.labels.get("scope") == OutageScope.MODEL


def model_alert(
    model: str,
    judged: JudgedModel,
    grade: Grade,
    open_alert: OpenAlert | None,
    events: Sequence[AttemptFailed],
    policy: OutagePolicy,
    *,
    kept: int,
) -> Alert:
    """Return the alert that opens a model's outage, raises its grade or adds a batch to it.

    Its headline and facts are the current ones. Only a rise to High sends another message: the model is down already.
    ``events`` are the batch's own failed calls. ``kept`` is how many failures the alert names already.
    """
    verdict = judged.verdict
    until = datetime.fromtimestamp(verdict.until, UTC)
    last_at = max((event.occurred_at for event in events), default=open_alert.last_at if open_alert else until)
    first_at = began_at(verdict) if verdict.crossed or open_alert is None else open_alert.first_at
    alert = Alert(
        type=AlertType.OUTAGE_ALERTS,
        severity=grade.severity,
        identity=identity(model),
        headline=open_alert.headline if open_alert else "",
        headline_parts=open_alert.headline_parts if open_alert else None,
        first_at=first_at,
        last_at=last_at,
        count=max(verdict.failed, len(events)) if open_alert is None else len(events),
        labels=_labels(judged),
        facts=_facts(model, judged, grade, events, policy)
        if verdict.crossed or open_alert is None
        else open_alert.facts,
        members=details(events, policy, kept),
        metadata=newest_metadata(events) if events else {},
        level=1 + grade.is_high,
    )
    if not verdict.crossed and open_alert is not None:
        return _counted(alert, judged.calls)
    parts = OutageHeadline(subject=f"model {model}", is_major=grade.is_major, outcome=_outcome(judged))
    return with_headline(alert, parts)


def total_of_model(alert: _S, buckets: Sequence[Bucket], calls: Calls, names: Mapping[str, str]) -> _S:
    """Return a model's outage with its current facts. ``buckets`` and ``calls`` cover all the time since it began.

    ``names`` are those of deployments by id.
    """
    return _counted(total(alert, buckets, calls, names), calls)


def close_model(
    alert: OpenAlert,
    buckets: Sequence[Bucket],
    calls: Calls,
    names: Mapping[str, str],
    ending: Ending,
    *,
    quiet: timedelta,
) -> OpenAlert:
    """Return a model's outage with the headline and facts of its resolving message."""
    return _counted(closing(alert, buckets, calls, names, ending, quiet=quiet), calls)


def _outcome(judged: JudgedModel) -> ModelOutcome:
    answering, active = judged.answering
    outcome = ModelOutcome(state=_state(judged), failing=active - answering, deployments=active)
    return _with_counts(outcome, judged.calls)


def _state(judged: JudgedModel) -> ModelState:
    verdict, lost = judged.verdict, judged.calls.lost
    answering, _ = judged.answering
    if answering or verdict.failed < _DOWN_SHARE * verdict.calls:
        fails = ModelState.FAILS_ON_MOST if answering else ModelState.FAILS
        return ModelState.FAILS_FOR_USERS if lost else fails
    return ModelState.DOWN_FOR_USERS if lost else ModelState.DOWN


def _with_counts(outcome: ModelOutcome, calls: Calls) -> ModelOutcome:
    lost = sum(calls.lost.values())
    return outcome.model_copy(update={"lost": lost, "by_fallback": calls.by_fallback, "by_retry": calls.by_retry})


def _counted(alert: _A, calls: Calls) -> _A:
    """Return the alert with the current numbers of calls. One of the previous version keeps its headline."""
    parts = alert.headline_parts
    if parts is None or parts.outcome is None:
        return alert
    return with_headline(alert, parts.model_copy(update={"outcome": _with_counts(parts.outcome, calls)}))


def _labels(judged: JudgedModel) -> dict[str, str]:
    """Return further labels: the provider, and the region, if all failing deployments have the same.

    The outage of that provider or region then explains the outage of the model. Workers of the previous version read
    the label ``deployment`` of every such alert, so it is present and empty.
    """
    labels = {"deployment": ""}
    providers, regions = {provider for provider, _ in judged.places}, {region for _, region in judged.places}
    if len(providers) == 1 and all(providers):
        labels["provider"] = next(iter(providers))
        labels |= {"region": next(iter(regions))} if len(regions) == 1 and all(regions) else {}
    return labels


def _facts(
    model: str, judged: JudgedModel, grade: Grade, events: Sequence[AttemptFailed], policy: OutagePolicy
) -> dict[str, str]:
    facts = verdict_facts(judged.verdict, grade, judged.calls, titles_of({}, events), policy.model)
    facts["Request Model"] = model
    error = max(events, key=lambda event: event.occurred_at).failure.message if events else ""
    return facts | ({"Error": error} if error else {})
