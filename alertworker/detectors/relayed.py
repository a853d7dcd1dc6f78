"""Alerts of LiteLLM's own alerting as notices of ours. The same text from several processes is one alert, counted.

LiteLLM never reports that something is over, so a condition is a notice when it is relayed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import CATALOGUE, COVERED_BY, MAX_MEMBERS, RELAYED, AlertType, Severity
from alertworker.budgets.user_thresholds import UserPolicy
from alertworker.events import AlertRelayed, BudgetScope
from alertworker.folding import Fold
from alertworker.text.shorten import shorten_id

_KNOWN: Final = {alert_type.value: alert_type for alert_type in AlertType}
#: Parts that differ between two occurrences of one alert: numbers, ids and memory addresses.
_VARIABLE: Final = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-fA-F]{8,}(?:-[0-9a-fA-F]{4,})*\b|[0-9]+(?:\.[0-9]+)*")
#: Our label for each of LiteLLM's.
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
#: The labels that identify a relayed alert: who and where, never how much.
IDENTIFYING: Final = ("model", "provider", "region", "deployment", "team", "key", "user")
#: The types that the callback publishes itself, so that a relayed alert would be sent twice.
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
        AlertType.BUDGET_ALERTS,
        AlertType.USER_SPEND_THRESHOLDS,
        AlertType.USER_SPEND_ANOMALIES,
    )
)
#: Types whose alerts may or may not be copies. A digest names only the first of its alerts.
_IN_PART: Final = frozenset((AlertType.BUDGET_ALERTS, AlertType.USER_SPEND_THRESHOLDS))
#: Budgets whose spend each call reports. The spend of other budgets is known once they refuse calls.
_CALLBACK_SCOPES: Final = frozenset((BudgetScope.KEY, BudgetScope.TEAM, BudgetScope.USER, BudgetScope.ORGANIZATION))


def alerts(fold: Fold, raised_here: Iterable[AlertType], users: UserPolicy) -> Iterable[Alert]:
    """Yield one alert for each thing that LiteLLM's own alerting reported.

    ``raised_here`` are the types that we raise from the events of a proxy's callback. ``users`` selects the alerts of
    users' spend that we raise. A copy of those is an alert of its own. It names what covers it, and no receiver gets
    it.
    """
    ours = frozenset(raised_here) & _BY_CALLBACK
    groups: dict[str, list[Alert]] = {}
    for event in fold.relayed:
        alert_type = _type_of(event)
        alert = _relayed(event, covered=alert_type in ours and _is_copy(event, alert_type, users))
        groups.setdefault(alert.fingerprint, []).append(alert)
    for same in groups.values():
        yield _one(same)


def _type_of(event: AlertRelayed) -> AlertType:
    return _KNOWN.get(event.alert_type, AlertType.UNKNOWN)


def _is_copy(event: AlertRelayed, alert_type: AlertType, users: UserPolicy) -> bool:
    """Return whether we raise this alert ourselves. Not all budgets are ours, and users' thresholds are configured."""
    if alert_type in _IN_PART and event.digest_from is not None and event.count > 1:
        return False
    if alert_type is AlertType.BUDGET_ALERTS:
        return event.facts.get("event_group") in {scope.value for scope in _CALLBACK_SCOPES}
    if alert_type is AlertType.USER_SPEND_THRESHOLDS:
        limits = {"Daily": users.daily_nanos, "Monthly": users.monthly_nanos}
        labels = f"{', '.join(event.facts)}\n{event.text}"
        crossed = [limit for word, limit in limits.items() if f"{word} Threshold" in labels]
        return bool(crossed) and None not in crossed
    return alert_type is not AlertType.USER_SPEND_ANOMALIES or users.anomalies


def _one(same: list[Alert]) -> Alert:
    first = same[0]
    worst = max(same, key=lambda alert: alert.severity.rank)
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
        metadata=next((alert.metadata for alert in reversed(same) if alert.metadata), {}),
    )


def _relayed(event: AlertRelayed, *, covered: bool) -> Alert:
    alert_type = _type_of(event)
    labels = {ours: event.facts[theirs] for theirs, ours in reversed(_LABELS.items()) if _said(event.facts, theirs)}
    details = {"Details": event.text} if event.text else {}
    span = f"{event.digest_from:%Y-%m-%d %H:%M:%S} to {event.digest_until:%Y-%m-%d %H:%M:%S}" if _spans(event) else ""
    return Alert(
        type=alert_type,
        severity=Severity(event.level) if event.level else CATALOGUE[alert_type].severity,
        identity=_identity(event.headline, labels, covered=covered)
        | ({"said": event.alert_type} if alert_type is AlertType.UNKNOWN else {}),
        headline=event.headline,
        first_at=event.occurred_at,
        last_at=event.occurred_at,
        count=event.count,
        labels=labels,
        facts={k: v for k, v in event.facts.items() if v != "None"} | details | ({"Digest": span} if span else {}),
        members=(f"relayed by {event.source_host}",) if event.source_host else (),
        metadata=event.metadata,
    )


def _identity(headline: str, labels: Mapping[str, str], *, covered: bool) -> dict[str, str]:
    what = shorten_id(_VARIABLE.sub("#", headline), 200)
    where = {label: labels[label] for label in IDENTIFYING if label in labels}
    return where | {RELAYED: "litellm", "what": what} | ({COVERED_BY: "callback"} if covered else {})


def _said(facts: Mapping[str, str], label: str) -> bool:
    return bool(facts.get(label)) and facts[label] != "None"


def _spans(event: AlertRelayed) -> bool:
    return event.digest_from is not None and event.digest_until is not None
