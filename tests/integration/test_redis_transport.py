"""On Redis and Valkey a batch is always queued, taken or noted, and the oldest is next."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
import redis
from kombu import Consumer, Queue

from alertworker.embedded import valkey
from alertworker.embedded.supervisor import Supervisor
from alertworker.events.batch import QUEUE, seal
from alertworker.events.message import KEPT_BYTES, MAX_MESSAGE_BYTES
from alertworker.host.paths import default_broker_url, socket_path
from alertworker.pipeline import BrokerMessage, Oversize
from alertworker.publisher import BrokerTransport
from alertworker.publisher.topology import events_queue, task_queue, transport_options
from alertworker.worker import redis_notes, redis_scripts, redis_transport
from alertworker.worker.away_log import AwayLog
from alertworker.worker.from_redis import envelope_of
from alertworker.worker.opaque import Connection
from alertworker.worker.redis_scripts import MAX_ENVELOPE_BYTES, fingerprint
from alertworker.worker.redis_transport import TAKING

#: As in production, but faster.
OPTIONS = {"visibility_timeout": 1, "unacked_restore_interval": 0.2, "unacked_restore_throttle": 1}


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    """Run a broker, and return a client of it."""
    monkeypatch.setattr(redis_transport, "LOST_AFTER", 0.5)
    monkeypatch.setattr(redis_transport, "_restoring", AwayLog("the broker"))
    supervisor = Supervisor({})
    supervisor.start("broker", valkey.command(tmp_path))
    valkey.wait_until_ready(tmp_path)
    with redis.Redis(unix_socket_path=str(socket_path(tmp_path))) as client:
        yield client
    supervisor.stop()


def publish(folder: Path, *batch_ids: str) -> None:
    """Publish batches as a proxy does."""
    transport = BrokerTransport(default_broker_url(folder))
    for batch_id in batch_ids:
        transport.send(seal([b"{}"], batch_id=batch_id, producer="p", sealed_at=datetime.now(UTC)))
    transport.close()


def sealed(message: Any) -> BrokerMessage:
    """Return our task's argument for a message, or the id alone for another queue's message."""
    if message.call is None:
        return BrokerMessage(queue="", body=b"", message_id=message.headers["id"])
    return cast("BrokerMessage", message.call["kwargs"]["message"])


def left(broker: redis.Redis) -> tuple[int, ...]:
    """Return how many batches are in the queue, taken, and noted (in each of kombu's two places)."""
    return (broker.llen(QUEUE), broker.llen(TAKING), broker.hlen("unacked"), broker.zcard("unacked_index"))


def refuse(broker: redis.Redis, *commands: str) -> None:
    """Remove the right to these commands from all clients."""
    cast("Any", broker).execute_command("ACL", "SETUSER", "default", *(f"-{command}" for command in commands))


def _written(broker: redis.Redis) -> int:
    """Return the size of the broker's append-only file."""
    return int(cast("dict[str, int]", broker.info())["aof_current_size"])


class Worker:
    """Consumes like a worker. It keeps what it takes until the test acknowledges it."""

    def __init__(self, folder: Path, *, prefetch: int = 1, queues: list[Queue] | None = None) -> None:
        self.url = default_broker_url(folder)
        self.taken: list[Any] = []
        self.connection: Any = Connection(self.url, transport_options=transport_options(self.url) | OPTIONS)
        self.channel: Any = cast("Any", self.connection).channel()
        self.channel.basic_qos(prefetch_count=prefetch)
        self.consumer = Consumer(
            self.channel,
            queues=queues or [events_queue(self.url)],
            on_message=self.taken.append,
            accept=["json", "msgpack"],
        )
        self.consumer.consume()

    def work(self, messages: int, seconds: float = 20) -> list[str]:
        """Take this many messages, or stop after the time. Return all ids so far."""
        ends = time.monotonic() + seconds
        while len(self.taken) < messages and time.monotonic() < ends:
            try:
                self.connection.drain_events(timeout=0.1)
            except TimeoutError:
                continue
        return [sealed(message).message_id or "" for message in self.taken]

    def work_off(self, messages: int) -> list[str]:
        """Take and acknowledge this many messages, one by one."""
        for number in range(messages):
            self.work(number + 1)
            if len(self.taken) > number and not self.taken[number].acknowledged:
                self.taken[number].ack()
        return self.work(0)

    def die(self) -> None:
        """End as after SIGKILL: nothing is requeued."""
        for channel in filter(None, (self.channel, self.channel._taker)):
            channel.qos._delivered.clear()
            channel.qos._on_collect.cancel()
            channel._in_poll = None
        self.connection.release()


@pytest.fixture
def start(broker: redis.Redis, tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    """Return a function that starts a worker. All workers die at the end of the test, before the broker."""
    workers: list[Worker] = []

    def begin(**options: Any) -> Worker:
        workers.append(Worker(tmp_path, **options))
        return workers[-1]

    assert broker.ping()
    yield begin
    for worker in workers:
        worker.die()


def leave_one(folder: Path, start: Callable[..., Worker]) -> Worker:
    """Publish the batch "b1". Return the worker that took it and died."""
    publish(folder, "b1")
    dead = start()
    assert dead.work(1) == ["b1"]
    dead.die()
    return dead


def test_a_backlog_is_served_oldest_first_and_each_batch_once(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker]
) -> None:
    """This includes waits longer than the visibility timeout: nothing is noted before it is taken."""
    ids = [f"b{number}" for number in range(20)]
    publish(tmp_path, *ids)
    worker = start()
    worker.work_off(5)
    time.sleep(1.5)  # the rest waits for longer than the visibility timeout

    assert worker.work_off(20) == ids
    assert worker.work(21, seconds=1.5) == ids
    assert not any(message.delivery_info["redelivered"] for message in worker.taken)
    assert left(broker) == (0, 0, 0, 0)


def test_the_messages_of_a_dead_worker_come_next(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker]
) -> None:
    """It is in front of the backlog, in its order, and marked as redelivered."""
    publish(tmp_path, "b1", "b2", "b3", "b4")
    dead = start(prefetch=2)
    assert dead.work(2) == ["b1", "b2"]
    dead.die()
    time.sleep(1.5)
    worker = start()
    worker.connection.transport.cycle.maybe_restore_messages()

    assert worker.work_off(4) == ["b1", "b2", "b3", "b4"]
    assert [message.delivery_info["redelivered"] for message in worker.taken] == [True, True, False, False]


