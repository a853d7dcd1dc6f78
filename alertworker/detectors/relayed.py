"""What LiteLLM's own alerting said, as notices of ours: the same text from several processes is one alert, counted.

LiteLLM never says that something is over, so what is a condition here is a notice when it is relayed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from alertworker.alerts import CATALOGUE, COVERED_BY, MAX_MEMBERS, RELAYED, Alert, AlertType, Severity
from alertworker.events import AlertRelayed, BudgetScope
from alertworker.folding import Fold

_KNOWN: Final = {kind.value: kind for kind in AlertType}
#: What differs between two occurrences of the same trouble: numbers, ids, addresses in memory.
_VARIABLE: Final = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-fA-F]{8,}(?:-[0-9a-fA-F]{4,})*\b|[0-9]+(?:\.[0-9]+)*")
#: LiteLLM's labels, as ours.
_LABELS: Final = {
    "Request Model": "model",
    "Model Name": "model",
    "model_group": "model",
    "Model": "model",
    "model": "model",
    "Provider": "provider",
    "Region Name": "region",
    "deployment": "deployment",
    "Team": "team",
    "Team Alias": "team",
    "team_alias": "team",
    "team_id": "team",
    "Key Name": "key",
    "Key Alias": "key",
    "key_alias": "key",
    "user_id": "user",
    "User": "user",
}
#: What of LiteLLM's facts tells one alert from another: who and where, never how much.
_IDENTIFYING: Final = ("model", "provider", "region", "deployment", "team", "key", "user")
#: The types that the callback carries by itself, so that a relayed copy would be told twice.
_BY_CALLBACK: Final = frozenset(
    (
        AlertType.LLM_EXCEPTIONS,
        AlertType.LLM_TOO_SLOW,
        AlertType.LLM_REQUESTS_HANGING,
        AlertType.OUTAGE_ALERTS,
        AlertType.REGION_OUTAGE_ALERTS,
        AlertType.COOLDOWN_DEPLOYMENT,
        AlertType.FALLBACK_REPORTS,
        AlertType.DAILY_REPORTS,
        AlertType.SPEND_REPORTS,
        AlertType.NEW_MODEL_ADDED,
    )
)
#: Budgets whose figures each call carries; of the others only LiteLLM knows.
_CALLBACK_SCOPES: Final = frozenset((BudgetScope.KEY, BudgetScope.TEAM, BudgetScope.USER))


def alerts(fold: Fold, raised_here: Iterable[AlertType]) -> Iterable[Alert]:
    """One alert for each thing that was said.

    ``raised_here`` names what we raise by the events of a proxy's callback: copies of those are alerts of their own,
    that name what covers them and reach nobody.
    """
    ours = frozenset(raised_here)
    groups: dict[str, list[Alert]] = {}
    for event in fold.relayed:
        alert = _relayed(event, _covered(event, ours))
        groups.setdefault(alert.fingerprint, []).append(alert)
    for same in groups.values():
        yield _one(same)


def _covered(event: AlertRelayed, ours: frozenset[AlertType]) -> frozenset[AlertType]:
    """Give the types of which this one is a copy, if it is of that type; of budgets it depends on whose it is."""
    carried = event.facts.get("event_group") in {scope.value for scope in _CALLBACK_SCOPES}
    return ours & (_BY_CALLBACK | {AlertType.BUDGET_ALERTS} if carried else _BY_CALLBACK)


def _one(same: list[Alert]) -> Alert:
    first = same[0]
    worst = min(same, key=lambda alert: list(Severity)[::-1].index(alert.severity))
    return Alert(
        type=first.type,
        severity=worst.severity,
        identity=first.identity,
        headline=worst.headline,
        first_at=min(alert.first_at for alert in same),
        last_at=max(alert.last_at for alert in same),
        count=sum(alert.count for alert in same),
        labels=first.labels,
        facts=worst.facts,
        members=tuple(member for alert in same for member in alert.members)[:MAX_MEMBERS],
        metadata=first.metadata,
    )


def _relayed(event: AlertRelayed, covered: frozenset[AlertType]) -> Alert:
    kind = _KNOWN.get(event.alert_type, AlertType.UNKNOWN)
    labels = {ours: event.facts[theirs] for theirs, ours in reversed(_LABELS.items()) if _said(event.facts, theirs)}
    details = {"Details": event.text} if event.text else {}
    span = f"{event.digest_from:%Y-%m-%d %H:%M:%S} to {event.digest_until:%Y-%m-%d %H:%M:%S}" if _spans(event) else ""
    return Alert(
        type=kind,
        severity=Severity(event.level) if event.level else CATALOGUE[kind].severity,
        identity=_identity(kind, event.headline, labels, covered)
        | ({"said": event.alert_type} if kind is AlertType.UNKNOWN else {}),
        headline=event.headline,
        first_at=event.occurred_at,
        last_at=event.occurred_at,
        count=event.count,
        labels=labels,
        facts={k: v for k, v in event.facts.items() if v != "None"} | details | ({"Digest": span} if span else {}),
        members=(f"relayed by {event.source_host}",) if event.source_host else (),
        metadata=event.metadata,
    )


def _identity(
    kind: AlertType, headline: str, labels: Mapping[str, str], covered: frozenset[AlertType]
) -> dict[str, str]:
    what = _VARIABLE.sub("#", headline)[:200]
    where = {label: labels[label] for label in _IDENTIFYING if label in labels}
    return where | {RELAYED: "litellm", "what": what} | ({COVERED_BY: "callback"} if kind in covered else {})


def _said(facts: Mapping[str, str], label: str) -> bool:
    return bool(facts.get(label)) and facts[label] != "None"


def _spans(event: AlertRelayed) -> bool:
    return event.digest_from is not None and event.digest_until is not None
