"""Killed processes, a stopped broker, a failing receiver: every failure is counted in the received messages."""

from __future__ import annotations

import signal
import sqlite3
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from alertworker.publisher import Publisher
from tests.acceptance.conftest import WEBHOOK_SECRET
from tests.acceptance.receiver import OK, Receiver
from tests.acceptance.stack import Stack

FAILED = "LLM API call failed"


def failed(number: int, **more: Any) -> dict[str, Any]:
    """Return a failed call with the callback's fields."""
    now = datetime.now(UTC)
    return {
        "type": "llm.request.failed",
        "call_id": f"call-{number}",
        "started_at": now,
        "ended_at": now,
        "model_group": "gpt-4o",
        "deployment_id": "d1",
        "team_id": "search",
        "cost_nanos": 135,
        "failure": {"error_class": "APIError", "status_code": 500, "origin": "provider", "message": "boom"},
        **more,
    }


def wait_for_count(slack: Receiver, wanted: int, seconds: float) -> None:
    """Wait until the accepted messages count this many failures, and no more.

    A message whose answer could not be recorded is repeated under its id, and counts once.
    """

    def counted() -> int:
        return sum({post.notification_id: post.count for post in slack.taken(FAILED)}.values())

    ends = time.monotonic() + seconds
    while counted() < wanted and time.monotonic() < ends:
        time.sleep(0.1)
    assert counted() == wanted, [post.text for post in slack.posts]


def test_a_receiver_that_takes_3_s_loses_nothing(stack: Stack, publisher: Publisher, slack: Receiver) -> None:
    """Sixty failures over 15 s are all counted, in few messages."""
    slack.answer = lambda _number, _path: (200, {}, 3.0)
    for number in range(60):
        publisher.publish(failed(number))
        time.sleep(0.25)

    wait_for_count(slack, 60, 20)
    assert len(slack.posts) <= 6
    assert len({post.notification_id for post in slack.posts}) == len(slack.posts)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_that_end_right_after_the_failures_lose_nothing(
    stack: Stack, publisher: Publisher, slack: Receiver, number: signal.Signals
) -> None:
    """New workers continue the old ones' work, within the broker's restore time."""
    for count in range(40):
        publisher.publish(failed(count))
        if count == 20:
            time.sleep(0.15)
    time.sleep(0.12)
    for role in ("ingest", "deliver"):
        stack.kill(role, number)
    for role in ("ingest", "deliver"):
        stack.start(role)

    wait_for_count(slack, 40, 60)


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        pytest.param({}, 60, id="valkey"),
        pytest.param({"ALERTWORKER_BROKER_URL": "rabbitmq_url"}, 10, marks=pytest.mark.rabbitmq, id="rabbitmq"),
    ],
    indirect=["environ"],
)
def test_a_batch_is_taken_up_again_if_its_worker_is_killed(
    stack: Stack, publisher: Publisher, slack: Receiver, seconds: float
) -> None:
    """Its worker had taken it and not applied it. Another one gets it soon, and it counts once."""
    with sqlite3.connect(stack.folder / "alertworker.db", isolation_level=None) as database:
        database.execute("BEGIN IMMEDIATE")
        for number in range(5):
            publisher.publish(failed(number))
        time.sleep(2)
        stack.kill("ingest")
        database.execute("ROLLBACK")
    assert slack.posts == []
    began = time.monotonic()
    stack.start("ingest")

    # There may be two batches, and the killed worker had only one of them.
    wait_for_count(slack, 5, seconds)
    print(f"all taken up after {time.monotonic() - began:.1f} s, the start of the worker included")


def test_a_stopped_broker_loses_no_event_and_delays_no_request(
    stack: Stack, publisher: Publisher, slack: Receiver
) -> None:
    """While it is down, `publish` stays fast and batches are spooled. Afterwards all are counted once."""
    publisher.publish(failed(0))
    slack.wait_for(FAILED, seconds=10)
    stack.kill("broker")
    slowest = 0.0
    for number in range(1, 101):
        began = time.perf_counter()
        publisher.publish(failed(number))
        slowest = max(slowest, time.perf_counter() - began)
        time.sleep(0.05)
    print(f"slowest publish while the broker was away: {slowest * 1e6:.0f} us")
    assert publisher.stats().spooled > 0
    stack.start_broker()

    wait_for_count(slack, 101, 60)
    assert publisher.stats().dropped == {}
    with sqlite3.connect(stack.folder / "alertworker.db") as database:
        [(spend,)] = database.execute("SELECT spend_nanos FROM spend WHERE dimension = 'team'").fetchall()
    assert spend == 101 * 135


def test_a_receiver_that_answers_500_gets_it_once_when_it_is_well(
    stack: Stack, publisher: Publisher, slack: Receiver
) -> None:
    """One message arrives, with the id of the failed attempts."""
    well_at = time.monotonic() + 4
    slack.answer = lambda _number, _path: OK if time.monotonic() > well_at else (500, {}, 0.0)
    publisher.publish(failed(0))

    slack.wait_for(FAILED, seconds=30)
    time.sleep(2)
    assert len(slack.taken(FAILED)) == 1
    assert len(slack.posts) > 1
    assert len({post.notification_id for post in slack.posts}) == 1


def test_a_receiver_that_asks_to_wait_is_not_asked_before(stack: Stack, publisher: Publisher, slack: Receiver) -> None:
    """A 429 with Retry-After: 2 is retried once, after 2 s."""
    slack.answer = lambda number, _path: (429, {"Retry-After": "2"}, 0.0) if number == 0 else OK
    publisher.publish(failed(0))

    slack.wait_for(FAILED, seconds=20)
    time.sleep(1)
    assert len(slack.posts) == 2
    assert slack.posts[1].at - slack.posts[0].at >= 2


def test_a_webhooks_secret_is_nowhere_but_in_the_configuration(
    stack: Stack, publisher: Publisher, slack: Receiver
) -> None:
    """No log, database or broker file contains it, also after failures."""
    slack.answer = lambda number, _path: (500, {}, 0.0) if number == 0 else (400, {}, 0.0)
    publisher.publish(failed(0))
    ends = time.monotonic() + 20
    while len(slack.posts) < 2 and time.monotonic() < ends:
        time.sleep(0.1)
    assert [post.status for post in slack.posts] == [500, 400]
    time.sleep(1)
    stack.down()

    for path in stack.folder.rglob("*"):
        if path.is_file() and path.name != "config.yaml":
            assert WEBHOOK_SECRET.encode() not in path.read_bytes(), path
