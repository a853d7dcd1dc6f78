"""Messages as Celery sees them: each is a call of one of our tasks, with any content."""

from __future__ import annotations

import base64
import json
import pickle
import tracemalloc
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from amqp import serialization
from celery.worker import strategy
from celery.worker.request import Request
from hypothesis import given
from hypothesis import strategies as st
from kombu.message import Message

from alertworker.app import celery
from alertworker.events.batch import QUEUE, TASK
from alertworker.events.message import MAX_MESSAGE_BYTES
from alertworker.publisher.topology import DEAD_QUEUE
from alertworker.text.ids import safe_id
from alertworker.worker import tasks
from alertworker.worker.from_rabbitmq import _decode_properties, _readable_delivery
from alertworker.worker.from_redis import Channel, envelope_of
from alertworker.worker.from_redis import Message as RedisMessage
from alertworker.worker.opaque import OVERSIZE, PARK, TASKS, OpaqueMessage
from alertworker.worker.queues import DELIVERIES, PERIODIC
from alertworker.worker.redis_scripts import CUT

HEADERS = {
    "task": TASK,
    "id": "its-id",
    "eta": "2999-01-01",
    "expires": "2001-01-01",
    "timelimit": [1, 1],
    "group": "g",
}


def sealed(queue: str, headers: dict[Any, Any] | None = None, body: bytes = b"body", **delivery: Any) -> OpaqueMessage:
    """Seal a message."""
    message = OpaqueMessage.__new__(OpaqueMessage)
    message.seal(queue, body, channel=None, tag="tag", delivery=delivery, headers=headers or {})
    return message


def test_no_field_of_a_message_reaches_celery() -> None:
    """No due time, expiry, limit or group, and an id of ours: a revoked or running one could be the same."""
    message = sealed(QUEUE, HEADERS | {"argsrepr": "secret", "shadow": "secret"}, redelivered=True)
    assert cast("Any", message).headers.keys() == {"task", "id", "lang", "ignore_result", "argsrepr", "kwargsrepr"}
    assert message.headers["id"] != "its-id"
    [call] = message.payload["kwargs"].values()
    assert (call.queue, call.body, call.task, call.message_id, call.redelivered) == (
        QUEUE,
        b"body",
        TASK,
        "its-id",
        True,
    )
    assert "secret" not in repr(message.payload) + repr(message.headers)


@pytest.mark.parametrize("queue", TASKS)
@pytest.mark.parametrize(
    "headers", [{}, {"task": None}, {"task": ["x"]}, {"task": {"a": 1}}, {"task": "celery.map"}, HEADERS]
)
def test_every_message_is_a_task_of_its_queue_or_is_parked(queue: str, headers: dict[Any, Any]) -> None:
    """Celery knows each of these tasks, so that it never meets an unknown one."""
    name = sealed(queue, headers).headers["task"]
    assert name in {*TASKS[queue], PARK}
    assert name in celery.tasks
    assert tasks.park.name == PARK
    assert (name == PARK) == (queue in (DELIVERIES, PERIODIC))


def test_celery_never_sees_when_a_message_expires() -> None:
    """It would drop the message; only a task that has read it may skip it. A batch is never worth nothing."""
    ends = datetime.now(UTC) + timedelta(seconds=5)
    headers = {"task": "alertworker.sweep", "expires": ends.isoformat()}
    assert _of(sealed(PERIODIC, headers)).expires == ends
    for wrong in (7, "no time", ["x"], "0001-01-01T00:00:00+14:00"):
        assert _of(sealed(PERIODIC, headers | {"expires": wrong})).expires is None
    assert _of(sealed(QUEUE, headers)).expires is None
    for queue in TASKS:
        assert "expires" not in sealed(queue, headers).headers


DEATHS = [{"queue": QUEUE, "reason": "rejected", "count": 99, "exchange": QUEUE, "routing-keys": [QUEUE]}]


