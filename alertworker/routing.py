"""Where an alert goes: the routing tree, in Alertmanager's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from alertworker.matchers import Matcher, all_pass
from alertworker.time_intervals import TimeInterval


@dataclass(frozen=True, slots=True)
class Route:
    """A node: what it wants, where that goes, and its children, which are asked first.

    ``receiver`` of ``None`` means the parent's; an empty string nobody. ``active`` and ``mute`` are the time intervals
    in which the node speaks, or does not. Intervals are in seconds; ``None`` means the parent's.
    """

    matchers: tuple[Matcher, ...] = ()
    receiver: str | None = None
    routes: tuple[Route, ...] = ()
    goes_on: bool = False
    group_interval: float | None = None
    repeat_interval: float | None = None
    active: tuple[TimeInterval, ...] = ()
    mute: tuple[TimeInterval, ...] = ()

    def speaks(self, moment: datetime, *, zone: ZoneInfo) -> bool:
        """Tell whether the node may send at that moment."""
        if any(interval.contains(moment, zone=zone) for interval in self.mute):
            return False
        return not self.active or any(interval.contains(moment, zone=zone) for interval in self.active)


@dataclass(frozen=True, slots=True)
class Destination:
    """One receiver that an alert goes to, with the intervals that hold on the way there."""

    receiver: str
    group_interval: float
    repeat_interval: float
    speaks: bool


@dataclass(frozen=True, slots=True)
class _Inherited:
    receiver: str
    group_interval: float
    repeat_interval: float
    speaks: bool = True


def destinations(
    root: Route,
    labels: Mapping[str, str],
    *,
    group_interval: float,
    repeat_interval: float,
    now: datetime,
    zone: ZoneInfo,
) -> tuple[Destination, ...]:
    """Give every destination of an alert, in the order of the tree, each receiver once.

    The root takes what none of its children takes; a child with ``goes_on`` lets its siblings look, too.
    """
    found = _walk(root, labels, _Inherited("", group_interval, repeat_interval), now=now, zone=zone)
    unique: dict[str, Destination] = {}
    for place in found:
        if place.receiver and (place.receiver not in unique or not unique[place.receiver].speaks):
            unique[place.receiver] = place
    return tuple(unique.values())


def _walk(
    node: Route, labels: Mapping[str, str], parent: _Inherited, *, now: datetime, zone: ZoneInfo
) -> list[Destination]:
    own = _Inherited(
        parent.receiver if node.receiver is None else node.receiver,
        node.group_interval or parent.group_interval,
        node.repeat_interval or parent.repeat_interval,
        node.speaks(now, zone=zone),
    )
    found: list[Destination] = []
    for child in node.routes:
        if all_pass(child.matchers, labels):
            found += _walk(child, labels, own, now=now, zone=zone)
            if not child.goes_on:
                return found
    return found or [Destination(own.receiver, own.group_interval, own.repeat_interval, own.speaks)]