def test_a_batch_is_redelivered_if_its_worker_dies_before_noting_it(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker]
) -> None:
    """It is in the list of taken entries, and is requeued after it was seen there for long enough."""
    publish(tmp_path, "b1", "b2")
    assert broker.blmove(QUEUE, TAKING, 1, "RIGHT", "LEFT") is not None
    worker = start(prefetch=1)

    assert sorted(worker.work_off(2)) == ["b1", "b2"]
    assert broker.llen(TAKING) == 0


@pytest.mark.parametrize("dies", [False, True], ids=["taken", "its worker died"])
def test_an_entry_over_the_limit_is_delivered_as_its_start_and_a_digest(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker], dies: bool
) -> None:
    """The note is short, and the entry is not sent back to the broker: 200 MiB took two minutes, and a reconnect."""
    entry = b"x" * (MAX_MESSAGE_BYTES + 1)
    broker.lpush(QUEUE, entry)
    if dies:
        broker.blmove(QUEUE, TAKING, 1, "RIGHT", "LEFT")
    written = _written(broker)
    worker = start()
    worker.work(1)
    note = sum(map(len, broker.hvals("unacked")))
    message = sealed(worker.taken[0])
    worker.taken[0].ack()

    assert message.body == entry[:KEPT_BYTES]
    assert message.oversize == Oversize(len(entry), hashlib.sha256(entry).hexdigest())
    assert note < 2 * KEPT_BYTES
    if not dies:
        assert _written(broker) - written < 4 * KEPT_BYTES
    assert left(broker) == (0, 0, 0, 0)


def _envelope(body: str, encoding: str = "", **headers: object) -> bytes:
    """Return an envelope as a plain producer may write one, with text that is not escaped."""
    properties = {"body_encoding": encoding}
    return json.dumps({"body": body, "headers": headers, "properties": properties}, ensure_ascii=False).encode()


@pytest.mark.parametrize("kind", ["emoji", "header", "zeros"])
def test_the_note_of_a_large_envelope_is_small(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker], kind: str
) -> None:
    """A note of 240 MiB, which escaped emoji became, occupied Redis for almost as long as a worker waits for it."""
    emoji = "\N{GRINNING FACE}" * (17 if kind == "emoji" else 4) * 1024 * 1024
    body = {"emoji": emoji, "zeros": "A" * (86 * 1024 * 1024), "header": ""}[kind]
    encoding = "base64" if kind == "zeros" else ""
    broker.lpush(QUEUE, _envelope(body, encoding, id="large", other=emoji if kind == "header" else ""))
    publish(tmp_path, "b1")
    written = _written(broker)
    worker = start()
    worker.work(1)
    note = sum(map(len, broker.hvals("unacked")))
    whole = base64.b64decode(body) if kind == "zeros" else body.encode()
    oversize = None if kind == "header" else Oversize(len(whole), hashlib.sha256(whole).hexdigest())

    assert worker.work_off(2) == ["large", "b1"]
    assert sealed(worker.taken[0]).body == whole[:KEPT_BYTES]
    assert sealed(worker.taken[0]).oversize == oversize
    assert note < 2 * KEPT_BYTES
    assert _written(broker) - written < 4 * KEPT_BYTES
    assert left(broker) == (0, 0, 0, 0)


