"""The parts of scenarios: faults of places in the world, what these touch, and what must be sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from alertworker.alerts.catalogue import AlertType, Severity
from bench.simulate.faults import MINUTE, UNAVAILABLE, Error, Fault
from bench.simulate.scenario import END, LATE_END, LONG_WINDOW, WINDOW, Affected, Incident, Must, Traffic
from bench.simulate.world import caller, make_world

WORLD: Final = make_world()
LOW: Final = frozenset({Severity.LOW})
MEDIUM: Final = frozenset({Severity.MEDIUM})
HIGH: Final = frozenset({Severity.HIGH})
MEDIUM_OR_HIGH: Final = MEDIUM | HIGH
OUTAGE: Final = frozenset({AlertType.OUTAGE_ALERTS})
REGION: Final = frozenset({AlertType.REGION_OUTAGE_ALERTS})
#: How long the simulation continues after the trouble.
TAIL: Final = 25 * MINUTE
#: The deployment that most scenarios break, one of five of its model, and another one in its region.
ONE: Final = "gpt-4o-azure-eastus"
SIBLING: Final = "gpt-4o-mini-azure-eastus"
#: The only deployment of its model, without a fallback.
ONLY: Final = "o3-openai"


def lasting(traffic: Traffic) -> float:
    """Return how long trouble lasts: at low traffic longer, so that calls meet it."""
    return 10 * MINUTE if traffic is Traffic.HIGH else 30 * MINUTE


def window(traffic: Traffic) -> float:
    """Return the time by which a total failure must be sent: the short window, if calls come that fast."""
    return WINDOW if traffic is Traffic.HIGH else LONG_WINDOW


def end(traffic: Traffic) -> float:
    """Return the time by which an end must be sent: a call must succeed first."""
    return END if traffic is Traffic.HIGH else LATE_END


def down(end_: float, *ids: str, start: float = 0.0, error: Error = UNAVAILABLE, **more: Any) -> Fault:
    """Return a fault of some deployments."""
    return Fault(start, end_, error, frozenset(ids), **more)


def touches(*ids: str, **more: Any) -> Affected:
    """Return what trouble with some deployments touches: them, and calls of their groups."""
    groups = frozenset(WORLD.deployments[one].group for one in ids)
    return Affected(deployments=frozenset(ids), touched=groups | more.pop("touched", frozenset()), **more)


def one_deployment(traffic: Traffic, deployment: str = ONE, **more: Any) -> Must:
    """Return that an outage of one deployment must be sent, Medium since retries and fallbacks save its calls."""
    fields: dict[str, Any] = {"within": WINDOW, "after_failures": 5, "level": MEDIUM, "end_within": end(traffic)}
    return Must(types=OUTAGE, labels={"deployment": deployment}, **(fields | more))


def outage(traffic: Traffic, lasts: float, deployment: str = ONE, *, start: float = 0.0, **more: Any) -> Incident:
    """Return the outage of one deployment as an incident; ``more`` are fields of `Must`."""
    must = one_deployment(traffic, deployment, **more)
    return Incident(deployment, start, start + lasts, touches(deployment), must)


def model_scope(group: str) -> dict[str, str]:
    """Return the labels of a condition that no deployment of a model answers."""
    return {"scope": "model", "model": group}


def nothing(name: str, start: float, end_: float, affected: Affected) -> Incident:
    """Return an incident about which nothing above Low must be sent."""
    return Incident(name, start, end_, affected)


def alias(number: int) -> str:
    """Return the alias of a caller's key."""
    return caller(number).key_alias


def groups_of(ids: Iterable[str]) -> frozenset[str]:
    """Return the groups of some deployments."""
    return frozenset(WORLD.deployments[one].group for one in ids)
