"""Every message on our queues is applied or parked with its bytes, by a worker that continues and logs none of it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import amqp
import celery
import pytest
import redis
from amqp import spec
from sqlalchemy import text

from alertworker.events.batch import QUEUE, TASK
from alertworker.host.paths import socket_path
from alertworker.publisher.topology import is_amqp
from alertworker.store import AdminStore, make_engine
from alertworker.worker.queues import DELIVERIES, PERIODIC
from tests.acceptance import hostile
from tests.acceptance.hostile import CANARY, DEEP_EVENTS, ITEMS, PROPERTIES, SURROGATE, Hostile, call_of, envelope, good
from tests.acceptance.stack import Stack
from tests.virtual_hosts import messages_of

CONFIG = ""
#: Batches that reach the queue by a header of their producer, under a routing key that is not UTF-8.
ROUTED = "routing key not UTF-8"
#: Messages with unreadable events in a readable batch. Lists and queues do not decide about them.
SPLIT = [*DEEP_EVENTS, SURROGATE]
ELSEWHERE = [
    Hostile(f"{queue} {name}", body, headers=headers, queue=queue)
    for queue, task in ((DELIVERIES, "alertworker.deliver"), (PERIODIC, "alertworker.sweep"))
    for name, body, headers in (
        ("cut", f'[[],{{"channel": "{CANARY}'.encode(), {"task": task}),
        ("arguments", json.dumps([[CANARY], {}, {}]).encode(), {"task": task}),
        ("kwargs a list", json.dumps([[], [CANARY], {}]).encode(), {"task": task}),
        ("deep", b"[" * 900, {"task": task}),
        ("unknown task", json.dumps([[], {"events": [CANARY]}, {}]).encode(), {"task": "celery.map"}),
        ("a list as task", json.dumps([[], {}, {"chain": CANARY}]).encode(), {"task": [CANARY], "id": [CANARY]}),
        (
            "an object as task",
            json.dumps([[], {}, {"chord": CANARY}]).encode(),
            {"task": {"a": CANARY}, "expires": [1]},
        ),
        ("no task", json.dumps([[], {}, {}]).encode(), {}),
        ("a batch", json.dumps(call_of([good(f"on {queue}")])).encode(), {"task": TASK}),
    )
] + [
    Hostile(
        "no channel",
        json.dumps([[], {"channel": [CANARY]}, {}]).encode(),
        headers={"task": "alertworker.deliver"},
        queue=DELIVERIES,
    )
]


class Queues:
    """Puts messages on a broker unchanged."""

    def __init__(self, stack: Stack) -> None:
        self.amqp = is_amqp(stack.broker_url)
        self.items = {} if self.amqp else ITEMS
        self._stack = stack
        self.client = redis.Redis(unix_socket_path=str(socket_path(stack.folder)))

    def send(self, messages: Sequence[Hostile]) -> None:
        """Put messages on their queues."""
        if not self.amqp:
            for message in messages:
                self.client.lpush(message.queue, json.dumps(envelope(message, str(uuid4()))))
            return
        with self._channel() as channel:
            for message in messages:
                properties = {"content_type": message.content_type, "content_encoding": message.content_encoding}
                given = {name: value for name, value in properties.items() if value is not None}
                sent = amqp.Message(
                    message.body, application_headers=dict(message.headers), **given, **message.properties
                )
                channel.basic_publish(sent, exchange="", routing_key=message.queue)

    def send_items(self) -> list[str]:
        """Put items that kombu cannot read on the queue of batches. Return the names of good batches."""
        for item in self.items.values():
            self.client.lpush(QUEUE, item)
        if not self.amqp:
            return []
        with self._channel() as channel:
            for name, properties in PROPERTIES.items():
                raw = amqp.Message(json.dumps(call_of([good(name)])).encode())
                raw._serialize_properties = partial(bytes, properties)  # type: ignore[attr-defined]
                channel.basic_publish(raw, exchange="", routing_key=QUEUE)
            for exchange in ("", QUEUE):
                body = json.dumps(call_of([good(f"{ROUTED} {exchange}")])).encode()
                copied = amqp.Message(body, application_headers={"task": TASK, "CC": [QUEUE]})
                publish_under(channel, copied, exchange=exchange.encode(), key=b"\xff\xfe")
        return [*PROPERTIES, f"{ROUTED} ", f"{ROUTED} {QUEUE}"]

    def waiting(self) -> int:
        """Return how many messages wait or are in progress."""
        if not self.amqp:
            lists = sum(int(self.client.llen(name)) for name in (QUEUE, DELIVERIES, PERIODIC))
            return lists + int(self.client.hlen("unacked")) + int(self.client.zcard("unacked_index"))
        with self._channel() as channel:
            names = (QUEUE, DELIVERIES, PERIODIC, "alertworker.events.dead")
            ready = sum(int(channel.queue_declare(name, passive=True).message_count) for name in names)
        return ready or messages_of(self._stack.broker_url.rsplit("/", 1)[1])  # the worker holds up to 16 more

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        vhost = self._stack.broker_url.rsplit("/", 1)[1]
        with amqp.Connection("127.0.0.1:5672", virtual_host=vhost, confirm_publish=True) as connection:
            yield connection.channel()


def publish_under(channel: Any, message: amqp.Message, *, exchange: bytes, key: bytes) -> None:
    """Publish a message under a routing key that py-amqp does not encode, and wait for the broker's confirmation."""
    arguments = b"\0\0" + bytes([len(exchange)]) + exchange + bytes([len(key)]) + key + b"\0"
    channel.confirm_select()
    channel.connection.frame_writer(1, channel.channel_id, spec.Basic.Publish, arguments, message)
    channel.wait(spec.Basic.Ack)


