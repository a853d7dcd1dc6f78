"""The routing tree, with Alertmanager's terms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from alertworker.alerts.catalogue import AlertType
from alertworker.routing.matchers import Matcher, all_pass
from alertworker.routing.time_intervals import TimeInterval

#: The label that names a team's or a key's own receiver, in addition to those of the tree.
OWN_RECEIVER: Final = "alert_receiver"


@dataclass(frozen=True, slots=True)
class Route:
    """A node of the tree: its matchers, its receiver and its children, which are tried first.

    A ``receiver`` of ``None`` means the parent's, and an empty string none. ``continues`` is Alertmanager's
    ``continue``. ``active`` and ``mute`` are the times in which the node notifies, or does not. The group and repeat
    intervals are in seconds. ``None`` means the alert type's own interval, or the parent's if the type has none.
    """

    matchers: tuple[Matcher, ...] = ()
    receiver: str | None = None
    routes: tuple[Route, ...] = ()
    continues: bool = False
    group_interval: float | None = None
    repeat_interval: float | None = None
    active: tuple[TimeInterval, ...] = ()
    mute: tuple[TimeInterval, ...] = ()

    def speaks(self, moment: datetime, *, zone: ZoneInfo) -> bool:
        """Return whether the node may notify at this time."""
        if any(interval.contains(moment, zone=zone) for interval in self.mute):
            return False
        return not self.active or any(interval.contains(moment, zone=zone) for interval in self.active)


@dataclass(frozen=True, slots=True)
class Decision:
    """Where an alert goes now. ``mute`` are channels that it would go to at another time of the week.

    ``group_interval`` and ``repeat_interval`` are in seconds, the shortest of all routes that matched.
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
    """The tree with the enabled types, the channels of each receiver, and the intervals by type, in seconds.

    ``digests`` and ``repeats`` are the types' own group and repeat intervals. They take precedence over an inherited
    interval and over the root's, which all routes inherit. A matching route's own interval takes precedence over
    them.
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
        """Return every label that a route tests."""
        return frozenset(_asked(self.root)) | {OWN_RECEIVER}

    def decide(self, alert_type: AlertType, labels: Mapping[str, str], *, now: datetime) -> Decision:
        """Return where an alert goes, each channel once. The root takes an alert that none of its children matches."""
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
        """Return the channels that an alert of this type can reach with some labels at some time."""
        if alert_type not in self.types:
            return ()
        receivers = _possible(self.root, {"alert_type": alert_type.value}, "")
        return tuple(dict.fromkeys(name for receiver in receivers for name in self.receivers.get(receiver, ())))

    def _walk(
        self, node: Route, labels: Mapping[str, str], parent: _Place, now: datetime
    ) -> list[tuple[Route, _Place]]:
        """Return the nodes that match the alert, each with its own or inherited settings."""
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
                if not child.continues:
                    return found
        return found or [(node, own)]


def reached_receivers(root: Route) -> frozenset[str]:
    """Return the receivers that some alert can reach in a tree, whatever types are enabled."""
    return frozenset(name for kind in AlertType for name in _possible(root, {"alert_type": kind.value}, ""))


def _asked(node: Route) -> Iterator[str]:
    for matcher in node.matchers:
        yield matcher.label
    for child in node.routes:
        yield from _asked(child)


def _possible(node: Route, labels: Mapping[str, str], parent: str) -> Iterator[str]:
    """Yield the receivers that alerts with these labels can reach, whatever other labels they have."""
    own = parent if node.receiver is None else node.receiver
    reached = True
    for child in node.routes:
        asked = [matcher for matcher in child.matchers if matcher.label in labels]
        if not all_pass(asked, labels):
            continue
        yield from _possible(child, labels, own)
        if len(asked) == len(child.matchers):  # it matches all of them
            reached = False
            if not child.continues:
                return
    if reached:
        yield own
