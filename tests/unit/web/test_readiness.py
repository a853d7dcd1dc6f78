"""Readiness says at once what stops the pipeline. Failing steps do not make a process unready."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from alertworker.store import HealthSnapshot
from alertworker.web.app import build_app
from alertworker.web.cached import CachedHealth
from tests.asgi import Answer, ask
from tests.unit.web.test_bounds import web

#: A snapshot of a pipeline that works.
HEALTHY = HealthSnapshot({}, {}, {}, {}, 0, {}, {}, {}, canary_seconds=1.0)


def readiness(snapshot: HealthSnapshot, write_problem: str | None = None) -> Answer:
    _, context = web(lambda _batch: None)
    try:
        app = build_app(replace(context, health=CachedHealth(lambda _now: snapshot, lambda: 0, lambda: write_problem)))
        return asyncio.run(ask(app, "GET", "/health/readiness"))
    finally:
        context.broker_queue.close()


def test_readiness_names_the_steps_that_fail() -> None:
    answer = readiness(replace(HEALTHY, failing={"users": 3.0, "lanes": 9.0}))
    assert (answer.status, answer.body["reasons"]) == (200, [])
    assert answer.body["failing_steps"] == ["lanes", "users"]


def test_a_database_that_cannot_be_written_is_a_reason() -> None:
    """It answers, and the last canary is young."""
    answer = readiness(HEALTHY, write_problem="the disk is full")
    assert (answer.status, answer.body["reasons"]) == (503, ["the disk is full"])
