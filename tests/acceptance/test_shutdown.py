"""The end of a delivery worker whose receiver does not answer, after each signal to stop."""

from __future__ import annotations

import signal
import time
from collections import Counter

import pytest

from alertworker.errors import INTERRUPTED
from alertworker.publisher import Publisher
from alertworker.worker.shutdown import BOUND
from tests.acceptance.receiver import OK, Receiver
from tests.acceptance.stack import Stack
from tests.acceptance.test_faults import failed
from tests.acceptance.test_hostile_messages import wait_until

ALERTS = 3
_RABBITMQ = {"ALERTWORKER_BROKER_URL": "rabbitmq_url"}


def _end_while_sending(
    stack: Stack, publisher: Publisher, slack: Receiver, signals: list[signal.Signals], *, seconds: float
) -> None:
    """Send the signals while the receiver takes these seconds to answer, and check how the worker ends."""
    slack.answer = lambda _number, _path: (200, {}, seconds)
    for number in range(ALERTS):
        publisher.publish(failed(number, model_group=f"m{number}", deployment_id=f"d{number}"))
    wait_until(lambda: bool(slack.posts), stack)
    process = stack.processes.pop("deliver")
    for number in signals:
        process.send_signal(number)
        time.sleep(1)

    assert process.wait(BOUND + 5) == (INTERRUPTED if signals[0] == signal.SIGINT else 0)
    assert "Traceback" not in stack.log("deliver")
    assert "Unrecoverable" not in stack.log("deliver")
    assert len(slack.posts) == 1  # no attempt begins after the signal


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("environ", "signals"),
    [
        pytest.param({}, [signal.SIGTERM], id="SIGTERM"),
        pytest.param(_RABBITMQ, [signal.SIGTERM], id="SIGTERM on RabbitMQ", marks=pytest.mark.rabbitmq),
        pytest.param({}, [signal.SIGQUIT] * 3, id="SIGQUIT three times"),
        pytest.param({}, [signal.SIGINT], id="SIGINT"),
        pytest.param({}, [signal.SIGINT, signal.SIGTERM], id="SIGINT and SIGTERM"),
    ],
    indirect=["environ"],
)
def test_a_message_that_is_being_sent_is_sent_once(
    stack: Stack, publisher: Publisher, slack: Receiver, signals: list[signal.Signals]
) -> None:
    """The worker waits for the answer and records it. A thread cannot be cancelled, as Celery tries to do."""
    _end_while_sending(stack, publisher, slack, signals, seconds=8)
    slack.answer = lambda _number, _path: OK
    stack.start("deliver")

    wait_until(lambda: len(slack.posts) == ALERTS, stack)
    assert set(Counter(post.notification_id for post in slack.posts).values()) == {1}


@pytest.mark.timeout(180)
def test_a_message_without_an_answer_is_sent_again_after_the_restart(
    stack: Stack, publisher: Publisher, slack: Receiver
) -> None:
    """The attempt ends at its time limit and is recorded as failed, so the lane is not blocked by the dead worker."""
    _end_while_sending(stack, publisher, slack, [signal.SIGTERM], seconds=60)
    slack.answer = lambda _number, _path: OK
    stack.start("deliver")

    wait_until(lambda: len(slack.posts) == ALERTS + 1, stack)
    sent = Counter(post.notification_id for post in slack.posts)
    assert sorted(sent.values()) == [1] * (ALERTS - 1) + [2]
    assert sent[slack.posts[0].notification_id] == 2
