"""The demo's traffic shows an outage, and each call has one identity."""

from __future__ import annotations

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
    demo._minute(publisher, outage=True)  # type: ignore[arg-type]
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
