"""The routing tree, with Alertmanager's terms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from alertworker.alerts.advice import NO_ANNOTATIONS, Annotations
from alertworker.alerts.catalogue import AlertType, severities_of
from alertworker.events.attribution import OWN_RECEIVER
from alertworker.routing.matchers import Matcher, all_pass
from alertworker.routing.time_intervals import TimeInterval


@dataclass(frozen=True, slots=True)
class Route:
    """A node of the tree: its matchers, its receiver and its children, which are tried first.

    A ``receiver`` of ``None`` means the parent's, and an empty string none. ``continues`` is Alertmanager's
    ``continue``. ``active`` and ``mute`` are the times in which the node notifies, or does not. The group and repeat
    intervals are in seconds. ``None`` means the alert type's own interval, or the parent's if the type has none. The
    same holds for each of the ``annotations``.
    """

    matchers: tuple[Matcher, ...] = ()
    receiver: str | None = None
    routes: tuple[Route, ...] = ()
    continues: bool = False
    group_interval: float | None = None
    repeat_interval: float | None = None
    active: tuple[TimeInterval, ...] = ()
    mute: tuple[TimeInterval, ...] = ()
    annotations: Annotations = NO_ANNOTATIONS

    def is_active(self, moment: datetime, *, zone: ZoneInfo) -> bool:
        """Return whether the node may notify at this time."""
        if any(interval.contains(moment, zone=zone) for interval in self.mute):
            return False
        return not self.active or any(interval.contains(moment, zone=zone) for interval in self.active)


@dataclass(frozen=True, slots=True)
class Decision:
    """The channels of an alert at this time. ``mute`` are channels that it would go to at another time of the week.

    ``group_interval`` and ``repeat_interval`` are in seconds, the shortest of all routes that matched.
    ``annotations`` are by channel, those of the first route that leads to it. ``usual`` are those of the alert type,
    for any other channel.
    """

    channels: tuple[str, ...] = ()
    mute: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()
    group_interval: float = 300.0
    repeat_interval: float = 14_400.0
    annotations: Mapping[str, Annotations] = field(default_factory=dict)
    usual: Annotations = NO_ANNOTATIONS

    def annotations_for(self, channel: str) -> Annotations:
        """Return the operator's annotations in messages to a channel."""
        return self.annotations.get(channel, self.usual)


#: Matchers that must all match.
Condition = tuple[Matcher, ...]


