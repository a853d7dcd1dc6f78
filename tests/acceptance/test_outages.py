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

    There is at most one message as it opens and one as it becomes High, and none after that.
    """
    models = ["fast"] * 320 + ["status-503"] * 40 + ["status-400"] * 40
    Random(3).shuffle(models)

    def ask(number: int) -> int:
        return proxies[number % 2].ask(models[number])[0]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(len(models))))
    slack.wait_for("Service Outage", seconds=30)
    time.sleep(3)
    posts = slack.taken("Service Outage")

    assert answers.count(200) == 320
    assert len(posts) <= 2
    assert all("openai/status-503" in post.text for post in posts)
    assert "Level: `High`" in posts[-1].text
    assert all("Threshold: `10 failed calls" in post.text for post in posts if "Major" in post.text)
    assert [post.text for post in slack.taken("status-400")] == []
