"""Four processes of two real proxies (``--num_workers 2``): each problem is one alert, with the right count."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from tests.acceptance.conftest import CONFIG, WEBHOOK_SECRET
from tests.acceptance.proxy import Proxy
from tests.acceptance.receiver import Receiver, receiver
from tests.acceptance.stack import Stack
from tests.acceptance.test_redelivery import rows, wait_for_rows

pytestmark = pytest.mark.timeout(240)


@dataclass
class Fleet:
    """An installation, its receiver, and the proxies that publish to it."""

    stack: Stack
    slack: Receiver
    proxies: list[Proxy]

    def ask(self, models: list[str]) -> list[int]:
        """Request each model at once, one proxy after the other. Return the statuses."""
        with ThreadPoolExecutor(12) as pool:
            asked = [pool.submit(self.proxies[number % 2].ask, model) for number, model in enumerate(models)]
            return [answer.result()[0] for answer in asked]

    def wait_for_processes(self, count: int) -> None:
        """Request until this many processes have answered: a proxy serves as soon as its first worker does."""
        ends = time.monotonic() + 120
        while rows(self.stack, "SELECT count(*) FROM publishers")[0][0] < count and time.monotonic() < ends:
            self.ask(["fast"] * 12)
        assert rows(self.stack, "SELECT count(*) FROM publishers") == [(count,)]

    def counts(self, alert_type: str, model: str) -> list[int]:
        """Return the count of each alert of a type about a model."""
        query = f"SELECT count FROM alerts WHERE type = '{alert_type}' AND labels LIKE '%{model}%'"
        return [int(row[0]) for row in rows(self.stack, query)]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Run everything once for this file, with a threshold of 3 s."""
    folder: Path = tmp_path_factory.mktemp("fleet")
    with receiver() as slack:
        stack = Stack(folder / "s", CONFIG.format(url=slack.url, secret=WEBHOOK_SECRET))
        models = ("fast", "fast-0", "status-503", "hang-8", "unpriced")
        # uvicorn ends a worker that has not answered within 5 s. On a busy machine LiteLLM starts more slowly.
        workers = ("--num_workers", "2", "--timeout_worker_healthcheck", "120")
        first = Proxy(folder / "p", stack.broker_url, models, arguments=workers)
        second = Proxy(
            folder / "q",
            stack.broker_url,
            models,
            upstream_port=first.upstream_port,
            own_upstream=False,
            arguments=workers,
        )
        try:
            with ThreadPoolExecutor(3) as pool:
                list(pool.map(lambda start: start(), (stack.up, first.up, second.up)))
            running = Fleet(stack, slack, [first, second])
            running.wait_for_processes(4)
            yield running
        finally:
            second.down()
            first.down()
            stack.down()


def test_an_outage_that_four_processes_see_is_one(fleet: Fleet) -> None:
    """At most one message as it opens and one as it becomes High, and every call is in the ledger once."""
    models = ["fast-0"] * 60 + ["status-503"] * 40
    Random(3).shuffle(models)
    statuses = fleet.ask(models)
    first, *_ = fleet.slack.wait_for("Service Outage", seconds=60)
    wait_for_rows(
        fleet.stack, "SELECT SUM(requests) FROM spend WHERE dimension = 'model' AND entity = 'fast-0'", [(60,)], 30
    )
    wait_for_rows(fleet.stack, "SELECT SUM(attempts) FROM outcomes WHERE outcome <> 'succeeded'", [(40,)], 30)

    assert statuses.count(200) == 60
    assert "openai/status-503" in first.text
    assert len({post.notification_id for post in fleet.slack.taken("Service Outage")}) <= 2
    assert fleet.counts("outage_alerts", "status-503") == [40]


def test_calls_that_hang_in_four_processes_are_one_alert(fleet: Fleet) -> None:
    """The alert counts all of them, and has their results."""
    statuses = fleet.ask(["hang-8"] * 8)
    [ended] = fleet.slack.wait_for("Ended: `8 finished`", seconds=30)

    assert statuses == [200] * 8
    assert "Resolved after" in ended.text
    assert fleet.counts("llm_requests_hanging", "hang-8") == [8]


def test_calls_of_a_model_without_a_price_are_notified(fleet: Fleet) -> None:
    """LiteLLM counts such calls as free, and does not report them."""
    assert fleet.ask(["unpriced"] * 4) == [200] * 4
    fleet.slack.wait_for("`failed_tracking_spend`", seconds=30)
    wait_for_rows(fleet.stack, "SELECT count FROM alerts WHERE type = 'failed_tracking_spend'", [(4,)], 30)
