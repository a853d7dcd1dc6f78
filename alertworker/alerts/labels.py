"""The labels that alerts can have, and the values of those that have few: what matchers can ask about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from alertworker.alerts.catalogue import CATALOGUE, COVERED_BY, RELAYED, AlertType, Severity
from alertworker.events import Origin

#: Whatever raised the alert.
ALWAYS: Final = frozenset({"alert_type", "severity"})
#: Whom calls and budgets belong to, and where calls went.
_CALLS: Final = frozenset(
    {"model", "provider", "region", "deployment", "team", "key", "user", "organization", "tag", "alert_receiver"}
)
#: Labels of few alerts: a budget's customer, one team's report, a change without a name, a digest, a copy.
_SOME: Final = frozenset({"customer", "team_id", "event", "digest", COVERED_BY})
#: Every label that an alert can have. `alerting_metadata` is shown in messages and is not among them.
LABELS: Final = ALWAYS | _CALLS | _SOME | {name for spec in CATALOGUE.values() for name in spec.identity}

#: All values of a label, where the program makes them up.
CLOSED: Final[Mapping[str, tuple[str, ...]]] = {
    "alert_type": tuple(kind.value for kind in AlertType),
    "severity": tuple(severity.value for severity in Severity),
    "origin": tuple(origin.value for origin in Origin),
    "report": ("spend", "monthly", "daily", "fallbacks"),
    RELAYED: ("litellm",),
    COVERED_BY: ("callback",),
}
