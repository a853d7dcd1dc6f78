"""The labels that alerts can have, and all values of those labels that have few. Matchers are checked against them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from alertworker.alerts.catalogue import CATALOGUE, COVERED_BY, FLAPPING, RELAYED, AlertType, OutageScope, Severity
from alertworker.events import Origin
from alertworker.events.attribution import OWNER_LABELS, TARGET_LABELS

#: Labels that every alert has.
ALWAYS: Final = frozenset({"alert_type", "severity"})
#: Labels of calls and budgets: their owner, and what calls ran on.
_CALLS: Final = frozenset({*TARGET_LABELS, *OWNER_LABELS})
#: Labels of few alerts. Such alerts are about a budget's customer, a single team's report, a change without a name, a
#: digest, or a refused credential. Covered alerts, flapping outages, and outages of anything but a deployment have
#: some, too.
_SOME: Final = frozenset({"customer", "team_id", "event", "digest", COVERED_BY, FLAPPING, "scope", "credential"})
#: Every label that an alert can have. `alerting_metadata` is shown in messages and is not among them.
LABELS: Final = ALWAYS | _CALLS | _SOME | {name for spec in CATALOGUE.values() for name in spec.identity}

#: All values of each label whose values the program defines.
CLOSED: Final[Mapping[str, tuple[str, ...]]] = {
    "alert_type": tuple(alert_type.value for alert_type in AlertType),
    "severity": tuple(severity.value for severity in Severity),
    "origin": tuple(origin.value for origin in Origin),
    "report": ("spend", "monthly", "daily", "fallbacks"),
    RELAYED: ("litellm",),
    "scope": tuple(scope.value for scope in OutageScope),
    COVERED_BY: ("callback",),
    FLAPPING: ("true",),
}