@dataclass(frozen=True, slots=True)
class _Place:
    receiver: str
    group_interval: float
    repeat_interval: float
    annotations: Annotations
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class Router:
    """The tree with the enabled types, the channels of each receiver, and the intervals by type, in seconds.

    ``digests``, ``repeats`` and ``annotations`` are the types' own group and repeat intervals and annotations. They
    take precedence over what a route inherits, and over the root's, which all routes inherit. A matching route's own
    take precedence over them.
    """

    root: Route
    receivers: Mapping[str, tuple[str, ...]]
    types: frozenset[AlertType]
    group_interval: float
    repeat_interval: float
    #: The receivers that a team's or a key's metadata may name, in addition to those of the tree.
    selectable: frozenset[str] = frozenset()
    digests: Mapping[AlertType, float] = field(default_factory=dict)
    repeats: Mapping[AlertType, float] = field(default_factory=dict)
    annotations: Mapping[AlertType, Annotations] = field(default_factory=dict)
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))

    @property
    def labels(self) -> frozenset[str]:
        """Return every label that a route tests."""
        return frozenset(_asked(self.root)) | {OWN_RECEIVER}

    def decide(self, alert_type: AlertType, labels: Mapping[str, str], *, now: datetime) -> Decision:
        """Return where an alert goes, each channel once. The root takes an alert that none of its children matches."""
        digest, repeat = self.digests.get(alert_type), self.repeats.get(alert_type)
        own = self.annotations.get(alert_type, NO_ANNOTATIONS)
        usual = _Place("", digest or self.group_interval, repeat or self.repeat_interval, own)
        if alert_type not in self.types:
            return Decision(group_interval=usual.group_interval, repeat_interval=usual.repeat_interval, usual=own)
        places = [
            replace(
                place,
                group_interval=(node is not self.root and node.group_interval) or digest or place.group_interval,
                repeat_interval=(node is not self.root and node.repeat_interval) or repeat or place.repeat_interval,
                annotations=(NO_ANNOTATIONS if node is self.root else node.annotations)
                .over(own)
                .over(place.annotations),
            )
            for node, place in self._walk(self.root, labels, usual, now)
        ]
        if labels.get(OWN_RECEIVER, "") in self.selectable:
            places.append(replace(usual, receiver=labels[OWN_RECEIVER]))
        active = [name for place in places if place.is_active for name in self.receivers.get(place.receiver, ())]
        muted = [name for place in places if not place.is_active for name in self.receivers.get(place.receiver, ())]
        return Decision(
            channels=tuple(dict.fromkeys(active)),
            mute=tuple(name for name in dict.fromkeys(muted) if name not in active),
            receivers=tuple(dict.fromkeys(place.receiver for place in places if place.receiver)),
            group_interval=min(place.group_interval for place in places),
            repeat_interval=min(place.repeat_interval for place in places),
            annotations=self._annotations(places),
            usual=own,
        )

    def _annotations(self, places: Sequence[_Place]) -> dict[str, Annotations]:
        """Return the annotations of each channel: those of the first node that may notify it now, else of the first
        node.
        """
        ordered = sorted(places, key=lambda place: not place.is_active)
        return {
            name: place.annotations for place in reversed(ordered) for name in self.receivers.get(place.receiver, ())
        }

    def reachable(self, alert_type: AlertType, **labels: str) -> tuple[str, ...]:
        """Return the channels that an alert of this type and these labels can reach with some other labels.

        Times of the week do not matter.
        """
        return tuple(self.reachable_if(alert_type, **labels))

    def reachable_if(self, alert_type: AlertType, **labels: str) -> dict[str, tuple[Condition, ...]]:
        """Return the same channels, each with the conditions on other labels under which routes lead to it.

        One condition is enough. An empty one holds for every alert that no route before it has taken.
        """
        if alert_type not in self.types:
            return {}
        found: dict[str, list[Condition]] = {}
        for receiver, condition in _possible(self.root, {"alert_type": alert_type.value, **labels}, "", ()):
            for name in self.receivers.get(receiver, ()):
                found.setdefault(name, []).append(condition)
        return {name: tuple(dict.fromkeys(conditions)) for name, conditions in found.items()}

    def possible_if(self, alert_type: AlertType) -> dict[str, tuple[Condition, ...]]:
        """Return what `reachable_if` does, for the severities that our own alerts of the type can have.

        A condition on the severity is left out if none of them meets it, or all of them do.
        """
        severities = [one.value for one in severities_of(alert_type)]
        by_severity = [self.reachable_if(alert_type, severity=one) for one in severities]
        found: dict[str, tuple[Condition, ...]] = {}
        for name, conditions in self.reachable_if(alert_type).items():
            own = [reached.get(name, ()) for reached in by_severity]
            possible = tuple(one for one in conditions if any(_may_have(one, severity) for severity in severities))
            if shown := own[0] if len(set(own)) == 1 else possible:
                found[name] = shown
        return found

    def _walk(
        self, node: Route, labels: Mapping[str, str], parent: _Place, now: datetime
    ) -> list[tuple[Route, _Place]]:
        """Return the nodes that match the alert, each with its own or inherited settings."""
        own = _Place(
            parent.receiver if node.receiver is None else node.receiver,
            node.group_interval or parent.group_interval,
            node.repeat_interval or parent.repeat_interval,
            node.annotations.over(parent.annotations),
            node.is_active(now, zone=self.zone),
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
    possible = (_possible(root, {"alert_type": alert_type.value}, "", ()) for alert_type in AlertType)
    return frozenset(receiver for found in possible for receiver, _ in found)


def _may_have(condition: Condition, severity: str) -> bool:
    """Return whether alerts of a severity may meet a condition."""
    return all_pass([matcher for matcher in condition if matcher.label == "severity"], {"severity": severity})


def _asked(node: Route) -> Iterator[str]:
    for matcher in node.matchers:
        yield matcher.label
    for child in node.routes:
        yield from _asked(child)


def _possible(
    node: Route, labels: Mapping[str, str], parent: str, condition: Condition
) -> Iterator[tuple[str, Condition]]:
    """Yield the receivers that alerts with these labels can reach, each with the matchers of other labels before it."""
    own = parent if node.receiver is None else node.receiver
    reached = True
    for child in node.routes:
        asked = [matcher for matcher in child.matchers if matcher.label in labels]
        if not all_pass(asked, labels):
            continue
        others = tuple(matcher for matcher in child.matchers if matcher.label not in labels)
        yield from _possible(child, labels, own, (*condition, *others))
        if not others:  # it matches all of them
            reached = False
            if not child.continues:
                return
    if reached:
        yield own, condition
