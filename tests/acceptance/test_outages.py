"""Outages from real proxies to a receiver: one alert, however many processes saw a part of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest

from tests.acceptance.proxy import Proxy
from tests.acceptance.receiver import Receiver
from tests.acceptance.stack import Stack


@pytest.fixture
def proxies(stack: Stack, tmp_path: Path) -> Iterator[list[Proxy]]:
    """Run two proxies with one upstream. A deployment has the same id in both."""
    first = Proxy(tmp_path / "p", stack.broker_url, ("fast", "status-503", "status-400"))
    second = Proxy(
        tmp_path / "q", stack.broker_url, first.models, upstream_port=first.upstream_port, own_upstream=False
    )
    try:
        first.up()
        second.up()
        yield [first, second]
    finally:
        second.down()
        first.down()


@pytest.mark.timeout(240)
def test_forty_errors_among_good_requests_over_two_proxies_are_one_outage(
    proxies: list[Proxy], slack: Receiver
) -> None:
    """Neither good nor bad requests change it.

    There is at most one message as it becomes minor, High and major, and none after that.
    """
    models = ["fast"] * 320 + ["status-503"] * 40 + ["status-400"] * 40
    Random(3).shuffle(models)

    def ask(number: int) -> int:
        return proxies[number % 2].ask(models[number])[0]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(len(models))))
    [major] = slack.wait_for("Major Service Outage", seconds=30)
    time.sleep(3)

    assert answers.count(200) == 320
    assert "Major Service Outage: `openai/status-503" in major.text
    assert "Threshold: `10 failed calls" in major.text
    assert len(slack.taken("Major Service Outage")) == 1
    assert len(slack.taken("Minor Service Outage")) <= 2
    assert [post.text for post in slack.taken("status-400")] == []
