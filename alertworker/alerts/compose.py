"""What the next message about an alert says: pure, from the alert's row."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from alertworker.alerts.alert import OpenAlert
from alertworker.alerts.catalogue import AlertType
from alertworker.alerts.message import Message, Step
from alertworker.text.format import spell

#: How many teams a message names; the rest is one sum.
MAX_PARTS: Final = 8


def compose(
    alert: OpenAlert,
    step: Step,
    members: tuple[str, ...],
    parts: Mapping[str, int],
    *,
    at: datetime,
    proxy_url: str | None = None,
    public_url: str | None = None,
) -> Message:
    """Give the message for a step; it counts, names and divides what no message before it has.

    ``public_url`` is where people reach our own pages.
    """
    count = alert.count - alert.told
    return Message(
        alert_id=alert.id,
        type=alert.type,
        severity=alert.severity,
        step=step,
        headline=_headline(alert, step, at),
        at=at,
        since=alert.first_at,
        counted_since=alert.told_at,
        count=count,
        total=alert.count,
        facts=dict(alert.facts) | _breakdown(parts) | _ends(alert),
        members=members,
        members_more=max(0, count - len(members)) if members else 0,
        metadata=dict(alert.metadata),
        proxy_url=proxy_url,
        page_url=f"{public_url.rstrip('/')}/alerts/{alert.id}" if public_url else None,
        fingerprint=alert.fingerprint,
        labels=dict(alert.labels),
        figures=alert.figures,
        tables=alert.tables,
        chart=alert.chart,
    )


def fired_and_resolved(resolved: Message) -> Message:
    """Return the one message for a condition that began and ended before anybody was notified."""
    return resolved.model_copy(
        update={
            "step": Step.FIRED_AND_RESOLVED,
            "headline": f"Fired and resolved: {resolved.headline}",
            "count": resolved.total,
        }
    )


def _headline(alert: OpenAlert, step: Step, at: datetime) -> str:
    if step is Step.REMINDER:
        return f"Still: {alert.headline}"
    if step is not Step.RESOLVED:
        return alert.headline
    lasted = (alert.ended_at or at) - alert.first_at
    after = f"{'Closed' if alert.unknown else 'Resolved'} after {spell(max(lasted, timedelta()))}"
    if alert.type is not AlertType.LLM_REQUESTS_HANGING:
        return f"{after}: {alert.headline}"
    calls = "1 call was" if alert.count == 1 else f"{alert.count} calls were"
    return f"{after}: {calls} hanging on {alert.labels.get('model', 'a model')}"


def _breakdown(parts: Mapping[str, int]) -> dict[str, str]:
    """Say how many each team had, the most first, where there is more than one to tell of.

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


def _ends(alert: OpenAlert) -> dict[str, str]:
    """Say how calls that hung ended, and how many still run."""
    parts = [f"{count} {outcome}" for outcome, count in sorted(alert.outcomes.items())]
    if parts and alert.running:
        parts.append(f"{alert.running} still running")
    return {"Ended": ", ".join(parts)} if parts else {}
