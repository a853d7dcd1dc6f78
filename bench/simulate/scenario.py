"""A scenario: what happens, and what must be sent about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from alertworker.alerts.catalogue import AlertType, Severity
from bench.simulate.calls import Behaviour
from bench.simulate.faults import HOUR, MINUTE

#: An outage window of 60 s, and 60 s: by when what is certain within a window must be sent.
WINDOW: Final = 2 * MINUTE
#: The longer window of 15 minutes, and 60 s.
LONG_WINDOW: Final = 16 * MINUTE
#: By when an end must be sent: a window, what may come again, and a minute; where a success must come first, later.
END: Final = 4 * MINUTE
LATE_END: Final = 12 * MINUTE
#: How many messages about an incident may be sent, and how many more each hour that it lasts.
MESSAGES: Final = 2
MORE_AN_HOUR: Final = 2


class Traffic(StrEnum):
    """The amount of traffic."""

    LOW = "low"
    HIGH = "high"

    @property
    def rate(self) -> float:
        """The calls per second of all groups."""
        return {Traffic.LOW: 0.5, Traffic.HIGH: 10.0}[self]


@dataclass(frozen=True, slots=True)
class Affected:
    """The parts of the world that an incident touches. A message about anything else is not about this incident.

    ``deployments`` may be named by outages and cooldowns. ``models`` are groups without any deployment that answers,
    ``touched`` those whose calls may fail: messages about calls may name them. ``regions`` are pairs of provider and
    region. ``callers`` are aliases of keys.
    """

    deployments: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()
    touched: frozenset[str] = frozenset()
    regions: frozenset[tuple[str, str]] = frozenset()
    providers: frozenset[str] = frozenset()
    credentials: frozenset[str] = frozenset()
    callers: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Must:
    """The messages that must be sent about an incident.

    A message of one of ``types`` that has all of ``labels``, or all of ``or_labels``, must come within ``within``
    seconds of the start, or a minute after the ``after_failures``-th call failed, whichever is later. If fewer calls
    failed, it need not come. ``level`` holds the highest levels that messages about it may have. The end must be sent
    within ``end_within`` seconds of the incident's end; ``None`` is for what has no end.
    """

    types: frozenset[AlertType]
    labels: Mapping[str, str | None]
    level: frozenset[Severity]
    within: float = WINDOW
    after_failures: int = 0
    end_within: float | None = END
    #: By how many seconds the incident may seem older than it is: one failure by chance before a part of the calls fail
    #: looks like its start.
    older_by: float = MINUTE
    #: It may end and open again in that time.
    comes_and_goes: bool = False
    #: How many conditions there are, each with its own messages: three hosts that are lost.
    conditions: int = 1
    #: The messages allowed beside those of each hour, where they are not `MESSAGES` for each condition.
    messages: int | None = None
    #: Labels that the message may have instead: a model's only deployment is its model.
    or_labels: Mapping[str, str] | None = None
    #: From when on the window for the first message counts, if not from the start: the end of a silence.
    counted_from: float | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that happens, in seconds after the warm-up; without ``must`` nothing above Low is sent about it.

    In the stretches ``quiet`` nothing at all is sent about it. ``grace`` is for how long after the end it may still be
    said that it fires.
    """

    name: str
    start: float
    end: float
    affected: Affected
    must: Must | None = None
    quiet: tuple[tuple[float, float], ...] = ()
    grace: float = MINUTE

    @property
    def allowed(self) -> int:
        """How many messages may be sent about it; a rise to High is one more."""
        more = int((self.end - self.start) / HOUR * MORE_AN_HOUR)
        if self.must is None:
            return MESSAGES + more
        if self.must.messages is not None:
            return self.must.messages + more
        return MESSAGES * self.must.conditions + more + (Severity.HIGH in self.must.level)


@dataclass(frozen=True, slots=True)
class SilenceSpec:
    """A silence in force from ``start`` until ``end``, in seconds after the warm-up."""

    matchers: tuple[str, ...]
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """One world with its trouble. Times are in seconds.

    ``happenings`` are those of `faults`. ``rate`` is the number of calls per second where it is not the traffic's;
    ``day`` lets it vary from 0.5 to 50 calls/s within a day. ``settings`` are alertworker's own, where they are not
    the defaults.
    """

    name: str
    what: str
    lasts: float
    happenings: tuple[object, ...] = ()
    incidents: tuple[Incident, ...] = ()
    behaviour: Behaviour = field(default_factory=Behaviour)
    silences: tuple[SilenceSpec, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    rate: float | None = None
    day: bool = False
    warm_up: float = 15 * MINUTE
    #: How many messages at Medium about nothing that happened may be sent, and how many at Medium or repeated at Low.
    #: High ones never. Without retries every failed attempt is a lost call, so more is repeated.
    tolerated: int = 0
    tolerated_low: int = 5
    step: float | None = None
    #: When the simulation begins, as ISO 8601.
    begins: str = "2026-11-23T13:00:00+00:00"