def test_the_note_of_a_body_below_the_limit_is_not_much_larger(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker]
) -> None:
    """It is in base64. As escaped text it would be three times as large."""
    body = "\N{GRINNING FACE}" * (1024 * 1024)
    broker.lpush(QUEUE, _envelope(body))
    worker = start()
    worker.work(1)

    assert sealed(worker.taken[0]).body == body.encode()
    assert sum(map(len, broker.hvals("unacked"))) < 1.5 * len(body.encode())


def test_redis_cuts_a_lost_entry_that_no_envelope_can_be(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker]
) -> None:
    """A worker that cannot even receive it would never count it. The next one receives its start."""
    entry = b"x" * (MAX_ENVELOPE_BYTES + 1)
    broker.lpush(QUEUE, entry)
    publish(tmp_path, "b1")
    broker.blmove(QUEUE, TAKING, 1, "RIGHT", "LEFT")  # as a worker that dies while it receives the entry
    worker, seen = start(), dict[bytes, float]()
    worker.channel.return_lost(seen)
    assert list(seen) == [fingerprint(entry).encode()]
    worker.channel.return_lost(dict.fromkeys(seen, 0.0))
    returned = cast("list[bytes]", broker.lrange(QUEUE, -1, -1))[0]
    assert len(returned) < 2 * KEPT_BYTES
    worker.work(1)
    dead, digest = sealed(worker.taken[0]), hashlib.sha1(entry[:131_072]).hexdigest()
    worker.die()
    time.sleep(1.5)
    other = start()
    other.connection.transport.cycle.maybe_restore_messages()

    assert other.work_off(2)[1] == "b1"
    again = sealed(other.taken[0])
    assert dead.oversize == again.oversize == Oversize(len(entry), digest)
    assert dead.body == again.body == entry[:KEPT_BYTES]
    assert dead.letter_id == again.letter_id
    assert again.redelivered
    assert left(broker) == (0, 0, 0, 0)


def test_an_entry_is_noted_although_others_of_its_size_were_taken(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker]
) -> None:
    """A worker removes its own entry, wherever it stands among the taken ones."""
    publish(tmp_path, "b1", "b2", "b3")
    worker = start(prefetch=3)
    taker = worker.channel._taker
    entries = [cast("bytes | None", broker.blmove(QUEUE, TAKING, 1, "RIGHT", "LEFT")) for _ in range(3)]
    assert taker is not None
    for entry in (entries[1], entries[0], entries[2]):
        assert entry is not None
        assert taker._note(entry, envelope_of(entry, QUEUE))
        assert entry not in broker.lrange(TAKING, 0, -1)
        assert not taker._note(entry, envelope_of(entry, QUEUE))
    assert left(broker) == (0, 0, 3, 3)


def test_an_entry_that_was_returned_is_not_delivered_to_the_worker_that_took_it(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker]
) -> None:
    """A worker that was stopped for long finds that the entry is another worker's, and drops it."""
    publish(tmp_path, "b1")
    slow = start()
    taker = None
    ends = time.monotonic() + 10
    while broker.llen(TAKING) == 0 and time.monotonic() < ends:  # it requests an entry and does not read the answer
        slow.connection.transport.cycle.on_poll_start()
        taker = slow.channel._taker
    assert taker is not None
    other = start()

    assert other.work_off(1) == ["b1"]
    assert slow.work(1, seconds=1) == []
    assert left(broker) == (0, 0, 0, 0)


def test_a_worker_that_holds_a_batch_for_long_keeps_it(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker]
) -> None:
    """It renews its note, for example while the database is down, so that no other worker gets the batch."""
    publish(tmp_path, "b1")
    holder, other = start(), start()
    holder.connection.transport.cycle.maybe_restore_messages()
    assert holder.work(1) == ["b1"]
    ends = time.monotonic() + 3
    while time.monotonic() < ends:
        holder.work(2, seconds=0.2)
        other.work(1, seconds=0.2)

    assert other.work(0) == []
    holder.taken[0].ack()
    assert left(broker) == (0, 0, 0, 0)


