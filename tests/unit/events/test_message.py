"""The body of a message: read alike in every form it may have, and within bounds."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import time
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgpack
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from kombu.utils.json import dumps

from alertworker.events import json_cursor, message
from alertworker.events.message import MessageError, TaskCall, read_message, read_task

EVENTS = [{"type": "x", "text": '[}"\\{', "deep": [[{"events": [1]}]]}]
CALL = [[], {"batch_id": "b", "events": EVENTS, "producer": "p"}, {"chain": None}]
PROTOCOL_1 = {"task": "t", "id": "i", "args": [], "kwargs": CALL[1], "eta": None}


@pytest.mark.parametrize("pack", [lambda value: json.dumps(value).encode(), msgpack.packb], ids=["JSON", "msgpack"])
@pytest.mark.parametrize(
    "squeeze", [bytes, zlib.compress, gzip.compress, bz2.compress, lzma.compress, zstandard.compress]
)
def test_every_form_has_the_same_content(pack: Callable[[Any], bytes], squeeze: Callable[[bytes], bytes]) -> None:
    """Protocol 1 or 2, JSON or msgpack, plain or compressed: the bytes alone decide."""
    second, first = read_message(squeeze(pack(CALL))), read_message(squeeze(pack(PROTOCOL_1)))
    assert second.events is not None
    assert {**second.arguments, "events": json.loads(second.events)} == CALL[1]
    assert (first.arguments, first.events) == (second.arguments, second.events)
    assert ((first.task, first.id), (second.task, second.id)) == (("t", "i"), (None, None))


def test_events_in_json_stay_as_they_came() -> None:
    """However deep, or broken: whether an event can be read is the batch's question, event by event."""
    for events in (b"[" * 50_000 + b"]" * 50_000, b'["\\ud800", NaN, 1e999]', b'[ {"a" : "\xff"} ]'):
        body = b'[[], {"batch_id": "b", "events": ' + events + b', "producer": null}, {}]'
        assert read_message(body) == TaskCall({"batch_id": "b", "producer": None}, events)


def test_values_that_only_kombu_writes_are_read() -> None:
    """A Python producer puts datetimes, UUIDs and bytes into its events."""
    when, uuid = datetime(2026, 11, 24, 12, tzinfo=UTC), UUID(int=7)
    event = {"at": when, "id": uuid, "cost": Decimal("1.5"), "nested": {"at": when, "text": '{"__type__": "date"}'}}
    found = read_message(dumps([[], {"events": [event], "sealed_at": when}, {}]).encode())
    assert found.arguments["sealed_at"] == when.isoformat()
    assert found.events is not None
    assert json.loads(found.events) == [
        {
            "at": when.isoformat(),
            "id": uuid.hex,
            "cost": "1.5",
            "nested": {"at": when.isoformat(), "text": '{"__type__": "date"}'},
        }
    ]
    for raw in (b"\x28\xb5\x2f\xfd\x00", b"plain"):
        assert read_message(dumps([[], {"events": raw}, {}]).encode()).events == raw


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"7",
        b"{}",
        b"[]",
        b"[[]]",
        b"[[1], {}, {}]",
        b"[[], [], {}]",
        b"[[], null, {}]",
        b'[[], {"events": null}, {}]',
        b'[[], {"events": 7}, {}]',
        b'[[], {"events": {"__type__": "base64", "__value__": "!"}}, {}]',
        b'[[], {"events": [], "events": []}, {}]',
        b'[[], {"events": [}, {}]',
        b"\x93\x90",
        b"\xdc",
        b"\xdf\0",
        b"\x93\x90\xdf\xff\xff\xff\xff",
        b"\x93\x90\x80\x80\x00",
        b"\x93" + b"\x91" * 100_000,
        b"\x93\x90\x81\xa6events\xc1\x80",
        zlib.compress(b"[[], {}, {}]")[:-4],
        b"x\x9c" + b"\0" * 50,
        b"\x28\xb5\x2f\xfd" + b"\0" * 50,
    ],
)
def test_an_error_about_a_body_that_is_not_a_call_has_no_content(body: bytes) -> None:
    """A fact in words of ours; the libraries' own repeat the input."""
    with pytest.raises(MessageError) as caught:
        read_message(body)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("squeeze", [zlib.compress, bz2.compress, lzma.compress, zstandard.compress])
