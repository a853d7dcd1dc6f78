"""Every route that checks a key shares one throttle. Refused keys are logged and counted."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

import pytest
from starlette.testclient import TestClient

from alertworker.errors import StoreUnavailable
from alertworker.web import counts
from alertworker.web.app import build_app
from alertworker.web.broker_queue import BrokerQueue
from alertworker.web.context import Context
from alertworker.web.counts import Counts
from alertworker.web.keys import Keys
from alertworker.web.throttle import BURST

PATHS = {
    "/v1/events": "POST",
    "/integrations/litellm/slack": "POST",
    "/integrations/litellm/webhook": "POST",
    "/health/services": "GET",
}


class Web:
    """An application, and what it counts."""

    def __init__(self) -> None:
        self.counted: Counter[str] = Counter()
        keys = Keys(
            publish="the-publish-key", admin="the-admin-key", count=lambda reason: self.counted.update([reason])
        )
        self.client = TestClient(
            build_app(
                Context(
                    keys=keys,
                    broker_queue=BrokerQueue(lambda _batch: None),
                    health=cast("Any", None),
                    pages=cast("Any", None),
                    try_service=lambda _service, _now: (),
                )
            )
        )

    def ask(self, path: str, key: str | None) -> int:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return self.client.request(PATHS[path], path, headers=headers).status_code


@pytest.mark.parametrize("path", PATHS)
def test_guesses_are_refused_on_every_route_after_a_few(path: str, caplog: pytest.LogCaptureFixture) -> None:
    """The right key is refused with them, so an attacker does not learn that it is right."""
    web = Web()
    with caplog.at_level(logging.WARNING, "alertworker.web"):
        answers = [web.ask(path, f"guess-{number}") for number in range(50)]

    assert answers == [401] * BURST + [429] * (50 - BURST)
    assert web.counted == {"wrong": BURST, "throttled": 50 - BURST}
    assert caplog.messages == ["wrong key from testclient"] * BURST
    assert {web.ask(other, "the-admin-key") for other in PATHS} == {429}


def test_a_key_in_the_url_is_throttled_too() -> None:
    web = Web()
    answers = [web.client.post(f"/integrations/litellm/slack?key=guess-{n}").status_code for n in range(BURST + 1)]
    assert answers[-1] == 429


def test_keys_that_were_right_go_on_and_requests_without_a_key_cost_nothing() -> None:
    web = Web()
    assert web.ask("/v1/events", "the-publish-key") == 422
    assert {web.ask("/v1/events", None) for _ in range(50)} == {401}
    assert web.counted == {}
    for number in range(50):
        web.ask("/v1/events", f"guess-{number}")
    assert web.ask("/v1/events", "the-publish-key") == 422
    assert web.ask("/v1/events", "the-admin-key") == 429


def test_a_refusal_says_when_to_try_again() -> None:
    web = Web()
    for number in range(BURST):
        web.ask("/v1/events", f"guess-{number}")
    answer = web.client.post("/v1/events", headers={"Authorization": "Bearer the-admin-key"})
    assert answer.headers["Retry-After"] == "30"
    assert answer.json() == {"error": "Too many attempts with a wrong key. Try again in 30 s."}


def test_counts_are_written_together_and_kept_while_the_database_is_away(monkeypatch: Any) -> None:
    monkeypatch.setattr(counts, "EVERY", 0.0)
    written: list[Mapping[str, int]] = []
    fails = [True]

    def write(counted: Mapping[str, int]) -> None:
        if fails:
            fails.pop()
            raise StoreUnavailable("the database is unavailable")
        written.append(dict(counted))

    async def act() -> None:
        counting = Counts(write)
        for _ in range(1_000):
            counting.add("wrong")
        await counting.close()
        assert written == []
        counting.add("throttled")
        await counting.close()

    asyncio.run(act())
    assert written == [{"wrong": 1_000, "throttled": 1}]
