"""The demo's traffic shows an outage, and each call has one identity."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alertworker import demo
from alertworker.events import EVENT, RequestSucceeded
from alertworker.folding import Fold, fold


class Recorded:
    """A publisher that keeps the events, and announces every call that it watches."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.watched: dict[str, Any] = {}
        self.inflight = self

    def publish(self, event: Any) -> None:
        """Keep an event."""
        self.events.append(EVENT.validate_python(event))

    def start(self, call_id: str, describe: Any) -> None:
        """Keep the fields that an announcement would have."""
        self.watched[call_id] = describe()

    def finish(self, call_id: str) -> bool:
        """Return that the call was announced."""
        return call_id in self.watched


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """Record one minute with an outage, without waiting for it."""
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    publisher = Recorded()
    demo._minute(publisher, 0)  # type: ignore[arg-type]
    return publisher


def _folded(recorded: Recorded) -> Fold:
    return fold(recorded.events, slow_seconds=5, zone=ZoneInfo("UTC"), now=datetime.now(UTC))


def test_the_failing_deployment_is_to_blame(recorded: Recorded) -> None:
    """Ends of calls alone are no evidence for an outage; and each failed call has one failed attempt."""
    folded = _folded(recorded)

    assert {key.deployment_id for key in folded.outages.causes} == {"azure-eastus-2"}
    assert sum(sums.attempts for sums in folded.outages.causes.values()) == len(folded.failed) >= 10
    assert {event.call_id for event in folded.outages.blamed} == {event.call_id for event in folded.failed}


def test_a_call_has_one_identity(recorded: Recorded) -> None:
    """The end of the hanging call has the team and the deployment of its announcement."""
    ((call_id, announced),) = recorded.watched.items()
    ended = _folded(recorded).ended[call_id]

    assert isinstance(ended, RequestSucceeded)
    assert (ended.team_id, ended.deployment_id) == (announced["team_id"], announced["deployment_id"])


def test_the_budget_crosses_one_threshold_a_minute(recorded: Recorded) -> None:
    """Its call names it, and only that call."""
    [budget] = [budget for event in recorded.events for budget in getattr(event, "budgets", ())]
    assert (budget.scope, budget.entity_id) == ("team", "demo-billing")
    shares = [int(demo._budget(minute)["spend_nanos"]) / demo._MAX_NANOS for minute in range(5)]
    assert [sum(share >= limit for limit in (0.85, 0.95, 1.0)) for share in shares] == [1, 2, 3, 3, 3]
    assert budget.spend_nanos / budget.max_nanos == shares[0]


def test_each_demo_has_the_same_traffic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    seen = []
    for _ in range(2):
        monkeypatch.setattr(demo, "_random", random.Random(20))
        publisher = Recorded()
        demo._minute(publisher, 1)  # type: ignore[arg-type]
        seen.append([(event.type, event.deployment_id, event.team_id) for event in publisher.events])
    assert seen[0] == seen[1]