@pytest.mark.parametrize("queue", [QUEUE, DEAD_QUEUE])
@pytest.mark.parametrize("redelivered", [False, True])
@pytest.mark.parametrize(
    "headers",
    [
        {"x-death": DEATHS},
        {"x-first-death-reason": "rejected"},
        {"x-first-death-reason": "expired"},
        {"x-last-death-reason": "delivery_limit"},
        {"x-delivery-count": 99, "x-acquired-count": 99},
        {"redelivered": True, "retries": 99},
        {"redelivered": False},
    ],
)
def test_no_header_about_deliveries_decides_anything(queue: str, redelivered: bool, headers: dict[Any, Any]) -> None:
    """A producer can set all of them: a good batch would be parked, or a batch that ends workers would be delivered
    again forever.
    """
    plain = _of(sealed(queue, {"id": "1"}, redelivered=redelivered))
    assert _of(sealed(queue, {"id": "1", **headers}, redelivered=redelivered)) == plain
    assert plain.redelivered is redelivered


@pytest.mark.parametrize(
    "value", [None, "", [], {}, ["x"], {"a": [1]}, 7, 7.5, True, "\0", "\ud800", "x" * 9_999, b"x"]
)
def test_headers_of_any_type_become_text(value: Any) -> None:
    """Headers for another process or the database are text that both accept."""
    call = _of(sealed(QUEUE, {"task": value, "id": value, "redelivered": value}))
    assert call == pickle.loads(pickle.dumps(call))
    for text in (call.task, call.message_id, call.letter_id, call.key):
        assert text is None or len(text.encode()) <= 256


def _of(message: OpaqueMessage) -> Any:
    return message.payload["kwargs"]["message"]


ITEMS = st.binary(max_size=60) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
).flatmap(
    lambda value: st.sampled_from(["body", "headers", "properties", "none"]).map(
        lambda name: json.dumps({"body": "W10=", "headers": {}, "properties": {}} | {name: value}).encode()
    )
)


@given(ITEMS, st.sampled_from(sorted(TASKS)))
def test_any_item_on_a_list_becomes_a_message(item: bytes, queue: str) -> None:
    """The message is noted, returned to the same queue, and acknowledged by kombu."""
    found = envelope_of(item, queue)
    message = RedisMessage(found)
    assert message.delivery_info["exchange"] == message.delivery_info["routing_key"] == queue
    assert not message.errors
    assert isinstance(_of(message).body, bytes)
    again = envelope_of(json.dumps(found).encode(), queue)
    assert (again["body"], again["properties"]["delivery_tag"]) == (found["body"], found["properties"]["delivery_tag"])


