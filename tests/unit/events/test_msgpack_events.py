"""A list of events in msgpack: a bad event is rejected alone, and reading it takes a bounded amount of time."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertworker.events.base import MAX_EVENTS
from alertworker.events.batch import Decoded, decode
from alertworker.events.json_cursor import MAX_CONTAINERS
from alertworker.events.message import MAX_DECOMPRESSED_BYTES, MessageError, read_message
from alertworker.events.msgpack_events import MAX_PACKED, MAX_VALUES, as_item
from alertworker.events.msgpack_values import MsgpackError, TooManyValuesError, walk

GOOD: dict[str, Any] = {
    "type": "llm.request.succeeded",
    "call_id": "call-1",
    "started_at": "2026-11-24T12:00:00Z",
    "ended_at": "2026-11-24T12:00:03Z",
}
PACKED = msgpack.packb(GOOD)
BAD = {
    "a timestamp": (msgpack.packb(GOOD | {"x": msgpack.Timestamp(1)}), "JSON cannot represent"),
    "an extension": (msgpack.packb(GOOD | {"x": msgpack.ExtType(7, b"a")}), "JSON cannot represent"),
    "bytes": (msgpack.packb(GOOD | {"call_id": b"\xff"}), "JSON cannot represent"),
    "a number as a key": (msgpack.packb(GOOD | {1: 2}), "a key is not a string"),
    "invalid UTF-8": (PACKED.replace(b"call-1", b"call\xff1"), "not valid UTF-8"),
    "half of a surrogate pair": (PACKED.replace(b"call-1", b"\xed\xa0\x80abc"), "not valid UTF-8"),
    "500 levels": (b"\x81\xa1x" + b"\x91" * 500 + b"\x90", "nested deeper"),
    "5,000 levels": (b"\x81\xa1x" + b"\x91" * 5_000 + b"\x90", "nested deeper"),
    "a byte without a meaning": (b"\x81\xa1x\xc1", "not valid msgpack"),
    "a large event": (msgpack.packb(GOOD | {"x": "x" * MAX_PACKED}), "over the limit of 524288"),
    "many values": (msgpack.packb(GOOD | {"x": [[]] * MAX_VALUES}), "more than 100000 values"),
}


def message_of(*events: bytes) -> bytes:
    """Return a message with a list of events that are packed already."""
    return b"\x93\x90\x81\xa6events\xdd" + len(events).to_bytes(4, "big") + b"".join(events) + b"\x80"


def read(body: bytes) -> Decoded:
    """Return the events of a message."""
    events = read_message(body).events
    assert events is not None
    return decode(events, None)


def test_bad_events_are_rejected_alone_with_their_bytes() -> None:
    decoded = read(message_of(*(one for packed, _ in BAD.values() for one in (PACKED, packed)), PACKED))

    assert len(decoded.events) == len(BAD) + 1
    assert [one.index for one in decoded.rejected] == list(range(1, 2 * len(BAD), 2))
    for (name, (packed, reason)), one in zip(BAD.items(), decoded.rejected, strict=True):
        assert one.payload == packed, name
        assert reason in one.reason, name


@pytest.mark.parametrize("name", BAD)
def test_a_rejected_event_is_rejected_again_when_it_is_replayed(name: str) -> None:
    packed, reason = BAD[name]
    (again,) = decode(b"[" + as_item(packed) + b"]", None).rejected
    assert (again.payload, reason in again.reason) == (packed, True)


@pytest.mark.parametrize("text", ["msgpack:", "msgpack:!", "msgpack:gA==", "msgpack:" + "gA==" * 9])
def test_a_string_of_a_producer_is_no_event(text: str) -> None:
    """Only the reader of msgpack makes such strings for events, and none of them is applied."""
    decoded = decode(json.dumps([GOOD, text]).encode(), None)
    assert (len(decoded.events), [one.index for one in decoded.rejected]) == (1, [1])


def array(value: bytes, count: int) -> bytes:
    """Return a packed array of equal values."""
    return b"\xdd" + count.to_bytes(4, "big") + value * count


LARGE = MAX_DECOMPRESSED_BYTES - 1_000
COSTLY = {
    "containers": [array(b"\x80", MAX_PACKED - 5)] * 60,
    "containers below the limit of an event": [array(b"\x80", MAX_VALUES - 1_000)] * 300,
    "containers in each event": [array(b"\x80", 190)] * MAX_EVENTS,
    "numbers": [array(b"\x01", MAX_PACKED - 5)] * 60,
    "numbers that look like containers": [array(b"\xcc\x90", MAX_PACKED // 2 - 5)] * 60,
    "deep events": [b"\x91" * 1_000 + b"\x90"] * MAX_EVENTS,
    "deeper events": [b"\x91" * 6_000 + b"\x90"] * MAX_EVENTS,
    "one deep event": [b"\x91" * LARGE + b"\x90"],
    "one large event": [array(b"\x80", LARGE)],
}


@pytest.mark.parametrize("name", COSTLY)
def test_reading_takes_a_bounded_time(name: str) -> None:
    """The worst of these took 19 s before the number of values was limited."""
    body = message_of(PACKED, *COSTLY[name][: MAX_EVENTS - 1])
    begun = time.thread_time()
    with suppress(MessageError):
        read_message(body)
    assert time.thread_time() - begun < 3


def test_the_number_of_values_of_all_events_is_limited() -> None:
    half = array(b"\x80", MAX_VALUES - 1_000)
    assert [one.index for one in read(message_of(*[half] * 2, PACKED)).rejected] == [0, 1]
    with pytest.raises(MessageError, match=f"more than {MAX_CONTAINERS} values"):
        read_message(message_of(*[half] * (MAX_CONTAINERS // MAX_VALUES + 1)))


SCALARS = st.none() | st.integers(-(2**63), 2**64 - 1) | st.floats(width=32) | st.text() | st.binary()
VALUES = st.recursive(SCALARS, lambda some: st.lists(some, max_size=40) | st.dictionaries(st.text(), some, max_size=40))


@given(VALUES)
def test_a_walk_ends_where_the_value_ends(value: Any) -> None:
    for packed in (msgpack.packb(value), msgpack.packb(value, use_bin_type=False, use_single_float=True)):
        end, count = walk(packed + b"\x00", 0, len(packed))
        assert end == len(packed)
        with pytest.raises(TooManyValuesError):
            walk(packed, 0, count - 1)
        with pytest.raises(MsgpackError):
            walk(packed[:-1], 0, len(packed))


@pytest.mark.parametrize("size", [0, 1, 2, 4, 8, 16, 300, 70_000])
def test_a_walk_knows_all_extensions(size: int) -> None:
    packed = msgpack.packb([msgpack.ExtType(1, b"x" * size), "y" * size, b"z" * size])
    assert walk(packed, 0, 4) == (len(packed), 4)