def wait_until(condition: Callable[[], bool], stack: Stack, seconds: float = 60) -> None:
    """Wait until the condition is true."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, stack.logs()[-3000:]
        time.sleep(0.1)


@pytest.fixture(
    params=[
        pytest.param("valkey", marks=pytest.mark.postgresql),
        pytest.param("rabbitmq", marks=pytest.mark.rabbitmq),
    ]
)
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stack]:
    """Run one worker for batches and one for everything else: on Valkey with PostgreSQL, on RabbitMQ with SQLite."""
    environ = {"ALERTWORKER_LOG_FORMAT": "json"}
    if request.param == "valkey":
        environ["ALERTWORKER_DATABASE_URL"] = request.getfixturevalue("postgresql_url")
    else:
        environ["ALERTWORKER_BROKER_URL"] = request.getfixturevalue("rabbitmq_url")
    running = Stack(tmp_path / "s", CONFIG, environ)
    try:
        running.up("ingest", "deliver")
        yield running
    finally:
        running.down()


@pytest.fixture
def admin(stack: Stack) -> Iterator[AdminStore]:
    """Return the installation's store as the command line sees it."""
    engine = make_engine(stack.env["ALERTWORKER_DATABASE_URL"])
    yield AdminStore(engine)
    engine.dispose()


def test_every_message_is_applied_or_parked_with_its_bytes(stack: Stack, admin: AdminStore) -> None:
    """Each parked message is one dead letter, each good batch is applied once, and nothing is left on the broker."""
    queues = Queues(stack)
    pids = {name: process.pid for name, process in stack.processes.items()}
    table = [*hostile.messages(), *ELSEWHERE]
    before, after = (
        Hostile(name, json.dumps(call_of([good(name)])).encode(), applied=True) for name in ("first", "last")
    )
    queues.send([before, *table, *SPLIT])
    raw = queues.send_items()
    queues.send([after])

    parked = {message.name: message.kept for message in table if not message.applied} | queues.items
    applied = [message.name for message in (before, *table, after) if message.applied] + raw
    wait_until(lambda: calls(admin) >= len(applied) and not queues.waiting(), stack)

    assert kept(admin, parked) == {name: list(parked.values()).count(body) for name, body in parked.items()}
    assert len(applied) <= calls(admin) <= len(applied) + 1  # the event beside a surrogate is its reader's to decide
    assert admin.on_connection(
        lambda connection: connection.execute(text("SELECT count(*) FROM batches WHERE events > 0")).scalar()
    ) == (calls(admin))
    assert {name: process.poll() for name, process in stack.processes.items()} == dict.fromkeys(pids)
    assert CANARY not in stack.logs()
    assert "Traceback" not in stack.logs()


