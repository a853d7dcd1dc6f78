"""Inhibitions: an open alert mutes the alerts that it explains, on the channels that were notified of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from alertworker.alerts.catalogue import AlertType, OutageScope, Severity
from alertworker.routing.matchers import Matcher, all_pass

_HIGH: Final = Severity.HIGH.value


@dataclass(frozen=True, slots=True)
class SourceFilter:
    """The conditions that all sources of an inhibition meet. A store looks up open conditions by it.

    ``labels`` are pairs of name and value. Not every condition that meets these is a source.
    """

    types: frozenset[AlertType]
    labels: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While an alert that matches ``source`` is open, alerts that match ``target`` and have equal labels are muted.

    With ``as_severe``, only a High source mutes a High alert.
    """

    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()
    as_severe: bool = False

    def wanted(self, target: Mapping[str, str]) -> SourceFilter | None:
        """Return the filter for sources of an alert, or ``None`` if this rule has no source for it."""
        equal = {label: target.get(label, "") for label in self.equal}
        if not all(equal.values()) or not all_pass(self.target, target):
            return None
        alert_type = equal.pop("alert_type", None)
        types = _types(self.source)
        exact = {(one.label, one.value) for one in self.source if one.is_exact and one.label != "alert_type"}
        named = types if alert_type is None else frozenset(one for one in types if one.value == alert_type)
        return SourceFilter(named, frozenset(equal.items() | exact))

    def mutes(self, target: Mapping[str, str], source: Mapping[str, str]) -> bool:
        """Return whether one open alert mutes another. Labels that both lack do not count as equal."""
        return (
            all_pass(self.target, target)
            and all_pass(self.source, source)
            and all(target.get(label) and target.get(label) == source.get(label) for label in self.equal)
            and not (self.as_severe and target.get("severity") == _HIGH != source.get("severity"))
        )


@dataclass(frozen=True, slots=True)
class OpenCondition:
    """An open condition as inhibitions see it. ``channels`` were notified of it or of the alert that suppresses it.

    ``waits_until`` is set if its first message waits for a moment.
    """

    id: str
    labels: Mapping[str, str]
    channels: frozenset[str] = frozenset()
    waits_until: datetime | None = None


def find_inhibited(
    alert_id: str,
    labels: Mapping[str, str],
    channels: Collection[str],
    inhibitions: Iterable[Inhibition],
    sources: Callable[[SourceFilter], Iterable[OpenCondition]],
) -> dict[str, str]:
    """Return the channels on which open alerts mute this one, each with the id of the open alert."""
    muted: dict[str, str] = {}
    for source in find_sources(alert_id, labels, inhibitions, sources) if channels else ():
        muted |= {name: source.id for name in channels if name in source.channels and name not in muted}
        if len(muted) == len(channels):
            break
    return muted


def find_sources(
    alert_id: str,
    labels: Mapping[str, str],
    inhibitions: Iterable[Inhibition],
    sources: Callable[[SourceFilter], Iterable[OpenCondition]],
) -> Iterator[OpenCondition]:
    """Yield the conditions that mute an alert on the channels that were notified of them. No alert mutes itself.

    ``sources`` is called once for each rule whose target is this alert, and returns only possible sources of that rule.
    """
    for rule in inhibitions:
        wanted = rule.wanted(labels)
        for source in sources(wanted) if wanted is not None and wanted.types else ():
            if source.id != alert_id and rule.mutes(labels, source.labels):
                yield source


def _types(source: tuple[Matcher, ...]) -> frozenset[AlertType]:
    """Return the types that a source can have."""
    return _matched_types(tuple(matcher for matcher in source if matcher.label == "alert_type"))


@lru_cache(maxsize=1_000)
def _matched_types(named: tuple[Matcher, ...]) -> frozenset[AlertType]:
    """Return the types that matchers of the type match. Thousands of rules name the same few."""
    return frozenset(one for one in AlertType if all_pass(named, {"alert_type": one.value}))


def _type(operator: str, value: str) -> tuple[Matcher, ...]:
    return (Matcher("alert_type", operator, value),)


#: The alerts that an outage of their deployment, model, region or provider explains.
_EXPLAINED: Final = _type("=~", f"{AlertType.LLM_EXCEPTIONS}|{AlertType.LLM_TOO_SLOW}|{AlertType.COOLDOWN_DEPLOYMENT}")
_OF_REGION: Final = _type("=", AlertType.REGION_OUTAGE_ALERTS)
_OUTAGE: Final = _type("=", AlertType.OUTAGE_ALERTS)
#: The outage of a provider.
_OF_PROVIDER: Final = (*_type("=", AlertType.OUTAGE_ALERTS), Matcher("scope", "=", OutageScope.PROVIDER.value))
#: The outage of a model group.
_OF_MODEL: Final = (*_type("=", AlertType.OUTAGE_ALERTS), Matcher("scope", "=", OutageScope.MODEL.value))
#: The alerts that have the label of a refused credential, if it explains them.
_REFUSABLE: Final = (
    f"{AlertType.OUTAGE_ALERTS}|{AlertType.REGION_OUTAGE_ALERTS}|{AlertType.LLM_EXCEPTIONS}|"
    f"{AlertType.COOLDOWN_DEPLOYMENT}"
)
#: A provider's outage inhibits those of its deployments and regions, and of models that fail only there. A region's
#: outage inhibits those of its deployments, and of models that fail only there. A model's outage inhibits
#: those of its deployments. An outage inhibits the failures, slow calls and cooldowns that it explains. A refused
#: credential inhibits what has its label, because it explains that. A caller's problem inhibits the failed calls of its
#: key, and the cooldowns that have the key's label. Equal places do not prove that one outage explains another, so a
#: provider's, region's or model's outage must be High to mute one that is.
DEFAULTS: Final = (
    Inhibition(
        _OF_PROVIDER,
        (
            *_type("=~", f"{AlertType.OUTAGE_ALERTS}|{AlertType.REGION_OUTAGE_ALERTS}"),
            Matcher("scope", "!~", f"{OutageScope.PROVIDER}|{OutageScope.CREDENTIAL}"),
        ),
        ("provider",),
        as_severe=True,
    ),
    Inhibition(_OF_REGION, _OUTAGE, ("provider", "region"), as_severe=True),
    Inhibition(_OF_MODEL, (*_OUTAGE, Matcher("scope", "=", "")), ("model",), as_severe=True),
    Inhibition(_type("=", AlertType.OUTAGE_ALERTS), _EXPLAINED, ("deployment",)),
    Inhibition(_OF_PROVIDER, _EXPLAINED, ("provider",)),
    Inhibition(_OF_MODEL, _EXPLAINED, ("model",)),
    Inhibition(_type("=", AlertType.REGION_OUTAGE_ALERTS), _EXPLAINED, ("provider", "region")),
    Inhibition(
        (*_type("=", AlertType.OUTAGE_ALERTS), Matcher("scope", "=", OutageScope.CREDENTIAL.value)),
        (*_type("=~", _REFUSABLE), Matcher("scope", "!=", OutageScope.CREDENTIAL.value)),
        ("credential",),
    ),
    Inhibition(
        _type("=", AlertType.CALLER_ERRORS),
        _type("=~", f"{AlertType.LLM_EXCEPTIONS}|{AlertType.COOLDOWN_DEPLOYMENT}"),
        ("key",),
    ),
)