def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch, squeeze: Callable[[bytes], bytes]) -> None:
    """The bound holds before the work."""
    monkeypatch.setattr(message, "MAX_DECOMPRESSED_BYTES", 100_000)
    with pytest.raises(MessageError, match="over the limit"):
        read_message(squeeze(b"[" + b" " * 100_000 + b"]"))


@pytest.mark.parametrize("piece", [b"[", b"[]", b"[],", b'"', b'{"a":', b'"events":[', b"\\", b'"\\'])
def test_reading_takes_time_in_proportion(piece: bytes) -> None:
    """No body makes a worker read it again and again."""
    body = b'[[], {"events": [' + piece * (2_000_000 // len(piece))
    begun = time.thread_time()
    with pytest.raises(MessageError):
        read_message(body)
    assert time.thread_time() - begun < 5


MANY = 1_000_000
#: 64 characters, which Python stores with 4 bytes each in a string that has the last one in it.
TEXT = b"x" * 63 + "\N{PILE OF POO}".encode()
COSTLY = {
    "an unknown keyword in msgpack": b"\x93\x90\x82\xa1x\xdd"
    + MANY.to_bytes(4, "big")
    + b"\x80" * MANY
    + b"\xa6events\xa2[]\x80",
    "events in msgpack": b"\x93\x90\x81\xa6events\xdd" + MANY.to_bytes(4, "big") + b"\x80" * MANY + b"\x80",
    "one event in msgpack": b"\x93\x90\x81\xa6events\x91\xdd" + MANY.to_bytes(4, "big") + b"\x80" * MANY + b"\x80",
    "a batch id in msgpack": b"\x93\x90\x81\xa8batch_id\xdd" + MANY.to_bytes(4, "big") + b"\x80" * MANY + b"\x80",
    "a keyword's name in msgpack": b"\x93\x90\x81\xdb" + MANY.to_bytes(4, "big") + b"x" * MANY + b"\xa0\x80",
    "protocol 1 in msgpack": b"\x82\xa4task\xdd" + MANY.to_bytes(4, "big") + b"\x80" * MANY + b"\xa6kwargs\x80",
    "events at another depth": b'[[],{"x":{"events":[]},"events":[' + b'{"a":0},' * 100_000 + b"0]},{}]",
    "the third item": b'[[],{"events":[]},[' + b'{"a":0},' * 100_000 + b"0]]",
    "an unknown keyword": b'[[],{"x":[' + b'{"a":[]},' * 50_000 + b'0],"events":"[]"},{}]',
    "strings": b'[[],{"x":[' + b'"",' * MANY + b'0],"events":"[]"},{}]',
    "floats": b'[[],{"x":[' + b"1.5," * MANY + b'0],"events":"[]"},{}]',
    "typed values": b'[[],{"x":[' + b'{"__type__":"date","__value__":"x"},' * 100_000 + b'0],"events":"[]"},{}]',
    "typed events": b'[[],{"events":[' + b'{"__type__":"date","__value__":"x"},' * 100_000 + b"0]},{}]",
    "a batch id": b'[[],{"batch_id":[' + b"{}," * 100_000 + b'0],"events":"[]"},{}]',
    "a long batch id": b'[[],{"batch_id":"' + TEXT * 100_000 + b'","events":"[]"},{}]',
    "a text without a place to cut it": b'[[],{"events":"' + TEXT * 100_000 + b'"},{}]',
    "an array as a call": b"[" + b"{}," * 100_000 + b"0]",
    "protocol 1": b'{"task":[' + b"{}," * 100_000 + b'0],"kwargs":{}}',
    "names": b'[[],{"events":[],"x":{' + b",".join(b'"%d":{}' % number for number in range(100_000)) + b"}},{}]",
}


@pytest.mark.parametrize("name", COSTLY)
def test_reading_takes_memory_in_proportion(name: str) -> None:
    """Only what a task of ours takes becomes objects: a few hundred compressed bytes cost no gigabyte."""
    body = zstandard.compress(COSTLY[name])
    tracemalloc.start()
    try:
        with suppress(MessageError):
            read_message(body)
        assert tracemalloc.get_traced_memory()[1] < 4 * len(COSTLY[name]) + 2 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_a_message_to_a_task_of_ours_is_short() -> None:
    """It names a channel at most, so nothing else is decompressed."""
    assert read_task(b'[[], {"channel": "a", "x": [[1]]}, {}]').arguments == {"channel": "a"}
    for body in (
        b'[[], {"channel": "' + b"a" * 70_000 + b'"}, {}]',
        zstandard.compress(b'[[], {"x": "' + b"a" * 70_000),
    ):
        with pytest.raises(MessageError, match="over the limit of 65536"):
            read_task(body)


def test_unknown_arguments_are_skipped() -> None:
    """It may be deep or broken, within a bound, and is not there for the task."""
    deep = b"[" * 199 + b"]" * 199
    for body in (
        b'[[], {"a": ' + deep + b', "producer": {"a": 1}, "events": [1]}, {"events": ' + deep + b"}]",
        msgpack.packb([[], {"a": [{}], "producer": {"a": 1}, "events": [1]}, {"events": [2]}]),
    ):
        assert read_message(body) == TaskCall({"producer": ()}, b"[1]")
    with pytest.raises(MessageError, match="deeper than 200"):
        read_message(b'[[], {"a": [[' + deep + b']], "events": []}, {}]')
    with pytest.raises(MessageError, match="events twice"):
        read_message(b'[[], {"events": [], "events": []}, {}]')


@given(st.text(st.sampled_from(' ,:"\\{}') | st.characters(exclude_categories=["Cs"]), max_size=33))
def test_a_text_is_read_in_pieces_as_it_is_whole(text: str) -> None:
    """This holds for every place of the cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_cursor, "_PIECE", 100)
        for ascii_only in (True, False):
            body = json.dumps([[], {"events": text}, {}], ensure_ascii=ascii_only).encode()
            assert read_message(body).events == text.encode()


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"\xff", b"\xff"),
        (b"a\xe2\x82b", b"a\xe2\x82b"),
        (b"\\ud800\\u00e9", b"\xed\xa0\x80\xc3\xa9"),
        (b"\\ude00\xf0\x9f\x92\xa9\\ud83d\\ude00\xff", b"\xed\xb8\x80\xf0\x9f\x92\xa9\xf0\x9f\x98\x80\xff"),
        (b"\n\xff", b"\n\xff"),
    ],
)
def test_a_text_keeps_the_bytes_that_are_no_text(sent: bytes, kept: bytes) -> None:
    """Only the event that contains them is rejected, by the batch."""
    body = b'[[], {"events": "[{\\"a\\": \\"' + sent + b'\\"}]"}, {}]'
    assert read_message(body).events == b'[{"a": "' + kept + b'"}]'


@pytest.mark.parametrize("piece", [b"\xff", b"\xff ", b"\\ud800 ", b"\\ud800\xff,", b"\\u4e00,\xff", b"\\n\xff "])
def test_a_damaged_text_takes_time_in_proportion(piece: bytes) -> None:
    """It is read by a slower way, which must not be much slower."""
    body = b'[[], {"events": "' + (piece * 100 + b" ") * (20_000_000 // len(piece) // 100) + b'"}, {}]'
    begun = time.thread_time()
    read_message(body)
    assert time.thread_time() - begun < 5


def test_the_size_of_a_text_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_cursor, "_MAX_TEXT", 1_000)
    assert read_message(b'[[], {"events": "' + b" " * 1_000 + b'"}, {}]').events == b" " * 1_000
    with pytest.raises(MessageError, match="more than 1000 bytes of JSON"):
        read_message(b'[[], {"events": "' + b" " * 1_001 + b'"}, {}]')


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda end: json.dumps(CALL).encode()[:-20] + end))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """Nothing else comes out."""
    with suppress(MessageError):
        read_message(body)