def test_batches_that_are_returned_keep_their_place_once(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker]
) -> None:
    """The process of their task was killed. A batch that is returned again goes behind the others."""
    publish(tmp_path, "b1", "b2", "b3", "b4")
    worker = start(prefetch=3)
    worker.work(3)
    for message in reversed(worker.taken):
        message.reject(requeue=True)
    again = start(prefetch=1)
    worker.die()
    assert again.work(1) == ["b1"]
    again.taken[0].reject(requeue=True)
    assert again.work(2)[1:] == ["b2"]
    again.taken[1].ack()
    assert again.work(3)[2:] == ["b3"]
    again.taken[2].ack()
    assert again.work(4)[3:] == ["b4"]
    again.taken[3].ack()
    assert again.work(5)[4:] == ["b1"]


def test_the_batches_that_a_worker_holds_when_it_stops_keep_their_order(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker]
) -> None:
    """Kombu returns them one by one to the end that is served next, so it must begin with the newest."""
    publish(tmp_path, "b1", "b2", "b3", "b4")
    stopping = start(prefetch=3)
    stopping.work(3)
    stopping.connection.close()

    assert start().work_off(4) == ["b1", "b2", "b3", "b4"]


def test_equal_entries_of_dead_workers_return(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A producer may publish the same bytes twice. Both have the same mark."""
    publish(tmp_path, "b1")
    worker = start(prefetch=1)
    worker.work(1)
    broker.lpush(TAKING, "same", "same")
    monkeypatch.setattr(redis_transport, "LOST_AFTER", 0)

    worker.channel.return_lost({})

    assert (broker.llen(QUEUE), broker.llen(TAKING)) == (2, 0)


def test_a_worker_holds_few_bytes_however_many_messages_it_may_hold(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages may be large. The next one is taken when one is acknowledged."""
    publish(tmp_path, "b1", "b2", "b3", "b4")
    worker = start(prefetch=10)
    worker.work(1)
    monkeypatch.setattr(redis_notes, "MAX_HELD_BYTES", 2 * len(worker.taken[0].body))
    assert worker.work(3, seconds=2) == ["b1", "b2"]
    worker.taken[0].ack()
    assert worker.work(4, seconds=2) == ["b1", "b2", "b3"]
    assert left(broker) == (1, 0, 2, 2)


def test_a_worker_of_all_queues_takes_batches_and_tasks(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker]
) -> None:
    """Batches have a channel of their own. The prefetch applies to each of the two."""
    url = default_broker_url(tmp_path)
    other = task_queue(url, "test.other")
    worker = start(prefetch=1, queues=[events_queue(url), other])
    with Connection(url) as connection, connection.Producer(serializer="json") as producer:
        for number in range(2):
            producer.publish({}, exchange=other.exchange, routing_key=other.routing_key, headers={"id": f"t{number}"})
    publish(tmp_path, "b1", "b2")

    assert sorted(worker.work(3, seconds=2)) == ["b1", "t0"]
    for message in worker.taken:
        message.ack()
    assert sorted(worker.work(4)) == ["b1", "b2", "t0", "t1"]
    worker.consumer.cancel()
    publish(tmp_path, "b3")
    assert len(worker.work(5, seconds=1)) == 4


@pytest.mark.parametrize(
    "entry",
    [
        b"",
        b"\xff\xfe canary",
        b"[" * 100_000,
        b'{"a": ' * 5_000 + b"1" + b"}" * 5_000,
        b"[]",
        b"7",
        b'{"body": "canary"}',
        b'{"body": "canary", "properties": {"body_encoding": "base64"}, "headers": {}}',
        b'{"body": 7, "properties": {"body_encoding": "base64"}, "headers": {}}',
        b'{"body": "e30=", "properties": {"body_encoding": "no such"}, "headers": {}}',
        b'{"body": "e30=", "properties": [], "headers": {}}',
    ],
    ids=lambda entry: entry[:12].decode("latin-1") or "empty",
)
def test_an_entry_that_is_no_message_is_delivered_with_its_bytes(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker], entry: bytes
) -> None:
    """The worker can then park it, and the batch behind it is not delayed."""
    broker.lpush(QUEUE, entry)
    publish(tmp_path, "b1")
    worker = start(prefetch=2)

    assert worker.work(2) == ["", "b1"]
    assert sealed(worker.taken[0]).body == entry
    for message in worker.taken:
        message.ack()
    assert left(broker) == (0, 0, 0, 0)


def test_a_messages_own_address_and_tag_are_ignored(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker]
) -> None:
    """Two messages with one tag are two messages, and both are requeued to their own queues."""
    message = {
        "body": "[]",
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"id": "x"},
        "properties": {"delivery_tag": "same", "delivery_info": {"exchange": "", "routing_key": "elsewhere"}},
    }
    broker.lpush(QUEUE, json.dumps(message), json.dumps(message))
    dead = start(prefetch=2)
    assert dead.work(2) == ["x", "x"]
    dead.die()
    time.sleep(1.5)
    worker = start(prefetch=2)

    assert worker.work_off(2) == ["x", "x"]
    assert broker.exists("elsewhere", "ae.undeliver") == 0


