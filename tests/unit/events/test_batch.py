"""A batch: sealed, read back, and read in spite of what is bad in it."""

from __future__ import annotations

import json
import tracemalloc
from datetime import UTC, datetime
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from alertworker.events import EVENTS, Canary, Event, RequestSucceeded, json_items
from alertworker.events import batch as batch_module
from alertworker.events.base import MAX_EVENTS
from alertworker.events.batch import (
    MAX_BATCH_BYTES,
    MAX_COMMAS,
    MAX_EVENT_BYTES,
    MAX_REJECTED,
    BatchError,
    BatchTooLargeError,
    decode,
    decode_items,
    display_payload,
    seal,
)
from alertworker.events.compression import compress
from alertworker.events.json_items import MAX_DEPTH, Item, split_array

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
CALL = RequestSucceeded(call_id="call-1", started_at=NOW, ended_at=NOW, cost_nanos=13_500, model="gpt-4o")


def test_a_sealed_batch_can_be_read() -> None:
    """Events come out of a sealed batch as they went in."""
    batch = seal([CALL.model_dump_json(exclude_none=True).encode()], batch_id="b", producer="p", sealed_at=NOW)

    decoded = decode(batch.arguments()["events"], "zstd")

    assert decoded.events == [CALL]
    assert decoded.rejected == []
    assert batch.count == 1


@pytest.mark.parametrize(
    "events", ['[{"type": "system.canary"}]', [{"type": "system.canary"}], b'[{"type": "system.canary"}]']
)
def test_plain_json_is_taken_too(events: object) -> None:
    """A producer in any language may send JSON as text, bytes or a list."""
    decoded = decode(events, None)

    assert [Canary] == [type(event) for event in decoded.events]


def test_a_bad_event_does_not_take_the_good_ones_with_it() -> None:
    """Unknown types and malformed events are named by their index; their neighbours go on."""
    good = json.loads(CALL.model_dump_json(exclude_none=True))
    nul = good | {"model": "gpt\0"}
    huge = good | {"cost_nanos": 10**30}
    newer = good | {"a_field_of_tomorrow": 1}

    decoded = decode([good, {"type": "no.such"}, nul, huge, newer, 7], None)

    assert decoded.events == [CALL, CALL]
    assert [bad.index for bad in decoded.rejected] == [1, 2, 3, 5]


def test_reasons_do_not_repeat_the_input() -> None:
    """A reason names the field. The content may be a secret."""
    decoded = decode([{"type": "llm.request.succeeded", "call_id": ["sk-secret"]}], None)

    assert "sk-secret" not in decoded.rejected[0].reason
    assert "call_id" in decoded.rejected[0].reason


def test_reasons_do_not_repeat_keys_of_mappings_either() -> None:
    """A key there is content, too."""
    event = json.loads(CALL.model_dump_json()) | {"alerting_metadata": {"sk-secret": 7, "a" * 300: "x"}}

    (rejected,) = decode([event], None).rejected

    assert rejected.reason == (
        "llm.request.succeeded.alerting_metadata.(a key): Input should be a valid string; "
        "llm.request.succeeded.alerting_metadata.(a key).[key]: String should have at most 256 characters"
    )


def test_the_schema_requires_the_type_of_an_event() -> None:
    """Without a type an event cannot be identified."""
    schema = EVENTS.json_schema()
    names = [ref.rpartition("/")[2] for ref in schema["items"]["discriminator"]["mapping"].values()]

    assert names
    assert [name for name in names if "type" not in schema["$defs"][name]["required"]] == []


@pytest.mark.parametrize(
    ("events", "encoding"),
    [(b"not zstd", "zstd"), (b"{}", None), (b"[", None), (7, None), (b"[]", "rot13")],
)
def test_an_unreadable_batch_is_refused(events: object, encoding: str | None) -> None:
    """An unreadable batch is one error for the whole batch."""
    with pytest.raises(BatchError):
        decode(events, encoding)


def test_a_bomb_does_not_fill_the_memory() -> None:
    """Decompression stops at the bound."""
    bomb = zstandard.ZstdCompressor(level=1).compress(b" " * (MAX_BATCH_BYTES + 10))

    with pytest.raises(BatchError, match="over the limit"):
        decode(bomb, "zstd")


