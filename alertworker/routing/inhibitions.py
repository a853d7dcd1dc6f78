"""A bigger alert mutes smaller ones that it explains."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from alertworker.alerts.catalogue import AlertType
from alertworker.routing.matchers import Matcher, all_pass


@dataclass(frozen=True, slots=True)
class SourceFilter:
    """What all open conditions have that a rule lets mute an alert: a store looks them up by it.

    ``labels`` are pairs of a name and a value. Not all conditions with these are sources.
    """

    types: frozenset[AlertType]
    labels: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While an alert that passes ``source`` is open, those that pass ``target`` and have equal labels are muted."""

    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()

    def wanted(self, target: Mapping[str, str]) -> SourceFilter | None:
        """Return what sources of an alert have; ``None`` where it has none by this rule."""
        equal = {label: target.get(label, "") for label in self.equal}
        if not all(equal.values()) or not all_pass(self.target, target):
            return None
        kind = equal.pop("alert_type", None)
        types = _types(self.source)
        exact = {(one.label, one.value) for one in self.source if one.is_exact and one.label != "alert_type"}
        named = types if kind is None else frozenset(one for one in types if one.value == kind)
        return SourceFilter(named, frozenset(equal.items() | exact))

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
    sources: Callable[[SourceFilter], Iterable[OpenCondition]],
) -> OpenCondition | None:
    """Return the open alert that mutes this one. No alert mutes itself.

    ``sources`` is asked once for each rule whose target this is, for what can be a source by it and no more.
    """
    for rule in inhibitions:
        wanted = rule.wanted(labels)
        for source in sources(wanted) if wanted is not None and wanted.types else ():
            if source.id != alert_id and rule.mutes(labels, source.labels):
                return source
    return None


@lru_cache(maxsize=1_000)
def _types(source: tuple[Matcher, ...]) -> frozenset[AlertType]:
    """Return the types that a source can be of."""
    named = [matcher for matcher in source if matcher.label == "alert_type"]
    return frozenset(kind for kind in AlertType if all_pass(named, {"alert_type": kind.value}))


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