def test_messages_of_every_priority_come(broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker]) -> None:
    """Plain Celery producers may set a priority, and kombu keeps a list for each step."""
    publish(tmp_path, "b1")
    with Connection(default_broker_url(tmp_path)) as connection, connection.Producer() as producer:
        for priority in (0, 4, 9):
            producer.publish({}, routing_key=QUEUE, priority=priority, headers={"id": f"p{priority}"})
    steps = {"priority_steps": list(range(10))}  # a producer may have a list for each priority
    with Connection(default_broker_url(tmp_path), transport_options=steps) as connection:
        connection.Producer().publish({}, routing_key=QUEUE, priority=7, headers={"id": "p7"})

    assert sorted(start().work_off(5)) == ["b1", "p0", "p4", "p7", "p9"]


def test_a_full_redis_can_be_emptied(broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker]) -> None:
    """Redis then refuses BLMOVE, and scripts whose first command may use more memory."""
    publish(tmp_path, "b1", "b2", "b3")
    worker = start()
    broker.config_set("maxmemory", "1")
    with pytest.raises(redis.exceptions.OutOfMemoryError):
        broker.blmove(QUEUE, TAKING, 1, "RIGHT", "LEFT")

    assert worker.work_off(3) == ["b1", "b2", "b3"]
    assert left(broker) == (0, 0, 0, 0)
    broker.config_set("maxmemory", "0")
    publish(tmp_path, "b4")
    assert worker.work_off(4)[3] == "b4"


@pytest.mark.parametrize("command", ["lrem", "ltrim", "zrem", "hdel", "zadd", "hset"])
def test_a_refused_command_keeps_a_batch_that_is_taken(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker], command: str
) -> None:
    """An operator may reduce a user's rights. Redis does not undo what a script did before a command is refused."""
    publish(tmp_path, "b1")
    taker = start().channel._taker
    entry = cast("bytes", broker.blmove(QUEUE, TAKING, 1, "RIGHT", "LEFT"))
    refuse(broker, command)
    with pytest.raises(redis.exceptions.ResponseError):
        taker._note(entry, envelope_of(entry, QUEUE))

    assert broker.lrange(TAKING, 0, -1) == [entry]
    assert broker.hlen("unacked") == 0


@pytest.mark.parametrize("command", ["lrem", "ltrim", "rpush"])
def test_a_refused_command_neither_loses_nor_copies_a_batch_of_a_dead_worker(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker], command: str
) -> None:
    """The same holds for the script that returns a batch to its queue."""
    publish(tmp_path, "b1")
    entry = cast("bytes", broker.blmove(QUEUE, TAKING, 1, "RIGHT", "LEFT"))
    worker = start()
    refuse(broker, command)
    with pytest.raises(redis.exceptions.ResponseError):
        worker.channel.return_lost({fingerprint(entry).encode(): 0.0})

    assert broker.lrange(TAKING, 0, -1) == [entry]
    assert broker.llen(QUEUE) == 0


@pytest.mark.parametrize("command", ["hdel", "zrem", "rpush"])
def test_a_refused_command_neither_loses_nor_copies_a_noted_batch(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker], command: str
) -> None:
    """The same holds for the script that restores a batch."""
    leave_one(tmp_path, start)
    notes = broker.hgetall("unacked")
    worker = start()
    time.sleep(1.2)
    refuse(broker, command)
    with pytest.raises(redis.exceptions.ResponseError):
        worker.channel._taker.qos.restore_visible()

    assert broker.hgetall("unacked") == notes
    assert (broker.llen(QUEUE), broker.zcard("unacked_index")) == (0, 1)


def test_a_note_whose_queue_has_another_type_stays_and_delays_no_other(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker]
) -> None:
    """Redis removed the note and then refused to push its message."""
    task = {"body": "", "headers": {"id": "t1"}, "properties": {}}
    broker.hset("unacked", "tag", json.dumps([task, "tasks", "alertworker.periodic"]))
    broker.zadd("unacked_index", {"tag": 2})  # it is restored first
    broker.set("alertworker.periodic", "no list")
    leave_one(tmp_path, start)

    assert start().work_off(1) == ["b1"]
    assert broker.hkeys("unacked") == [b"tag"]
    broker.delete("alertworker.periodic")
    assert start(queues=[task_queue(default_broker_url(tmp_path), "alertworker.periodic")]).work_off(1) == ["t1"]
    assert left(broker) == (0, 0, 0, 0)


