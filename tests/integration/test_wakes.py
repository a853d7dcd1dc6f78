"""A wake that the broker loses or refuses costs one interval of the sweep, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from amqp.exceptions import AccessRefused, ChannelError, ConnectionForced, MessageNacked, NotFound
from celery import Celery
from kombu import Connection, Queue
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.broker import CeleryBroker
from alertworker.errors import BrokerUnavailable
from alertworker.pipeline import Runtime, deliver, ingest, sweep
from alertworker.pipeline.notify import claim
from alertworker.publisher.topology import task_queue, transport_options
from alertworker.store import SqlStore
from alertworker.store.schema.batches import BATCHES
from alertworker.store.schema.delivery import LANES
from alertworker.worker.queues import DELIVERIES
from tests.integration.harness import NOW, Outbox, Recorder, answered, batch, rows, run_until_quiet

#: The interval of the sweep, in seconds.
SWEEP = timedelta(seconds=1)


@dataclass
class Forgetful(Recorder):
    """A broker that refuses the first wakes."""

    refuses: int = 0

    def wake(self, channels: Sequence[str]) -> None:
        """Refuse, or record the wake."""
        if self.refuses:
            self.refuses -= 1
            raise BrokerUnavailable("nacked")
        super().wake(channels)


def owe_a_message(runtime: Runtime) -> None:
    """Leave a notification that is due at once."""
    alert = Alert(AlertType.LLM_EXCEPTIONS, Severity.HIGH, {"entity": "e"}, "failure", NOW, NOW)
    runtime.store.run(lambda tx: claim(tx, alert, runtime, now=NOW))


@pytest.mark.parametrize("refuses", [1, 0], ids=["refused", "lost"])
def test_the_next_sweep_wakes_a_lane_again(store: SqlStore, runtime: Runtime, refuses: int) -> None:
    """Whether the broker refused the wake, or accepted it and lost it: the lane is due until a worker serves it."""
    broker = Forgetful(refuses=refuses)
    runtime = replace(runtime, broker=broker)
    owe_a_message(runtime)
    ingest(batch(answered("call-1")), runtime, now=NOW)
    assert len(rows(store, BATCHES)) == 1
    broker.woken.clear()

    sweep(runtime, now=NOW + SWEEP)
    assert broker.woken == ["outbox"]
    run_until_quiet(runtime, NOW + SWEEP)
    broker.woken.clear()
    sweep(runtime, now=NOW + 2 * SWEEP)
    assert broker.woken == []


def test_wakes_without_a_due_message_write_nothing(store: SqlStore, runtime: Runtime, outbox: Outbox) -> None:
    """A broker may hold thousands of them, and a client of the broker may send any names."""
    for name in ("outbox", *(f"bogus-{number}" for number in range(3))):
        assert not deliver(name, runtime, now=NOW)
    assert rows(store, LANES) == []

    owe_a_message(runtime)
    deliver("outbox", runtime, now=NOW)
    assert ([row.channel for row in rows(store, LANES)], len(outbox.sent)) == (["outbox"], 1)


@pytest.mark.parametrize(
    "error",
    [
        MessageNacked(),
        NotFound("no exchange"),
        AccessRefused("no"),
        ConnectionForced("bye"),
        ChannelError("closed"),
        RedisConnectionError("secret"),
        ReadOnlyError("secret"),
        ConnectionResetError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_error_of_a_broker_fails_the_task_that_wakes(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a batch that is applied already is redelivered, and is parked in the end as if it were not applied."""
    app = Celery("test", broker="memory://")

    def refuse(*_arguments: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr(app, "send_task", refuse)
    with pytest.raises(BrokerUnavailable) as caught:
        CeleryBroker(app).wake(["outbox"])
    assert "secret" not in str(caught.value)


@pytest.mark.rabbitmq
def test_rabbitmq_s_refusal_of_a_wake_is_no_other_error(rabbitmq_url: str) -> None:
    """A queue that somebody declared in another way is refused with a channel error, which kombu does not translate."""
    with Connection(rabbitmq_url) as connection:
        Queue(DELIVERIES, durable=True, queue_arguments={"x-max-length": 1})(connection.default_channel).declare()
    app = Celery("test", amqp="alertworker.worker.opaque:AMQP", broker=rabbitmq_url)
    app.conf.broker_transport_options = transport_options(rabbitmq_url)
    app.conf.task_queues = (task_queue(rabbitmq_url, DELIVERIES),)
    app.conf.task_default_queue = DELIVERIES
    app.conf.task_publish_retry = False
    with pytest.raises(BrokerUnavailable):
        CeleryBroker(app).wake(["outbox"])
    app.close()
