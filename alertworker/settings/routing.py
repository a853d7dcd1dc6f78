"""Our own words for where alerts go: receivers, route, time intervals and inhibitions, in Alertmanager's form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from alertworker.channels import KINDS, recognize
from alertworker.errors import AlertWorkerError
from alertworker.routing.impossible import doubt_label, doubts
from alertworker.routing.inhibitions import Inhibition
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
from alertworker.settings.litellm import Destinations, NameTaken, is_loop, resolve
from alertworker.settings.sources import Sources, nearest

_ROUTE: Final = (
    "receiver", "matchers", "routes", "continue", "group_interval", "repeat_interval", "active_time_intervals",
    "mute_time_intervals",
)  # fmt: skip
_INHIBITION: Final = ("source", "target", "equal")
_INTERVAL: Final = ("times", "weekdays", "days_of_month", "months", "years", "location")
_TIMES: Final = ("start_time", "end_time")


@dataclass(slots=True)
class _Reader:
    sources: Sources
    found: Destinations
    intervals: dict[str, tuple[TimeInterval, ...]] = field(default_factory=dict)

    def problem(self, where: str, text: str) -> None:
        self.sources.problems.append(f"{where}: {text}")

    def mapping(self, value: Any, where: str, words: tuple[str, ...] = ()) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            self.problem(where, f"must be a mapping, not {type(value).__name__}")
            return {}
        for word in value if words else ():
            if word not in words:
                self.problem(where, f"unknown word {word}{nearest(str(word), words)}")
        return value

    def items(self, value: Any, where: str) -> list[tuple[Any, str]]:
        if value is None:
            return []
        if not isinstance(value, list):
            self.problem(where, f"must be a list, not {type(value).__name__}")
            return []
        return [(item, f"{where}[{index}]") for index, item in enumerate(value)]

    def named(
        self, items: list[tuple[Any, str]], words: tuple[str, ...]
    ) -> Iterator[tuple[str, Mapping[str, Any], str]]:
        """Give those that have a name of their own, with it; note a problem with all others."""
        taken: set[str] = set()
        for item, where in items:
            fields = self.mapping(item, where, words)
            name = fields.get("name")
            if not isinstance(name, str) or not name:
                self.problem(where, "needs a name")
            elif name in taken:
                self.problem(f"{where}.name", f"{name!r} comes twice; put both into one, or rename one of them")
            else:
                taken.add(name)
                yield name, fields, where


def compile_own(sources: Sources, found: Destinations) -> tuple[Inhibition, ...] | None:
    """Add our receivers to what LiteLLM's words gave, and put our tree, if there is one, in place of theirs.

    Gives the inhibitions, or ``None`` where nobody named any and the built-in ones hold.
    """
    reader = _Reader(sources, found)
    origin = sources.origins.get
    receivers = reader.items(sources.values.get("receivers"), origin("receivers", "receivers"))
    for name, fields, where in reader.named(receivers, ("name", "channels")):
        found.receivers[name] = _receiver(fields, where, reader)
    intervals = reader.items(sources.values.get("time_intervals"), origin("time_intervals", "time_intervals"))
    for name, fields, where in reader.named(intervals, ("name", "time_intervals")):
        parts = reader.items(fields.get("time_intervals"), f"{where}.time_intervals")
        reader.intervals[name] = tuple(_interval(part, place, reader) for part, place in parts)
    if "route" in sources.values:
        found.route = _root(sources.values["route"], origin("route", "route"), reader)
    if "inhibitions" not in sources.values:
        return None
    return tuple(
        _inhibition(item, where, reader)
        for item, where in reader.items(sources.values["inhibitions"], origin("inhibitions", "inhibitions"))
    )


def _receiver(fields: Mapping[str, Any], where: str, reader: _Reader) -> tuple[str, ...]:
    channels = [
        _channel(raw, place, reader) for raw, place in reader.items(fields.get("channels"), f"{where}.channels")
    ]
    return tuple(dict.fromkeys(name for name in channels if name is not None))


def _channel(raw: Any, where: str, reader: _Reader) -> str | None:
    fields = {
        key: _resolved(value, f"{where}.{key}", reader.sources) for key, value in reader.mapping(raw, where).items()
    }
    if is_loop(fields.get("url"), f"{where}.url", reader.sources):
        return None
    kind = fields.get("kind") or recognize(str(fields.get("url", "")))
    if kind not in KINDS:
        known = ", ".join(sorted(KINDS))
        reader.problem(
            where, f"needs a kind, one of {known}" if kind is None else f"{kind!r} is no kind; known are {known}"
        )
        return None
    if not isinstance(fields.get("name"), str | None):
        reader.problem(f"{where}.name", "must be a text")
        return None
    try:
        return reader.found.add({**fields, "kind": kind})
    except NameTaken as error:
        reader.problem(f"{where}.name", str(error))
        return None


def _resolved(value: Any, where: str, sources: Sources) -> Any:
    if isinstance(value, str):
        return resolve(value, where, sources)
    if isinstance(value, list):
        return [_resolved(item, where, sources) for item in value]
    return value


def _root(value: Any, where: str, reader: _Reader) -> Route:
    """Read the tree. What no other node takes goes to its root, so that it is for every alert and for somebody."""
    if isinstance(value, Mapping):
        if value.get("matchers"):
            reader.problem(f"{where}.matchers", "the root is for every alert; put them into a route under routes")
        if value.get("receiver") is None:
            reader.problem(
                f"{where}.receiver",
                "the root needs one, which gets what no route takes; write default for the chats of the environment, "
                'or "" for nobody',
            )
    return _route(value, where, reader)


def _route(value: Any, where: str, reader: _Reader) -> Route:
    node = reader.mapping(value, where, _ROUTE)
    receiver = node.get("receiver")
    known = list(reader.found.receivers)
    if receiver not in (None, "", *known):
        reader.problem(f"{where}.receiver", f"{receiver!r} is no receiver{nearest(str(receiver), known)}")
        receiver = None
    return Route(
        matchers=_matchers(node.get("matchers"), f"{where}.matchers", reader),
        receiver=receiver,
        routes=tuple(
            _route(item, place, reader) for item, place in reader.items(node.get("routes"), f"{where}.routes")
        ),
        goes_on=node.get("continue") is True,
        group_interval=_seconds(node.get("group_interval"), f"{where}.group_interval", reader),
        repeat_interval=_seconds(node.get("repeat_interval"), f"{where}.repeat_interval", reader),
        active=_intervals(node.get("active_time_intervals"), f"{where}.active_time_intervals", reader),
        mute=_intervals(node.get("mute_time_intervals"), f"{where}.mute_time_intervals", reader),
    )


def _matchers(value: Any, where: str, reader: _Reader) -> tuple[Matcher, ...]:
    """Read matchers; as in Alertmanager an item of the list may hold several, with commas between them."""
    found: list[Matcher] = []
    for item, place in reader.items(value, where):
        if not isinstance(item, str):
            reader.problem(place, "must be a string; put the matcher into single quotes, such as 'team=\"search\"'")
            continue
        try:
            own = parse_list(item)
        except AlertWorkerError as error:
            reader.problem(place, str(error))
            continue
        reader.found.warnings += [f"{place}: {doubt}" for doubt in doubts(own)]
        found += own
    return tuple(found)


def _seconds(value: Any, where: str, reader: _Reader) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        reader.problem(where, "must be seconds, more than 0")
        return None
    return float(value)


def _intervals(value: Any, where: str, reader: _Reader) -> tuple[TimeInterval, ...]:
    found: list[TimeInterval] = []
    for name, place in reader.items(value, where):
        if name not in reader.intervals:
            reader.problem(place, f"{name!r} is no time interval{nearest(str(name), list(reader.intervals))}")
        found += reader.intervals.get(str(name), ())
    return tuple(found)


def _interval(value: Any, where: str, reader: _Reader) -> TimeInterval:
    fields = reader.mapping(value, where, _INTERVAL)
    try:
        times = tuple(
            read_times(part.get("start_time"), part.get("end_time"))
            for part in (
                reader.mapping(item, place, _TIMES)
                for item, place in reader.items(fields.get("times"), f"{where}.times")
            )
        )

        def ranges(word: str) -> list[str]:
            return [str(item) for item, _ in reader.items(fields.get(word), f"{where}.{word}")]

        found = TimeInterval(
            times=times,
            weekdays=frozenset().union(*map(read_weekdays, ranges("weekdays"))),
            zone=ZoneInfo(fields["location"]) if "location" in fields else None,
            days_of_month=tuple(map(read_days_of_month, ranges("days_of_month"))),
            months=frozenset().union(*map(read_months, ranges("months"))),
            years=tuple(map(read_years, ranges("years"))),
        )
    except (AlertWorkerError, ZoneInfoNotFoundError, ValueError) as error:
        reader.problem(where, str(error))
        return TimeInterval()
    return found


def _inhibition(value: Any, where: str, reader: _Reader) -> Inhibition:
    fields = reader.mapping(value, where, _INHIBITION)
    source = _matchers(fields.get("source"), f"{where}.source", reader)
    target = _matchers(fields.get("target"), f"{where}.target", reader)
    if not fields.get("source") or not fields.get("target"):
        reader.problem(where, "needs matchers for both source and target")
    equal = [(str(item), place) for item, place in reader.items(fields.get("equal"), f"{where}.equal")]
    for label, place in equal:
        if (doubt := doubt_label(label)) is not None:
            reader.found.warnings.append(f"{place}: {doubt}")
    return Inhibition(source, target, tuple(label for label, _ in equal))