GOOD = CALL.model_dump_json(exclude_none=True).encode()
#: Events that cannot be read, by what is wrong with them. Nothing else of their batch is.
BAD = {
    "nested 10,000 deep": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "nested 10,000 deep within an event": GOOD[:-1] + b',"x":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "nested 201 deep": b"[" * 201 + b"]" * 201,
    "nested 400 deep": GOOD[:-1] + b',"x":' + b"[" * 399 + b"]" * 399 + b"}",
    "nested 900 deep": b'{"a":' * 900 + b"1" + b"}" * 900,
    "half of a surrogate pair": GOOD.replace(b"call-1", b"\\ud800"),
    "the other half": GOOD.replace(b"call-1", b"\\udc00"),
    "halves in the wrong order": GOOD[:-1] + b',"x":"\\udc00\\ud800"}',
    "half of a pair as a key": GOOD[:-1] + b',"\\ud800":1}',
    "NUL in an id": GOOD.replace(b"call-1", b"call\\u0000"),
    "a raw NUL": GOOD.replace(b"call-1", b"call\0"),
    "a raw newline in a string": GOOD.replace(b"call-1", b"call\n"),
    "not UTF-8": GOOD.replace(b"call-1", b"call\xff"),
    "half a character": GOOD.replace(b"call-1", b"call\xc3"),
    "a surrogate in UTF-8": GOOD.replace(b"call-1", b"call\xed\xa0\x80"),
    "an overlong form": GOOD.replace(b"call-1", b"call\xc0\x80"),
    "1e999": GOOD.replace(b"13500", b"1e999"),
    "-1e999": GOOD.replace(b"13500", b"-1e999"),
    "10,000 digits": GOOD.replace(b"13500", b"9" * 10_000),
    "10,000 digits where nobody looks": GOOD[:-1] + b',"x":' + b"9" * 10_000 + b"}",
    "NaN": GOOD.replace(b"13500", b"NaN"),
    "Infinity": GOOD.replace(b"13500", b"Infinity"),
    "-Infinity": GOOD.replace(b"13500", b"-Infinity"),
    "NaN where nobody looks": GOOD[:-1] + b',"x":[1,NaN]}',
    "a bracket of the other kind": b'{"a": 1]',
    "a colon too many": b'{"a":: 1}',
    "two values": b"1 2",
    "nothing": b"",
    "a word": b"undefined",
    "an array": b"[]",
    "many tags": GOOD[:-1] + b',"tags":[' + b"1," * 50_000 + b"1]}",
    "much metadata": GOOD[:-1] + b',"team_metadata":{"a":' + b",".join(b'1,"%x":1' % n for n in range(99_999)) + b"}}",
    "many values where nobody looks": GOOD[:-1] + b',"x":[' + b"1," * MAX_COMMAS + b"1]}",
    "too many bytes": GOOD[:-1] + b',"x":"' + b"y" * MAX_EVENT_BYTES + b'"}',
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
@pytest.mark.parametrize("place", [0, 50, 99])
def test_one_bad_event_is_rejected_alone_at_its_place(bad: bytes, place: int) -> None:
    """The other 99 events are applied, and the bytes of the bad one are kept."""
    items = [GOOD] * 99
    items.insert(place, bad)
    decoded = decode(compress(b" [ " + b" , ".join(items) + b" ] "), "zstd")

    assert decoded.events == [CALL] * 99
    assert [(rejected.index, rejected.payload) for rejected in decoded.rejected] == [(place, bad)]
    assert decoded.rejected[0].reason
    again = decode(b"[" + bad + b"]", None)  # as it is replayed
    assert (again.events, [rejected.reason for rejected in again.rejected]) in (
        ([], [decoded.rejected[0].reason]),
        ([], []),  # nothing at all
    )


def test_of_a_key_that_comes_twice_the_last_value_counts() -> None:
    """All our JSON parsers do so, also beside a bad event."""
    twice = GOOD.replace(b'"call_id"', b'"call_id":"first","call_id"')

    assert decode(b"[" + twice + b"]", None).events == decode(b"[" + twice + b",7]", None).events == [CALL]


JSON_BYTES = st.sampled_from(
    [
        GOOD,
        *(bad for bad in BAD.values() if len(bad) < 500),
        BAD["many values where nobody looks"],
        GOOD.replace(b"call-1", b"NaN and Infinity"),
        b"1",
        b"{}",
    ]
)


@given(st.lists(JSON_BYTES, min_size=1, max_size=6))
def test_an_event_is_taken_independently_of_its_neighbours(items: list[bytes]) -> None:
    """Read all at once, one by one, or alone: the same events come out."""
    whole = decode(b"[" + b",".join(items) + b"]", None)
    alone = [event for item in items for event in decode(b"[" + item + b"]", None).events]
    one_by_one = decode_items(split_array(b"[" + b",".join(items) + b"]", 10))

    assert [*whole.events] == alone == one_by_one.events
    assert whole.rejected == one_by_one.rejected


@pytest.mark.parametrize(("depth", "taken"), [(MAX_DEPTH, 1), (MAX_DEPTH + 1, 0)])
def test_the_bound_on_depth_is_that_of_the_parser(depth: int, taken: int) -> None:
    """It does not depend on the other events."""
    nested = GOOD[:-1] + b',"x":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"

    for neighbours in (b"", b",7"):
        assert len(decode(b"[" + nested + neighbours + b"]", None).events) == taken


def deep(levels: int) -> list[Any]:
    """Nest lists."""
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_a_plain_list_goes_through_the_same_checks() -> None:
    """Celery's JSON has such lists. An event that JSON cannot represent is rejected alone, too."""
    good = json.loads(GOOD)
    bad: list[Any] = [
        deep(900), good | {"x": deep(400)}, good | {"call_id": "\ud800"}, {"\udfff": good}, good | {"call_id": "a\0"},
        good | {"cost_nanos": float("nan")}, good | {"x": float("inf")}, good | {"cost_nanos": 10**30}, 7, None,
        good | {"call_id": b"\xff"},
    ]  # fmt: skip
    decoded = decode([good, *bad, good], None)

    assert decoded.events == [CALL, CALL]
    assert [rejected.index for rejected in decoded.rejected] == list(range(1, len(bad) + 1))
    assert decoded.rejected[0].payload == b"[" * 900 + b"]" * 900
    assert json.loads(decoded.rejected[2].payload)["call_id"] == "\ud800"
    assert decode([good] * MAX_EVENTS, None).rejected == []
    with pytest.raises(BatchTooLargeError):
        decode([1] * (MAX_EVENTS + 1), None)


def test_text_with_half_of_a_surrogate_pair_costs_one_event() -> None:
    """A serializer may hand it over as a string."""
    text = f"[{GOOD.decode()},{GOOD.decode().replace('call-1', chr(0xD800))}]"

    assert [rejected.index for rejected in decode(text, None).rejected] == [1]


BOMBS = {
    "half a million ones": compress(b"[" + b"1," * 499_999 + b"1]"),
    "ones": compress(b"[" + b"1," * MAX_EVENTS + b"1]"),
    "bad events": compress(b"[" + b"{}," * MAX_REJECTED + b"{}]"),
    "good events": compress(b"[" + b",".join([b'{"type":"system.canary"}'] * (MAX_EVENTS + 1)) + b"]"),
    "brackets": compress(b"[" + b"[]," * 8_000_000 + b"[]]"),
    "brackets within one": compress(b"[[" + b"[]," * 8_000_000 + b"[]]]"),
    "levels": compress(b"[" * 16_000_000 + b"]" * 16_000_000),
    "open brackets": compress(b"[" * MAX_BATCH_BYTES),
    "spaces": compress(b" " * MAX_BATCH_BYTES),
    "empty frames": compress(b"") * 100_000,
    "many frames": compress(b"[" + b" " * 100_000) * 1_000,
    "an open string": compress(b'["' + b'\\"' * 8_000_000),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_small_message_cannot_cost_much(monkeypatch: pytest.MonkeyPatch, bomb: bytes) -> None:
    """It is parked whole after at most 501 events were looked at, in little more memory than a batch may have."""
    looked_at = 0
    read = batch_module._read

    def counting(item: Item) -> Event | str:
        nonlocal looked_at
        looked_at += 1
        return read(item)

    monkeypatch.setattr(batch_module, "_read", counting)
    monkeypatch.setattr(json_items, "MAX_STEPS", 50_000)
    monkeypatch.setattr(json_items, "STEPS_PER_ITEM", 10)
    tracemalloc.start()
    with pytest.raises(BatchError):
        decode(bomb, "zstd")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert looked_at <= MAX_REJECTED + 1
    assert peak < 3 * MAX_BATCH_BYTES


@pytest.mark.parametrize("field", ["tags", "budgets", "failed_on", "alerting_metadata"])
def test_a_list_or_mapping_of_a_million_faults_is_one(field: str) -> None:
    """Its errors are not counted up: they would take a thousand times its own memory."""
    many = b"[" + b"{}," * 30_000 + b"{}]"
    if field == "alerting_metadata":
        many = b"{" + b",".join(b'"%x":1' % number for number in range(30_000)) + b"}"
    tracemalloc.start()
    [rejected] = decode(b"[" + GOOD[:-1] + b',"%s":%s}]' % (field.encode(), many), None).rejected
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert field in rejected.reason
    assert len(rejected.reason) < 1_000
    assert peak < 8 * 1024 * 1024


@given(st.binary(max_size=300), st.sampled_from([None, "zstd", "identity"]))
def test_any_bytes_are_read_or_refused(body: bytes, encoding: str | None) -> None:
    """With the one error that parks them."""
    for content in (body, b"[" + body + b"]", compress(b"[1," + body + b"]")):
        try:
            decode(content, encoding)
        except BatchError:
            continue


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.text("\ud800\0") | st.binary(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers(), inner, max_size=4),
        max_leaves=12,
    )
)
def test_any_object_is_read_or_refused(value: Any) -> None:
    """A serializer may make anything of a message."""
    for content in (value, [value], [json.loads(GOOD), value]):
        try:
            decoded = decode(content, None)
        except BatchError:
            continue
        assert len(decoded.events) + len(decoded.rejected) == len(content)


def test_a_long_payload_is_shown_from_its_start() -> None:
    """A dead letter of megabytes does not become a page of megabytes, nor a million objects."""
    assert display_payload(GOOD) == display_payload(compress(GOOD)) == json.loads(GOOD)
    assert display_payload(b'"\\ud800"') == '"\\ud800"'
    long = display_payload(compress(b"[" + b"1," * 4_000_000 + b"1]"))
    assert isinstance(long, str)
    assert len(long) == 1024 * 1024
