"""Compares the sent messages with a scenario's labels, incident by incident."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from alertworker.alerts.catalogue import REPORTS, AlertType, Severity
from alertworker.alerts.message import Message, Step
from bench.simulate.calls import Truth
from bench.simulate.faults import MINUTE
from bench.simulate.pipeline import Sent
from bench.simulate.result import Score
from bench.simulate.scenario import Affected, Incident, Must, Scenario, Traffic
from bench.simulate.simulation import Run

_RANK: Final[Mapping[Severity, int]] = {severity: rank for rank, severity in enumerate(Severity)}
#: How long after an incident a summary may still be about its calls, in seconds.
_AFTERMATH: Final = 10 * MINUTE
_CALLS: Final = frozenset({AlertType.LLM_EXCEPTIONS, AlertType.LLM_TOO_SLOW, AlertType.LLM_REQUESTS_HANGING})
_REGIONAL: Final = frozenset({AlertType.REGION_OUTAGE_ALERTS})
_ABOUT_HOSTS: Final = frozenset({AlertType.PUBLISHER_LOST, AlertType.PUBLISHER_SILENT})


def score(scenario: Scenario, traffic: Traffic, seed: int, run: Run) -> list[Score]:
    """Return the score of every incident; of a scenario without any, one of what was sent."""
    sent = [one for one in run.sent if one.at >= 0 and one.message.type not in REPORTS]
    first = _first_notices(run.sent)
    about: dict[str, list[Sent]] = {one.name: [] for one in scenario.incidents}
    strays: list[Sent] = []
    for one in sent:
        found = [
            incident
            for incident in scenario.incidents
            if relates(one.message, incident.affected) and not _is_later_noise(one, incident)
        ]
        # A message about two incidents counts for the one that is not over.
        found.sort(key=lambda incident: (incident.end < one.at, incident.start > one.at))
        (about[found[0].name] if found else strays).append(one)
    common = (scenario.name, traffic.value, seed)
    unrelated = _false_strays(strays, first, scenario)
    notices = len([one for one in strays if id(one) in first])
    totals: dict[str, Any] = {"calls": run.truth.calls, "lost": len(run.truth.lost), "took": round(run.took, 1)}
    if not scenario.incidents:
        high = sum(one.message.severity is Severity.HIGH for one in unrelated)
        return [
            Score(*common, "", None, None, None, len(strays) - notices, None, len(unrelated), high, notices, None,
                  None, _highest(strays), None, log=_log(unrelated, unrelated), **totals)
        ]  # fmt: skip
    scores = []
    for number, incident in enumerate(scenario.incidents):
        extra = unrelated if number == 0 else []
        scores.append(_score(common, incident, about[incident.name], first, extra, run, totals))
    return scores


def _is_later_noise(sent: Sent, incident: Incident) -> bool:
    """Return whether a Low message after an incident is about a call that fails on any day.

    That is a notice of one call. A summary may be about the incident's calls, unless it comes long after.
    """
    message, late = sent.message, sent.at - incident.end - incident.grace
    if message.severity is not Severity.LOW or late <= 0:
        return False
    return late > _AFTERMATH or (message.step is Step.NOTICE and message.count == 1)


def relates(message: Message, affected: Affected) -> bool:
    """Return whether a message may be about what an incident touches."""
    labels, scope = message.labels, message.labels.get("scope")
    verdicts = (
        (message.type in _ABOUT_HOSTS, _host_of(message) in affected.hosts),
        (message.type in _REGIONAL, (labels.get("provider"), labels.get("region")) in affected.regions),
        (message.type in _CALLS, _is_about_calls(labels, affected)),
        (scope == "credential" or "credential" in labels, labels.get("credential") in affected.credentials),
        (scope == "provider", labels.get("provider") in affected.providers),
        (scope == "model", labels.get("model") in affected.models),
        (scope in {"key", "caller"} or "key" in labels, labels.get("key") in affected.callers),
        ("deployment" in labels, labels.get("deployment") in affected.deployments),
    )
    return next((verdict for applies, verdict in verdicts if applies), _is_about_calls(labels, affected))


def _is_about_calls(labels: Mapping[str, str], affected: Affected) -> bool:
    return (
        labels.get("deployment") in affected.deployments
        or labels.get("model") in affected.touched
        or labels.get("key") in affected.callers
    )


def _host_of(message: Message) -> str:
    return message.labels.get("host") or message.facts.get("Host", "")


def _score(
    common: tuple[str, str, int],
    incident: Incident,
    sent: Sequence[Sent],
    first: frozenset[int],
    strays: Sequence[Sent],
    run: Run,
    totals: Mapping[str, Any],
) -> Score:
    must = incident.must
    due = _due(incident, must, run.truth) if must else None
    named = [one for one in sent if must and _names(one.message, must) and one.message.step is not Step.RESOLVED]
    counted = [one for one in sent if id(one) not in first or (must and not _may_precede(one, named))]
    considered = [one for one in sent if one in counted or _is_silenced(incident, one)]
    false = [*strays, *_out_of_place(incident, considered)]
    since = incident.start if must is None or must.counted_from is None else must.counted_from
    seconds = round(named[0].at - since) if named else None
    detected = None
    if must is not None and (due is not None or named):
        detected = bool(named) and (due is None or named[0].at <= due)
    level = _highest(counted)
    must_end = must is not None and must.end_within is not None and detected is not None
    return Score(
        *common,
        incident=incident.name,
        detected=detected,
        seconds=seconds,
        due=round(due - since) if due is not None else None,
        messages=len(counted),
        allowed=incident.allowed,
        false=len(false),
        false_high=sum(one.message.severity is Severity.HIGH for one in false),
        notices=len(sent) - len(counted),
        end=_end(incident, must, sent) if must is not None and must_end else None,
        since_right=_since_right(incident, must, sent, run.zero) if must is not None and named else None,
        level=level,
        log=_log([*strays, *sent], false),
        level_right=level in {one.value for one in must.level} if must is not None and detected is not None else None,
        **totals,
    )


def _may_precede(notice: Sent, named: Sequence[Sent]) -> bool:
    """Return whether a first notice is one at Low, or of a cooldown before anything worse was known."""
    return notice.message.severity is Severity.LOW or (bool(named) and notice.at <= named[0].at)


def _names(message: Message, must: Must) -> bool:
    known = message.labels | {"host": _host_of(message)}
    wanted = (must.labels, must.or_labels) if must.or_labels else (must.labels,)
    return message.type in must.types and any(
        all((known.get(label) or None) == value for label, value in labels.items()) for labels in wanted
    )


def _due(incident: Incident, must: Must, truth: Truth) -> float | None:
    """Return by when the first message must come; ``None`` if too little happened for any."""
    due = (incident.start if must.counted_from is None else must.counted_from) + must.within
    if not must.after_failures:
        return due
    failures = sorted(
        moment
        for deployment in incident.affected.deployments
        for moment in truth.failures.get(deployment, ())
        if incident.start <= moment < incident.end
    )
    if len(failures) < must.after_failures:
        return None
    return max(due, failures[must.after_failures - 1] + MINUTE)


def _end(incident: Incident, must: Must, sent: Sequence[Sent]) -> str:
    """Return whether the end was sent when it was due: "ok", "early", "late" or "missing"."""
    ends = [
        one.at
        for one in sent
        if _names(one.message, must) and one.message.step in (Step.RESOLVED, Step.FIRED_AND_RESOLVED)
    ]
    if not ends:
        return "missing"
    if ends[0] < incident.end and not must.comes_and_goes:
        return "early"
    if ends[-1] < incident.end:
        return "missing"
    return "ok" if ends[-1] <= incident.end + (must.end_within or 0) else "late"


def _since_right(incident: Incident, must: Must, sent: Iterable[Sent], zero: float) -> bool:
    """Return whether no message about the incident dates it before its start."""
    earliest = zero + incident.start - must.older_by
    return all(one.message.since.timestamp() >= earliest for one in sent if _names(one.message, must))


def _out_of_place(incident: Incident, sent: Iterable[Sent]) -> list[Sent]:
    """Return the messages that are sent in silence, above Low about what needs none, or that fire after the end.

    The end is that of the incident, or the time of the resolved message: nothing may fire after that message.
    """
    must = incident.must
    ended: list[float] = []

    def is_wrong(one: Sent) -> bool:
        if any(start <= one.at < end for start, end in incident.quiet):
            return True
        if must is None:
            return one.message.severity is not Severity.LOW
        if one.message.step in (Step.RESOLVED, Step.FIRED_AND_RESOLVED):
            if not must.comes_and_goes and _names(one.message, must):
                ended.append(one.at)
            return False
        return bool(ended) or one.at > incident.end + incident.grace

    return [one for one in sent if is_wrong(one)]


def _is_silenced(incident: Incident, sent: Sent) -> bool:
    """Return whether a message is about a silenced deployment while that is down: then no notice is allowed, either."""
    own = sent.message.labels.get("deployment") in incident.affected.deployments
    return own and sent.at < incident.end and any(start <= sent.at < end for start, end in incident.quiet)


def _log(sent: Iterable[Sent], false: Iterable[Sent]) -> tuple[str, ...]:
    """Return a line for each message, with a mark at those that are false."""
    wrong = {id(one) for one in false}
    return tuple(
        f"{one.at:.0f} s{' ✗' * (id(one) in wrong)} {one.message.type} {one.message.severity} {one.message.step}: "
        f"{one.message.headline}"
        for one in sorted(sent, key=lambda one: one.at)
    )


def _false_strays(strays: Sequence[Sent], first: frozenset[int], scenario: Scenario) -> list[Sent]:
    """Return the messages about nothing that happened, but for first notices and a few others."""
    repeated = [one for one in strays if id(one) not in first]
    low = [one for one in repeated if one.message.severity is Severity.LOW]
    high = [one for one in repeated if one.message.severity is Severity.HIGH]
    rest = [one for one in repeated if one.message.severity is Severity.MEDIUM]
    quiet = rest[: scenario.tolerated]
    return [*high, *rest[len(quiet) :], *low[max(0, scenario.tolerated_low - len(quiet)) :]]


def _first_notices(sent: Iterable[Sent]) -> frozenset[int]:
    """Return the first message of each alert, by `id`, if it is a notice at Low, or of a cooldown."""
    known: set[str] = set()
    found: set[int] = set()
    for one in sent:
        message = one.message
        quiet = message.severity is Severity.LOW or message.type is AlertType.COOLDOWN_DEPLOYMENT
        if message.step is Step.NOTICE and quiet and message.fingerprint not in known:
            found.add(id(one))
        known.add(message.fingerprint)
    return frozenset(found)


def _highest(sent: Iterable[Sent]) -> str | None:
    levels = [one.message.severity for one in sent]
    return max(levels, key=lambda severity: _RANK[severity]).value if levels else None
