"""Composes the next message about a subject, in most cases an alert's row. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from alertworker.alerts.advice import advise_in
from alertworker.alerts.aggregate import with_common_facts
from alertworker.alerts.alert import Subject
from alertworker.alerts.catalogue import AlertType
from alertworker.alerts.message import Message, Step
from alertworker.text.format import spell
from alertworker.text.names import shorten_hashes

#: The number of teams in a message. The others are one sum.
MAX_PARTS: Final = 8
NO_PARTS: Final[Mapping[str, int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Installation:
    """The facts that all messages of an installation share: its URLs and the zone of all times."""

    proxy_url: str | None = None
    public_url: str | None = None
    zone: str = "UTC"

    def page_of(self, subject: Subject) -> str | None:
        """Return the URL of an alert's page."""
        return f"{self.public_url.rstrip('/')}/alerts/{subject.id}" if self.public_url else None


_UNKNOWN: Final = Installation()
#: Outages: many calls fail on one target.
_OF_TARGETS: Final = frozenset({AlertType.OUTAGE_ALERTS, AlertType.REGION_OUTAGE_ALERTS})


def compose(
    subject: Subject,
    step: Step,
    members: tuple[str, ...] = (),
    parts: Mapping[str, int] = NO_PARTS,
    *,
    at: datetime,
    here: Installation = _UNKNOWN,
) -> Message:
    """Return the message for a step. It counts only what no earlier message has counted.

    ``members`` name occurrences and ``parts`` count them by team.
    """
    subject = with_common_facts(subject, step, parts)
    count, named = subject.count - subject.notified_count, _named(subject, step, members)
    return Message(
        alert_id=subject.id,
        type=subject.type,
        severity=subject.severity,
        step=step,
        headline=_headline(subject, step, at),
        at=at,
        since=subject.first_at,
        counted_since=subject.notified_at,
        count=count,
        total=subject.count,
        facts=_breakdown(parts) | _ends(subject) | dict(subject.facts),
        members=_distinct(named),
        members_more=max(0, count - len(named)) if named else 0,
        metadata=dict(subject.metadata),
        proxy_url=here.proxy_url,
        page_url=here.page_of(subject),
        what_to_do=advise_in(step, subject.type, subject.severity, subject.labels),
        zone=here.zone,
        fingerprint=subject.fingerprint,
        labels=dict(subject.labels),
        figures=subject.figures,
        tables=subject.tables,
        chart=subject.chart,
    )


def fired_and_resolved(resolved: Message) -> Message:
    """Return the only message for a condition that began and ended before any channel was notified."""
    return resolved.model_copy(
        update={
            "step": Step.FIRED_AND_RESOLVED,
            "headline": f"Fired and {resolved.headline[:1].lower()}{resolved.headline[1:]}",
            "count": resolved.total,
        }
    )


def _headline(subject: Subject, step: Step, at: datetime) -> str:
    return shorten_hashes(_spelled(subject, step, at))


def _spelled(subject: Subject, step: Step, at: datetime) -> str:
    changed = subject.running and (step is Step.REMINDER or (subject.outcomes and step is not Step.FIRING))
    headline = _hanging_now(subject) if changed else subject.headline
    if step is Step.REMINDER:
        return f"Still: {headline}"
    if step is not Step.RESOLVED:
        return headline
    lasted = (subject.ended_at or at) - subject.first_at
    after = f"{'Closed' if subject.unknown else 'Resolved'} after {spell(max(lasted, timedelta()))}"
    if subject.type is not AlertType.LLM_REQUESTS_HANGING:
        return f"{after}: {subject.headline}"
    calls = "1 call was" if subject.count == 1 else f"{subject.count} calls were"
    return f"{after}: {calls} hanging on {subject.labels.get('model', 'a model')}"


def _hanging_now(subject: Subject) -> str:
    """Return the headline of calls that hang now. Some of those that hung at first have ended."""
    calls = "1 call" if subject.running == 1 else f"{subject.running} calls"
    return f"Requests are hanging - {calls} without progress on {subject.labels.get('model', 'a model')}"


def _named(subject: Subject, step: Step, members: tuple[str, ...]) -> tuple[str, ...]:
    """Return the occurrences to name.

    Reminders and ends of outages name no calls: the known ones are old, and the facts count all.
    """
    return () if step in (Step.REMINDER, Step.RESOLVED) and subject.type in _OF_TARGETS else members


def _distinct(members: tuple[str, ...]) -> tuple[str, ...]:
    """Return members in order, equal ones as one: a call that failed on three deployments is one line.

    >>> _distinct(("c1 · search", "c2", "c1 · search"))
    ('c1 · search ×2', 'c2')
    """
    return tuple(f"{member} ×{count}" if count > 1 else member for member, count in Counter(members).items())


def _breakdown(parts: Mapping[str, int]) -> dict[str, str]:
    """Return how many occurrences each team had, the highest number first, or nothing for a single occurrence.

    >>> _breakdown({"search": 20, "billing": 3})
    {'By team': 'search ×20, billing ×3'}
    """
    if sum(parts.values()) < 2:
        return {}
    ordered = sorted(parts.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{part} ×{count}" for part, count in ordered[:MAX_PARTS]]
    if rest := ordered[MAX_PARTS:]:
        shown.append(f"{len(rest)} others ×{sum(count for _, count in rest)}")
    return {"By team": ", ".join(shown)}


def _ends(subject: Subject) -> dict[str, str]:
    """Return how hanging calls ended and how many are still running."""
    parts = [f"{count} {outcome}" for outcome, count in sorted(subject.outcomes.items())]
    if parts and subject.running:
        parts.append(f"{subject.running} still running")
    return {"Ended": ", ".join(parts)} if parts else {}