@pytest.mark.parametrize("payload", [{}, {"headers": 7, "properties": {"priority": 1e999}}, ["secret"], "secret", None])
def test_a_noted_message_of_any_form_goes_back_to_its_queue(payload: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Kombu logs the whole of a message that it cannot give back, and forgets it."""
    pushed: list[tuple[str, str]] = []
    channel: Any = Channel.__new__(Channel)
    pipe = SimpleNamespace(rpush=lambda *item: pushed.append(item), lpush=None)
    channel._do_restore_message(payload, "elsewhere", QUEUE, pipe)

    [(key, item)] = pushed
    assert key == QUEUE
    assert _of(RedisMessage(envelope_of(item.encode(), QUEUE))).redelivered
    assert not caplog.records


def test_an_envelope_that_cannot_be_read_is_kept_whole() -> None:
    """Its dead letter holds the item as it was on the list."""
    for item in (b"", b"\xff", b"[1]", b'{"body": "!", "properties": {"body_encoding": "base64"}}', b"[" * 3_000_000):
        assert _of(RedisMessage(envelope_of(item, QUEUE))).body == item
    wrapped = base64.b64encode(b"body").decode()
    lines = json.dumps(
        {"body": f"{wrapped[:4]}\n{wrapped[4:]}", "headers": None, "properties": {"body_encoding": "base64"}}
    )
    assert _of(RedisMessage(envelope_of(lines.encode(), QUEUE))).body == b"body"


@pytest.mark.parametrize("size", [999, MAX_MESSAGE_BYTES + 1])
def test_a_producer_cannot_declare_its_message_oversize(size: int) -> None:
    """The transport's own header would park a good message with an invented size."""
    headers = {OVERSIZE: f"{size} {'0' * 64}", "task": TASK}
    item = {"body": "[[], {}, {}]", "headers": headers, "properties": {}}
    for message in (RedisMessage(envelope_of(json.dumps(item).encode(), QUEUE)), sealed(QUEUE, headers)):
        assert _of(message).oversize is None
    cut = f"{CUT}{size} {'0' * 40}\nshort".encode()
    assert _of(RedisMessage(envelope_of(cut, QUEUE))).body == cut


@pytest.mark.parametrize("surrogate", ["\ud800", "\udc80 \U0001f600", "\udfff\ud800"])
def test_an_envelope_with_half_of_a_surrogate_pair_is_read(surrogate: str) -> None:
    """Celery repeats a part of the arguments in a header, so a bad event would hide the good ones of its batch."""
    celery = {"task": TASK, "id": f"x{surrogate}", "kwargsrepr": f"{{'events': ['{surrogate}']}}"}
    item = json.dumps(
        {"body": "QUJD", "content-type": surrogate, "headers": celery, "properties": {"body_encoding": "base64"}}
    )
    found = envelope_of(item.encode(), QUEUE)
    message = _of(RedisMessage(found))
    assert (message.body, message.task, message.message_id) == (b"ABC", TASK, safe_id(f"x{surrogate}"))
    assert envelope_of(json.dumps(found).encode(), QUEUE) == found  # as it comes back from a note


def test_an_envelope_is_read_in_time_proportional_to_its_size() -> None:
    """The worker's main process reads it, which nothing restarts message by message."""
    item = json.dumps(
        {"body": "QUJD QUJD\n" * 200_000, "headers": {}, "properties": {"body_encoding": "base64"}}
    ).encode()
    tracemalloc.start()
    try:
        assert _of(RedisMessage(envelope_of(item, QUEUE))).body == b"ABC" * 400_000
        assert tracemalloc.get_traced_memory()[1] < 6 * len(item)
    finally:
        tracemalloc.stop()


def test_a_message_of_a_queue_that_is_not_ours_stays_kombus() -> None:
    """A deployment may have queues and tasks of its own."""
    properties = {"delivery_tag": "t", "delivery_info": {"exchange": "x", "routing_key": "theirs"}, "body_encoding": ""}
    payload = {
        "body": "[[], {}, {}]",
        "headers": {"task": "theirs"},
        "properties": properties,
        "content-type": "application/json",
    }

    class Channel:
        def decode_body(self, body: str, _encoding: str) -> str:
            return body

    message = RedisMessage(payload | {"content-encoding": "utf-8"}, channel=Channel())
    assert isinstance(message, Message)
    assert message.payload == [[], {}, {}]


def test_celery_makes_a_request_of_a_sealed_message() -> None:
    """In the form that its strategy takes from a message with headers and arguments of its own."""
    message = sealed(QUEUE, HEADERS)
    body, headers, decoded, utc = cast("Any", strategy).hybrid_to_proto2(message, message.payload)
    request: Any = Request(message, app=celery, body=body, headers=headers, decoded=decoded, utc=utc)
    assert (request.name, request.eta, request.expires, request.time_limits[0]) == (TASK, None, None, None)
    assert request.kwargs == message.payload["kwargs"]


@pytest.mark.parametrize("buffer", [b"", b"\x80", b"\x80\x00\x02\xff\xfe", b"\xff\xff" + b"\xff" * 20])
def test_properties_that_cannot_be_read_are_none(buffer: bytes) -> None:
    """The message is taken without them."""
    assert _decode_properties(buffer, 0) == ({}, len(buffer))


@pytest.mark.parametrize(
    ("exchange", "key", "read"),
    [
        (QUEUE, QUEUE.encode(), [QUEUE, QUEUE]),
        ("", "é".encode(), ["", "é"]),
        (QUEUE, b"\xff\xfe", ["", ""]),
        (QUEUE, b"\xff" * 255, ["", ""]),
    ],
)
@pytest.mark.parametrize("tag", ["t", "t" * 255])
def test_a_delivery_with_any_routing_key_is_read(exchange: str, key: bytes, read: list[str], tag: str) -> None:
    """A producer chooses the key of a message that reaches the queue by its header ``CC``."""
    head = b"\0\x3c\0\x3c" + bytes([len(tag)]) + tag.encode() + (7).to_bytes(8, "big") + b"\x01"
    payload = head + bytes([len(exchange)]) + exchange.encode() + bytes([len(key)]) + key
    found, _ = serialization.loads("sLbss", _readable_delivery(payload), 4)
    assert found == [tag, 7, True, *read]