def test_a_note_whose_queue_is_not_known_stays(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The binding of an operator's queue may be gone. kombu returns such a message to no queue."""
    leave_one(tmp_path, start)
    notes = broker.hgetall("unacked")
    worker = start()
    time.sleep(1.2)
    taker = worker.channel._taker
    monkeypatch.setattr(taker, "_do_restore_message", lambda *_, **__: None)
    taker.qos.restore_visible()
    assert broker.hgetall("unacked") == notes


def test_a_full_redis_keeps_the_notes_of_live_workers_and_restores_those_of_dead_ones(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker]
) -> None:
    """Redis refused the renewal. After the visibility timeout another worker applied the batch once more."""
    publish(tmp_path, "b1")
    holder = start()
    assert holder.work(1) == ["b1"]
    broker.config_set("maxmemory", "1")
    other = start(prefetch=5)
    ends = time.monotonic() + 2.5
    while time.monotonic() < ends:
        holder.connection.transport.cycle.maybe_restore_messages()
        assert other.work(1, seconds=0.1) == []
    holder.die()

    assert other.work_off(1) == ["b1"]
    assert left(broker) == (0, 0, 0, 0)


def test_a_refused_step_of_the_search_for_lost_batches_stops_no_other(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker]
) -> None:
    """A missing right to read the notes, for example, must not keep the bindings from being written."""
    worker = start()
    cycle = worker.connection.transport.cycle
    cast("Any", broker).delete(f"_kombu.binding.{QUEUE}")
    refuse(broker, "zrange", "lrange")
    cycle.maybe_restore_messages()

    assert broker.scard(f"_kombu.binding.{QUEUE}") == 1


def test_a_check_reads_a_bounded_number_of_notes_of_other_applications(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker]
) -> None:
    """A worker would deliver nothing while it reads a million of them. The next checks read the others."""
    notes = dict.fromkeys((f"other{number}" for number in range(2_500)), json.dumps([{}, "", "celery"]))
    broker.hset("unacked", mapping=cast("Any", notes))
    broker.zadd("unacked_index", cast("Any", dict.fromkeys(notes, 1)))
    qos = start().channel._taker.qos

    counts = []
    for _ in range(4):
        before = broker.info("commandstats").get("cmdstat_hget", {}).get("calls", 0)
        qos.restore_visible()
        counts.append(broker.info("commandstats")["cmdstat_hget"]["calls"] - before)
    assert counts == [1000, 1000, 500, 0]


def test_a_refused_command_keeps_a_batch_that_is_taken_from_a_full_redis(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker]
) -> None:
    """Taking it needs the right to the command that moves it in one step, and no other."""
    publish(tmp_path, "b1")
    queued = broker.lrange(QUEUE, 0, -1)
    refuse(broker, "lpush", "lmove")
    with pytest.raises(redis.exceptions.ResponseError):
        broker.eval(redis_scripts.TAKE, 2, QUEUE, TAKING)

    assert broker.lrange(QUEUE, 0, -1) == queued


def test_a_worker_that_starts_while_redis_is_full_empties_it(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker]
) -> None:
    """A backlog that filled the memory would otherwise never end. Its bindings are written when there is memory."""
    url = default_broker_url(tmp_path)
    publish(tmp_path, "b1", "b2")
    with Connection(url) as connection, connection.Producer() as producer:
        task_queue(url, "tasks")(connection.channel()).declare()
        producer.publish({}, exchange="tasks", routing_key="tasks", headers={"id": "t1"})
    broker.delete("_kombu.binding.tasks")
    broker.config_set("maxmemory", "1")
    worker = start(prefetch=2, queues=[events_queue(url), task_queue(url, "tasks")])
    worker.connection.transport.cycle.on_poll_init(worker.connection.transport.cycle.poller)

    assert sorted(worker.work_off(3)) == ["b1", "b2", "t1"]
    assert left(broker) == (0, 0, 0, 0)
    broker.config_set("maxmemory", "0")
    worker.connection.transport.cycle.maybe_restore_messages()
    assert broker.scard("_kombu.binding.tasks") == 1


def test_a_list_of_a_priority_of_another_type_delays_no_batch_of_a_dead_worker(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker]
) -> None:
    """The lists of priorities are looked at before the notes of dead workers."""
    leave_one(tmp_path, start)
    broker.set(f"{QUEUE}\x06\x163", "no list")

    assert start().work_off(1) == ["b1"]


