"""Where an alert goes: the routing tree, in Alertmanager's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from alertworker.alerts.catalogue import AlertType
from alertworker.routing.matchers import Matcher, all_pass
from alertworker.routing.time_intervals import TimeInterval

#: The label that names a receiver of a team's or a key's own, beside those of the tree.
OWN_RECEIVER: Final = "alert_receiver"


@dataclass(frozen=True, slots=True)
class Route:
    """A node: what it wants, where that goes, and its children, which are asked first.

    ``receiver`` of ``None`` means the parent's; an empty string nobody. ``active`` and ``mute`` are the time intervals
    in which the node speaks, or does not. Intervals are in seconds; ``None`` means the type's own, and the parent's
    where the type has none.
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
class Decision:
    """Where an alert goes now. ``mute`` are channels that it would go to at another time of the week.

    ``group_interval`` and ``repeat_interval`` are in seconds, the shortest of all the ways it takes.
    """

    channels: tuple[str, ...] = ()
    mute: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()
    group_interval: float = 300.0
    repeat_interval: float = 14_400.0


@dataclass(frozen=True, slots=True)
class _Place:
    receiver: str
    group_interval: float
    repeat_interval: float
    speaks: bool = True


@dataclass(frozen=True, slots=True)
class Router:
    """The tree with all it refers to: the types that are on, receivers and their channels, seconds by type.

    ``digests`` and ``repeats`` are a type's own group and repeat intervals. They come before what a route inherits, and
    before what the root says, which is what all routes inherit; a route that takes the alert and says its own wins.
    """

    root: Route
    receivers: Mapping[str, tuple[str, ...]]
    types: frozenset[AlertType]
    group_interval: float
    repeat_interval: float
    digests: Mapping[AlertType, float] = field(default_factory=dict)
    repeats: Mapping[AlertType, float] = field(default_factory=dict)
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))

    @property
    def labels(self) -> frozenset[str]:
        """Name every label that some route asks about."""
        return frozenset(_asked(self.root)) | {OWN_RECEIVER}

    def decide(self, alert_type: AlertType, labels: Mapping[str, str], *, now: datetime) -> Decision:
        """Decide where an alert goes, each channel once; the root takes what none of its children takes."""
        digest, repeat = self.digests.get(alert_type), self.repeats.get(alert_type)
        usual = _Place("", digest or self.group_interval, repeat or self.repeat_interval)
        if alert_type not in self.types:
            return Decision(group_interval=usual.group_interval, repeat_interval=usual.repeat_interval)
        places = [
            replace(
                place,
                group_interval=(node is not self.root and node.group_interval) or digest or place.group_interval,
                repeat_interval=(node is not self.root and node.repeat_interval) or repeat or place.repeat_interval,
            )
            for node, place in self._walk(self.root, labels, usual, now)
        ]
        if labels.get(OWN_RECEIVER, "") in self.receivers:
            places.append(replace(usual, receiver=labels[OWN_RECEIVER]))
        speaking = [name for place in places if place.speaks for name in self.receivers.get(place.receiver, ())]
        silent = [name for place in places if not place.speaks for name in self.receivers.get(place.receiver, ())]
        return Decision(
            channels=tuple(dict.fromkeys(speaking)),
            mute=tuple(name for name in dict.fromkeys(silent) if name not in speaking),
            receivers=tuple(dict.fromkeys(place.receiver for place in places if place.receiver)),
            group_interval=min(place.group_interval for place in places),
            repeat_interval=min(place.repeat_interval for place in places),
        )

    def reachable(self, alert_type: AlertType) -> tuple[str, ...]:
        """Name the channels that some alert of a type could go to, by its other labels and at some hour."""
        if alert_type not in self.types:
            return ()
        receivers = _possible(self.root, {"alert_type": alert_type.value}, "")
        return tuple(dict.fromkeys(name for receiver in receivers for name in self.receivers.get(receiver, ())))

    def _walk(
        self, node: Route, labels: Mapping[str, str], parent: _Place, now: datetime
    ) -> list[tuple[Route, _Place]]:
        """Give the nodes that take the alert, each with what it says itself or inherits."""
        own = _Place(
            parent.receiver if node.receiver is None else node.receiver,
            node.group_interval or parent.group_interval,
            node.repeat_interval or parent.repeat_interval,
            node.speaks(now, zone=self.zone),
        )
        found: list[tuple[Route, _Place]] = []
        for child in node.routes:
            if all_pass(child.matchers, labels):
                found += self._walk(child, labels, own, now)
                if not child.goes_on:
                    return found
        return found or [(node, own)]


def reached_receivers(root: Route) -> frozenset[str]:
    """Name the receivers that some alert can go to by a tree, whatever types are on."""
    return frozenset(name for kind in AlertType for name in _possible(root, {"alert_type": kind.value}, ""))


def _asked(node: Route) -> Iterator[str]:
    for matcher in node.matchers:
        yield matcher.label
    for child in node.routes:
        yield from _asked(child)


def _possible(node: Route, labels: Mapping[str, str], parent: str) -> Iterator[str]:
    """Name the receivers that alerts with these labels can reach, whatever labels they have besides."""
    own = parent if node.receiver is None else node.receiver
    reached = True
    for child in node.routes:
        asked = [matcher for matcher in child.matchers if matcher.label in labels]
        if not all_pass(asked, labels):
            continue
        yield from _possible(child, labels, own)
        if len(asked) == len(child.matchers):  # it takes them all
            reached = False
            if not child.goes_on:
                return
    if reached:
        yield own