def kept(admin: AdminStore, parked: Mapping[str, bytes]) -> dict[str, int]:
    """Return how many dead letters hold each of these."""
    letters = [admin.dead_letters.find(row.id) for row in admin.dead_letters.search(limit=1_000)]
    held = [letter.payload for letter in letters if letter is not None]
    return {name: held.count(body) for name, body in parked.items()}


def calls(admin: AdminStore) -> int:
    """Return how many of the good calls are in the ledger."""
    query = text("SELECT coalesce(sum(spend_nanos), 0) FROM spend WHERE dimension = 'team' AND team_id = 'hostile'")
    return int(admin.on_connection(lambda connection: connection.execute(query).scalar() or 0))


def test_plain_celery_producers_keep_working(stack: Stack, admin: AdminStore) -> None:
    """Each of Celery's options for producers is tested alone. Options that delay or drop a task have no effect."""
    app = celery.Celery(broker=stack.broker_url)
    started = datetime(2026, 11, 24, 12, tzinfo=UTC)
    where: dict[str, Any] = {"exchange": QUEUE, "routing_key": QUEUE} if is_amqp(stack.broker_url) else {"queue": QUEUE}
    ways: dict[str, dict[str, Any]] = {
        "JSON": {},
        "msgpack": {"serializer": "msgpack"},
        "gzip": {"compression": "gzip"},
        "bzip2": {"compression": "bzip2"},
        "expired": {"expires": -10},
        "expiring": {"expires": 3_600},
        "late": {"headers": {"eta": "2999-01-01T00:00:00+00:00"}},
        "limits": {"time_limit": 0.001, "soft_time_limit": 0.001},
        "links": {"link": app.signature("nobody.knows"), "link_error": app.signature("nobody.knows")},
        "priority": {"priority": 9},
        "shadow": {"shadow": CANARY, "task_id": "its-own-id"},
    }
    for name, options in ways.items():
        event = good(name)
        if options.get("serializer") != "msgpack":
            event |= {"started_at": started, "ended_at": started + timedelta(seconds=3), "event_id": uuid4()}
        app.send_task(TASK, kwargs={"events": [event], "producer": "plain"}, ignore_result=True, **where, **options)
    old = celery.Celery(broker=stack.broker_url)
    old.conf.task_protocol = 1
    old.send_task(TASK, kwargs={"events": [good("protocol 1")]}, **where)
    for producer in (app, old):
        producer.close()

    wait_until(lambda: calls(admin) == len(ways) + 1 and not Queues(stack).waiting(), stack)
    assert admin.dead_letters.search() == []
    assert CANARY not in stack.logs()


def test_a_parked_message_is_replayed_shown_and_discarded(stack: Stack, admin: AdminStore) -> None:
    """A replayed message that is still bad is parked again. A message that is now readable is applied once."""
    body = json.dumps(call_of([good("replayed")])).encode()
    queues = Queues(stack)
    queues.send([Hostile("mended", body, headers={"task": "a.later.version", "id": "m"}), Hostile("bad", b"[1")])
    wait_until(lambda: len(admin.dead_letters.search()) == 2 and not queues.waiting(), stack)

    mended, bad = sorted(admin.dead_letters.search(), key=lambda row: row.batch_id != "m")
    for letter in (mended, bad):
        assert command(stack, "deadletters", "replay", letter.id) == "1 replayed\n"
    wait_until(lambda: calls(admin) == 1 and len(admin.dead_letters.search()) == 1 and not queues.waiting(), stack)
    assert command(stack, "deadletters", "show", bad.id, "--payload") == "[1\n"
    assert json.loads(command(stack, "deadletters", "show", bad.id))["holds"] == "[1"
    assert json.loads(command(stack, "deadletters", "list", "--kind", "message", "--json"))
    assert command(stack, "deadletters", "discard", bad.id) == "1 discarded\n"
    queues.send([Hostile("again", body, headers={"task": TASK, "id": "m"})])
    wait_until(lambda: not queues.waiting(), stack)
    assert (calls(admin), len(admin.dead_letters.search())) == (1, 0)


def command(stack: Stack, *arguments: str) -> str:
    """Run a command, and return its output."""
    program = [sys.executable, "-m", "alertworker", *arguments]
    ran = subprocess.run(program, env=stack.env, cwd=stack.folder, timeout=60, check=True, capture_output=True)
    return ran.stdout.decode()
