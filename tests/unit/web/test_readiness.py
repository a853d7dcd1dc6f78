"""Readiness names steps that fail. They are no reason to send a process no requests."""

from __future__ import annotations

from typing import Any, cast

from starlette.testclient import TestClient

from alertworker.store import HealthSnapshot
from alertworker.web.app import build_app
from alertworker.web.broker_queue import BrokerQueue
from alertworker.web.cached import CachedHealth
from alertworker.web.context import Context
from alertworker.web.keys import Keys


def test_readiness_names_the_steps_that_fail() -> None:
    readings = HealthSnapshot({}, {}, {}, {}, 0, {}, {}, canary_seconds=1.0, failing={"users": 3.0, "lanes": 9.0})
    context = Context(
        keys=Keys(publish="publish-key", admin="admin-key"),
        broker_queue=BrokerQueue(lambda _batch: None),
        try_service=lambda _service, _now: [],
        health=CachedHealth(lambda _now: readings, lambda: 0),
        pages=cast("Any", None),
    )
    answer = TestClient(build_app(context)).get("/health/readiness")

    assert answer.status_code == 200
    assert (answer.json()["reasons"], answer.json()["failing_steps"]) == ([], ["lanes", "users"])