def test_a_redis_that_became_a_replica_is_a_lost_connection(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker]
) -> None:
    """The worker reconnects, and so finds the new master if the address leads to it."""
    worker = start()
    broker.replicaof("127.0.0.1", 1)
    with pytest.raises(redis.exceptions.ReadOnlyError) as caught:
        worker.work(1)
    assert isinstance(caught.value, worker.connection.connection_errors)


def test_the_restore_mutex_of_another_application_delays_no_batch(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker]
) -> None:
    """All applications on a Redis database share kombu's mutex, which lasts 5 minutes by default."""
    dead = leave_one(tmp_path, start)
    broker.set(dead.channel.unacked_mutex_key, "of another application")

    assert start().work(1) == ["b1"]


def test_two_workers_that_restore_at_once_restore_each_batch_once(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker]
) -> None:
    """The batches also stay in their order."""
    publish(tmp_path, "b1", "b2", "b3")
    dead = start(prefetch=3)
    assert dead.work(3) == ["b1", "b2", "b3"]
    dead.die()
    for tag in cast("list[bytes]", broker.zrange("unacked_index", 0, -1)):
        broker.zincrby("unacked_index", -60, tag)
    one, other = start(), start()
    due = one.channel._taker.qos._due(broker)
    assert len(due) == 3
    other.channel._taker.qos.restore_visible()
    for tag in due:  # as a worker that has asked for them before
        one.channel._taker.qos.restore_by_tag(tag)

    assert broker.llen(QUEUE) == 3
    assert one.work_off(3) == ["b1", "b2", "b3"]
    assert left(broker) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    "headers",
    [{"a": {"__type__": "x", "__value__": "canary"}}, {"a": {"__type__": "uuid", "__value__": "zz"}}],
    ids=["unknown", "wrong"],
)
def test_objects_that_kombu_would_build_from_a_note_are_removed(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker], headers: dict[str, Any]
) -> None:
    """Kombu builds objects from such mappings when it restores a note, and fails.

    Nothing behind it would be restored.
    """
    publish(tmp_path, "b1")
    publish(tmp_path, "b2")
    envelope = json.loads(cast("bytes", broker.rpop(QUEUE)))
    broker.rpush(QUEUE, json.dumps({**envelope, "headers": {**envelope["headers"], **headers}}))
    dead = start(prefetch=2)
    assert dead.work(2) == ["b1", "b2"]
    dead.die()
    time.sleep(1.5)

    assert sorted(start(prefetch=2).work_off(2)) == ["b1", "b2"]
    assert left(broker) == (0, 0, 0, 0)


def test_a_note_that_cannot_be_read_is_parked(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker]
) -> None:
    """A message of any producer is requeued unchanged and delays nothing."""
    notes = [b"garbage", b"[1]", b"\xff\xfe", b'{"a": 1}', b'[["x"], "other", "other"]']
    for number, note in enumerate(notes):
        broker.hset("unacked", f"tag{number}", note)
        broker.zadd("unacked_index", {f"tag{number}": number})
    publish(tmp_path, "b1")
    worker = start(prefetch=10)
    worker.work(6)
    for message in worker.taken:
        message.ack()

    assert sorted(sealed(message).body for message in worker.taken if sealed(message).message_id is None) == sorted(
        notes
    )
    assert left(broker) == (0, 0, 0, 0)


@pytest.mark.parametrize("key", ["unacked", "unacked_index"])
def test_a_key_of_another_type_loses_nothing(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker], key: str
) -> None:
    """A script that fails halfway is not rolled back, so it checks before it writes."""
    worker = start()
    broker.set(key, "x")
    publish(tmp_path, "b1")
    with pytest.raises(redis.exceptions.ResponseError):
        worker.work(1)
    broker.delete(key)

    assert start().work_off(1) == ["b1"]


@pytest.mark.parametrize("key", [QUEUE, TAKING, "alertworker.periodic"])
def test_a_list_of_another_type_is_waited_for_on_the_same_connection(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker], caplog: pytest.LogCaptureFixture, key: str
) -> None:
    """A new connection would be refused, too, several times a second. It is logged once a minute."""
    url = default_broker_url(tmp_path)
    queues = [task_queue(url, "alertworker.periodic")] if key == "alertworker.periodic" else None
    worker = start(queues=queues)
    broker.set(key, "x")
    if key == TAKING:
        publish(tmp_path, "b1")
    before = broker.info("commandstats").get("cmdstat_blmove", {}).get("calls", 0)
    assert worker.work(1, seconds=3) == []
    assert broker.info("commandstats").get("cmdstat_blmove", {}).get("calls", 0) - before <= 5
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert sum(text.startswith("taking messages") for text in warnings) == 1
    assert len(set(warnings)) == len(warnings) <= 2, "those of dead workers are logged by themselves"
    assert all("WRONGTYPE" in text for text in warnings)
    broker.delete(key)

    if key == QUEUE:
        publish(tmp_path, "b1")
    elif queues is not None:
        broker.lpush(key, json.dumps({"body": "", "headers": {"id": "b1"}, "properties": {}}))
    assert worker.work_off(1) == ["b1"]
    assert "the database and the broker answered again" in [record.getMessage() for record in caplog.records]


