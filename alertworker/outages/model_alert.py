"""The alert of a model group's outage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from alertworker.alerts.alert import Alert, OpenAlert, Subject, fingerprint_of
from alertworker.alerts.call_description import newest_metadata
from alertworker.alerts.catalogue import AlertType, OutageScope
from alertworker.events import AttemptFailed
from alertworker.outages.alert import began_at, closing, details, total, verdict_facts
from alertworker.outages.ending import Ending
from alertworker.outages.facts import titles_of
from alertworker.outages.grade import Grade
from alertworker.outages.model import JudgedModel
from alertworker.outages.verdict import WindowVerdict
from alertworker.outages.windows import Bucket, Calls, OutagePolicy

_S = TypeVar("_S", bound=Subject)

#: The minimum share of failed calls of a model that is down. With a smaller share its deployments still answer many.
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
    level = "Major" if grade.is_major else "Minor"
    until = datetime.fromtimestamp(verdict.until, UTC)
    last_at = max((event.occurred_at for event in events), default=open_alert.last_at if open_alert else until)
    first_at = began_at(verdict) if verdict.crossed or open_alert is None else open_alert.first_at
    state = f"{level} Service Outage: model {model} {_state(verdict, judged.calls)}"
    return Alert(
        type=AlertType.OUTAGE_ALERTS,
        severity=grade.severity,
        identity=identity(model),
        headline=_count(state if verdict.crossed or open_alert is None else open_alert.headline, judged.calls),
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


def total_of_model(alert: _S, buckets: Sequence[Bucket], calls: Calls, names: Mapping[str, str]) -> _S:
    """Return a model's outage with its current facts. ``buckets`` and ``calls`` cover all the time since it began.

    ``names`` are those of deployments by id.
    """
    return replace(total(alert, buckets, calls, names), headline=_count(alert.headline, calls))


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
    last = closing(alert, buckets, calls, names, ending, quiet=quiet)
    return replace(last, headline=_count(alert.headline, calls))


def _state(verdict: WindowVerdict, calls: Calls) -> str:
    if verdict.failed < _DOWN_SHARE * verdict.calls:
        return "fails on all deployments" if not calls.lost else "fails for users"
    return "is down for users" if calls.lost else "is down"


def _count(headline: str, calls: Calls) -> str:
    """Return the headline with the current numbers of calls.

    >>> _count("Major Service Outage: model gpt-4o is down (1 call lost)", Calls(28, 0, {"search": 2}))
    'Major Service Outage: model gpt-4o is down (2 calls lost, 28 saved by fallback)'
    """
    lost = sum(calls.lost.values())
    counts = [f"{lost} call{'s' if lost != 1 else ''} lost"]
    counts += [f"{calls.by_fallback} saved by fallback"] if calls.by_fallback else []
    counts += [f"{calls.by_retry} saved by retry"] if calls.by_retry else []
    stem = headline.rpartition(" (")[0] if headline.endswith(")") else headline
    return f"{stem} ({', '.join(counts)})"


def _labels(judged: JudgedModel) -> dict[str, str]:
    """Return further labels: the provider and region, if all failing deployments have the same.

    Then the outage of that region explains the model's. Workers of the previous version read the label ``deployment``
    of every such alert, so it is present and empty.
    """
    labels = {"deployment": ""}
    if len(judged.places) == 1:
        provider, region = next(iter(judged.places))
        labels |= {"provider": provider, "region": region} if provider and region else {}
    return labels


def _facts(
    model: str, judged: JudgedModel, grade: Grade, events: Sequence[AttemptFailed], policy: OutagePolicy
) -> dict[str, str]:
    facts = verdict_facts(judged.verdict, grade, judged.calls, titles_of({}, events), policy.model)
    facts["Request Model"] = model
    error = max(events, key=lambda event: event.occurred_at).failure.message if events else ""
    return facts | ({"Error": error} if error else {})
