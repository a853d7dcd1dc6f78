"""A bigger alert mutes smaller ones that it explains."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from alertworker.alerts.catalogue import AlertType
from alertworker.routing.matchers import Matcher, all_pass


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While an alert that passes ``source`` is open, those that pass ``target`` and have equal labels are muted."""

    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()

    def mutes(self, target: Mapping[str, str], source: Mapping[str, str]) -> bool:
        """Tell whether one open alert mutes another; labels that both lack are equal to nobody."""
        return (
            all_pass(self.target, target)
            and all_pass(self.source, source)
            and all(target.get(label) and target.get(label) == source.get(label) for label in self.equal)
        )


@dataclass(frozen=True, slots=True)
class OpenCondition:
    """An open condition as inhibitions see it."""

    id: str
    labels: Mapping[str, str]


def find_inhibitor(
    alert_id: str,
    labels: Mapping[str, str],
    inhibitions: Iterable[Inhibition],
    sources: Callable[[], Iterable[OpenCondition]],
) -> OpenCondition | None:
    """Give the open alert that mutes this one; ``sources`` is asked only where a rule could. No alert mutes itself."""
    rules = [rule for rule in inhibitions if all_pass(rule.target, labels)]
    for source in sources() if rules else ():
        if source.id != alert_id and any(rule.mutes(labels, source.labels) for rule in rules):
            return source
    return None


def _type(operator: str, value: str) -> tuple[Matcher, ...]:
    return (Matcher("alert_type", operator, value),)


#: A region's outage mutes its deployments'; an outage mutes the failures and slow calls of its deployment.
DEFAULTS: Final = (
    Inhibition(_type("=", AlertType.REGION_OUTAGE_ALERTS), _type("=", AlertType.OUTAGE_ALERTS), ("provider", "region")),
    Inhibition(
        _type("=", AlertType.OUTAGE_ALERTS),
        _type("=~", f"{AlertType.LLM_EXCEPTIONS}|{AlertType.LLM_TOO_SLOW}"),
        ("deployment",),
    ),
    Inhibition(
        _type("=", AlertType.REGION_OUTAGE_ALERTS),
        _type("=~", f"{AlertType.LLM_EXCEPTIONS}|{AlertType.LLM_TOO_SLOW}"),
        ("provider", "region"),
    ),
)