def test_an_index_of_another_type_is_found_when_a_worker_connects(broker: redis.Redis, tmp_path: Path) -> None:
    """Connecting is tried again with growing waits."""
    broker.set("unacked_index", "x")
    with pytest.raises(redis.exceptions.ResponseError):
        Worker(tmp_path)


@pytest.mark.parametrize("ahead", [-86_400, 86_400], ids=["slow", "fast"])
def test_a_workers_wrong_clock_neither_keeps_its_batches_nor_gives_them_away(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    """The times of notes are the broker's. Otherwise a dead worker's batch waits as long as its clock was ahead."""
    right = time.time
    publish(tmp_path, "b1")
    wrong, other = start(), start()
    monkeypatch.setattr(time, "time", lambda: right() + ahead)
    monkeypatch.setattr("kombu.transport.redis.time", lambda: right() + ahead)
    assert wrong.work(1) == ["b1"]
    wrong.connection.transport.cycle.maybe_restore_messages()
    monkeypatch.undo()
    monkeypatch.setattr(redis_transport, "LOST_AFTER", 0.5)
    other.connection.transport.cycle.maybe_restore_messages()
    assert other.work(1, seconds=0.3) == []
    wrong.die()
    time.sleep(1.2)

    other.connection.transport.cycle.maybe_restore_messages()
    assert other.work_off(1) == ["b1"]
    assert left(broker) == (0, 0, 0, 0)


@pytest.mark.parametrize("score", [-5, 4e9, float("inf")])
def test_a_note_with_a_time_that_cannot_be_is_restored(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker], score: float
) -> None:
    """Otherwise it would stay on the broker forever."""
    leave_one(tmp_path, start)
    broker.zadd("unacked_index", cast("Any", dict.fromkeys(broker.hkeys("unacked"), score)))
    worker = start()
    worker.connection.transport.cycle.maybe_restore_messages()

    assert worker.work_off(1) == ["b1"]
    assert left(broker) == (0, 0, 0, 0)


def test_the_notes_of_another_application_are_left_to_it(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker]
) -> None:
    """A Redis database may be shared, and kombu keeps the notes of all applications under the same keys."""
    message = {"body": "W10=", "headers": {"argsrepr": "\ud83d"}}  # Celery cuts this text, also within a character
    notes = {f"other{number}": json.dumps([message, "", "celery"]).encode() for number in range(3)}
    broker.hset("unacked", mapping=cast("Any", notes))
    broker.zadd("unacked_index", cast("Any", dict.fromkeys(notes, 1)))
    leave_one(tmp_path, start)
    time.sleep(1.2)
    worker = start()
    for _ in range(2):
        worker.connection.transport.cycle.maybe_restore_messages()
    reads = broker.info("commandstats")["cmdstat_hget"]["calls"]
    worker.connection.transport.cycle.maybe_restore_messages()

    assert broker.info("commandstats")["cmdstat_hget"]["calls"] == reads  # each is read once
    assert worker.work_off(1) == ["b1"]
    assert broker.hgetall("unacked") == {tag.encode(): note for tag, note in notes.items()}
    assert broker.zcard("unacked_index") == len(notes)
    assert broker.llen(QUEUE) == 0
    assert broker.llen("celery") == 0


def test_an_operators_own_queue_keeps_its_messages(
    broker: redis.Redis, tmp_path: Path, start: Callable[..., Worker]
) -> None:
    """A worker may consume a queue of the operator's own. Its messages are requeued and restored there."""
    theirs = task_queue(default_broker_url(tmp_path), "theirs")
    dead = start(queues=[theirs], prefetch=2)
    with Connection(default_broker_url(tmp_path)) as connection, connection.Producer(serializer="json") as producer:
        for name in ("t0", "t1"):
            producer.publish({}, exchange=theirs.exchange, routing_key=theirs.routing_key, headers={"id": name})
    assert dead.work(2) == ["t0", "t1"]
    dead.taken[0].reject(requeue=True)
    assert broker.llen("theirs") == 1
    dead.die()
    time.sleep(1.2)
    worker = start(queues=[theirs], prefetch=2)
    worker.connection.transport.cycle.maybe_restore_messages()

    assert sorted(worker.work_off(2)) == ["t0", "t1"]
    assert left(broker) == (0, 0, 0, 0)
