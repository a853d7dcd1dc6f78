"""Cooldowns: asked of the router after failed attempts, published once each, and one notice for a deployment."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alertworker.alerts.catalogue import TRACE
from alertworker.detectors import Policy
from alertworker.detectors.cooldowns import cooled_down
from alertworker.events import EVENT, DeploymentCooledDown
from alertworker.folding import fold
from alertworker.integrations.litellm.cooldowns import CooldownWatch

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
FAILURE = {"error_class": "RateLimitError", "status_code": 429, "origin": "provider", "message": "slow down"}
FIELDS = {"deployment_id": "d1", "model_group": "gpt-4o", "provider": "azure", "region": "eu"}
CALL = {"call_id": "c1", "trace_id": "a" * 32, "alerting_metadata": {"run": "7"}}


class Router:
    """Answers as LiteLLM's cooldown cache does."""

    def __init__(self) -> None:
        self.asked: list[Sequence[str]] = []
        self.cooldowns: list[tuple[str, Mapping[str, Any]]] = []

    async def active(self, ids: Sequence[str]) -> Sequence[tuple[str, Mapping[str, Any]]]:
        """Return what is cooling down."""
        self.asked.append(ids)
        return self.cooldowns


def test_a_burst_of_failures_queries_once_and_each_cooldown_is_published_once() -> None:
    """The event is valid on the wire, and holds the last failure; what LiteLLM keeps of its text is not used."""
    events: list[Any] = []
    router = Router()
    begun = {"timestamp": NOW.timestamp(), "cooldown_time": 5, "exception_received": "echoes the prompt"}
    router.cooldowns = [("d1", begun)]

    async def proxy() -> None:
        watch = CooldownWatch(
            lambda event: events.append(EVENT.validate_python(dict(event))), router.active, delay=0.01
        )
        for _ in range(2):
            for _ in range(50):
                watch.failed(FIELDS | CALL, FAILURE)
            watch.failed({"model": "turned away"}, FAILURE)
            await asyncio.sleep(0.1)

    asyncio.run(proxy())

    assert router.asked == [["d1"], ["d1"]]
    (event,) = events
    assert (event.deployment_id, event.occurred_at, event.seconds) == ("d1", NOW, 5)
    assert event.failure.error_class == "RateLimitError"
    assert (event.call_id, event.trace_id, event.alerting_metadata) == tuple(CALL.values())
    assert "prompt" not in event.model_dump_json()


def test_an_error_of_the_router_reaches_no_request() -> None:
    """A cache that cannot be asked, and values that are none."""
    events: list[Any] = []

    async def broken(_ids: Sequence[str]) -> Sequence[tuple[str, Mapping[str, Any]]]:
        raise ConnectionError

    async def odd(_ids: Sequence[str]) -> Sequence[tuple[str, Mapping[str, Any]]]:
        return [("d1", {"timestamp": "no", "cooldown_time": 5}), ("d1", {"timestamp": 1.0, "cooldown_time": None})]

    async def proxy() -> None:
        for cooldowns in (broken, odd):
            watch = CooldownWatch(events.append, cooldowns, delay=0.01)
            watch.failed(FIELDS, FAILURE)
            await asyncio.sleep(0.05)

    asyncio.run(proxy())
    assert events == []


@pytest.mark.parametrize(("seconds", "shown"), [(0.2, "1 s"), (60, "1 min"), (5_400, "1 h 30 min")])
def test_the_length_of_a_cooldown_is_written_like_every_duration(seconds: float, shown: str) -> None:
    event = DeploymentCooledDown.model_validate({**FIELDS, "occurred_at": NOW, "seconds": seconds, "failure": FAILURE})
    (alert,) = cooled_down(fold([event], slow_seconds=300, zone=ZoneInfo("UTC"), now=NOW), Policy())

    assert alert.headline.startswith(f"Deployment cools down for {shown}: ")


def test_one_notice_for_a_deployment_has_reason_and_end() -> None:
    """The cooldowns of several processes are counted in it."""
    first = DeploymentCooledDown.model_validate({**FIELDS, "occurred_at": NOW, "seconds": 5, "failure": FAILURE})
    last = first.model_copy(update={"occurred_at": NOW + timedelta(seconds=9)})
    other = first.model_copy(update={"deployment_id": "d2"})
    folded = fold([last, first, other], slow_seconds=300, zone=ZoneInfo("UTC"), now=NOW)
    alerts = {alert.identity["deployment"]: alert for alert in cooled_down(folded, Policy())}

    assert set(alerts) == {"d1", "d2"}
    alert = alerts["d1"]
    assert alert.headline == "Deployment cools down for 5 s: azure/gpt-4o in eu (d1) · RateLimitError 429"
    assert (alert.count, alert.facts["Until"]) == (2, "2026-11-23 14:02:25 UTC")
    assert alert.labels == {"model": "gpt-4o", "provider": "azure", "region": "eu", "deployment": "d1"}


def test_it_names_the_call_that_failed_last_and_links_to_its_trace() -> None:
    """The message has the metadata that the caller selected."""
    fields = {**FIELDS, **CALL, "occurred_at": NOW, "seconds": 5, "failure": FAILURE}
    folded = fold([DeploymentCooledDown.model_validate(fields)], slow_seconds=300, zone=ZoneInfo("UTC"), now=NOW)
    [alert] = cooled_down(folded, Policy(langfuse_host="https://langfuse.example"))

    assert alert.facts[TRACE] == f"https://langfuse.example/trace/{'a' * 32}"
    assert alert.metadata == {"run": "7"}
    assert alert.members == ("until 2026-11-23 14:02:16 UTC · c1 · run=7",)
