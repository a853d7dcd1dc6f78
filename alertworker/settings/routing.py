"""Our own receivers, routes, time intervals and inhibitions, compiled into what the router decides by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from zoneinfo import ZoneInfo

from alertworker.routing.impossible import label_warning, matcher_warnings
from alertworker.routing.inhibitions import DEFAULTS, Inhibition
from alertworker.routing.matchers import Matcher, parse_list
from alertworker.routing.router import Route
from alertworker.routing.time_intervals import (
    TimeInterval,
    read_days_of_month,
    read_months,
    read_times,
    read_weekdays,
    read_years,
)
from alertworker.settings.destinations import Destinations, NameTaken
from alertworker.settings.file_config import FileConfig
from alertworker.settings.problems import KeyPath, nearest
from alertworker.settings.routing_config import (
    InhibitionConfig,
    IntervalConfig,
    ReceiverConfig,
    RouteConfig,
    TimeIntervalConfig,
)
from alertworker.settings.sources import Sources

#: How deep a path of routes can be: YAML can nest a list in itself.
_DEPTH: Final = 100


def compile_routing(config: FileConfig, sources: Sources, found: Destinations) -> tuple[Inhibition, ...]:
    """Add our receivers to those of LiteLLM's keys, replace the tree if we have one, and return the inhibitions."""
    compiler = _Compiler(sources, found)
    for index, receiver in enumerate(config.receivers):
        compiler.receiver(receiver, ("receivers", index))
    for index, interval in enumerate(config.time_intervals):
        compiler.time_interval(interval, ("time_intervals", index))
    if config.route is not None:
        found.route = compiler.route(config.route, ("route",))
    else:
        compiler.names_in(sources.values.get("route"), ("route",))
    if "inhibitions" not in config.model_fields_set:
        return DEFAULTS
    return tuple(compiler.inhibition(rule, ("inhibitions", index)) for index, rule in enumerate(config.inhibitions))


@dataclass(slots=True)
class _Compiler:
    sources: Sources
    found: Destinations
    names: set[str] = field(default_factory=set)
    intervals: dict[str, tuple[TimeInterval, ...]] = field(default_factory=dict)

    def receiver(self, config: ReceiverConfig, path: KeyPath) -> None:
        if config.name in self.names:
            self._taken(config.name, path)
            return
        self.names.add(config.name)
        channels = []
        for index, channel in enumerate(config.channels):
            try:
                channels.append(self.found.add(channel, self.sources.where(*path, "channels", index)))
            except NameTaken as error:
                self.sources.problem((*path, "channels", index, "name"), str(error))
        self.found.receivers[config.name] = tuple(dict.fromkeys(channels))
        if config.selectable:
            self.found.selectable.add(config.name)

    def time_interval(self, config: TimeIntervalConfig, path: KeyPath) -> None:
        if config.name in self.intervals:
            self._taken(config.name, path)
            return
        self.intervals[config.name] = tuple(map(_interval, config.time_intervals))

    def route(self, config: RouteConfig, path: KeyPath) -> Route:
        if config.receiver:
            self._known(config.receiver, self.found.receivers, (*path, "receiver"), "receivers")
        return Route(
            matchers=self._matchers(config.matchers, (*path, "matchers")),
            receiver=config.receiver,
            routes=tuple(self.route(child, (*path, "routes", index)) for index, child in enumerate(config.routes)),
            continues=config.continue_,
            group_interval=config.group_interval,
            repeat_interval=config.repeat_interval,
            active=self._intervals(config.active_time_intervals, (*path, "active_time_intervals")),
            mute=self._intervals(config.mute_time_intervals, (*path, "mute_time_intervals")),
            annotations=config.annotations.compiled(),
        )

    def names_in(self, node: object, path: KeyPath) -> None:
        """Report the unknown names in a tree that has other mistakes, which are reported already."""
        if not isinstance(node, Mapping):
            return
        if isinstance(node.get("receiver"), str) and node["receiver"]:
            self._known(node["receiver"], self.found.receivers, (*path, "receiver"), "receivers")
        for key in ("active_time_intervals", "mute_time_intervals"):
            for index, name in _items(node.get(key)):
                if isinstance(name, str):
                    self._known(name, self.intervals, (*path, key, index), "time_intervals")
        for index, child in _items(node.get("routes")):
            if len(path) < _DEPTH:
                self.names_in(child, (*path, "routes", index))

    def inhibition(self, config: InhibitionConfig, path: KeyPath) -> Inhibition:
        source = self._matchers(config.source, (*path, "source"))
        target = self._matchers(config.target, (*path, "target"))
        for index, label in enumerate(config.equal):
            self._doubt((label_warning(label),), (*path, "equal", index))
        return Inhibition(source, target, config.equal)

    def _matchers(self, texts: Iterable[str], path: KeyPath) -> tuple[Matcher, ...]:
        found: list[Matcher] = []
        for index, text in enumerate(texts):
            matchers = parse_list(text)
            self._doubt(matcher_warnings(matchers), (*path, index))
            found += matchers
        return tuple(found)

    def _intervals(self, names: Iterable[str], path: KeyPath) -> tuple[TimeInterval, ...]:
        found: list[TimeInterval] = []
        for index, name in enumerate(names):
            self._known(name, self.intervals, (*path, index), "time_intervals")
            found += self.intervals.get(name, ())
        return tuple(found)

    def _known(self, name: str, known: Mapping[str, object], path: KeyPath, key: str) -> None:
        written = [entry.get("name") if isinstance(entry, Mapping) else None for _, entry in _items(self._broken(key))]
        names = {*known, *(entry for entry in written if isinstance(entry, str))}
        if name not in names and all(isinstance(entry, str) for entry in written):
            what = key.removesuffix("s").replace("_", " ")
            self.sources.problem(path, f"unknown {what} {name!r}{nearest(name, names)}")

    def _broken(self, key: str) -> object:
        """Return a list with mistakes as it is written. The names of its entries are known nevertheless."""
        value = self.sources.values.get(key) if key in self.sources.broken else []
        return value if isinstance(value, list) else [None]

    def _taken(self, name: str, path: KeyPath) -> None:
        self.sources.problem((*path, "name"), f"there is another entry named {name!r}; merge both, or rename one")

    def _doubt(self, texts: Iterable[str | None], path: KeyPath) -> None:
        self.found.warnings += [f"{self.sources.where(*path)}: {text}" for text in texts if text is not None]


def _items(value: object) -> Iterable[tuple[int, object]]:
    return enumerate(value) if isinstance(value, list) else ()


def _interval(config: IntervalConfig) -> TimeInterval:
    return TimeInterval(
        times=tuple(read_times(times.start_time, times.end_time) for times in config.times),
        weekdays=frozenset().union(*map(read_weekdays, config.weekdays)),
        zone=ZoneInfo(config.location) if config.location else None,
        days_of_month=tuple(map(read_days_of_month, config.days_of_month)),
        months=frozenset().union(*map(read_months, config.months)),
        years=tuple(map(read_years, config.years)),
    )
