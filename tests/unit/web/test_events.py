"""Any body is read or refused with a reason. No reason repeats its content."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from alertworker.events.batch import decode
from alertworker.web.errors import Refusal
from alertworker.web.events import receive
from alertworker.web.request_body import decompress

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
GOOD = {"type": "llm.request.succeeded", "call_id": "1", "started_at": NOW.isoformat(), "ended_at": NOW.isoformat()}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)
FIELDS = st.sampled_from(["started_at", "ended_at", "call_id", "model", "tags", "event_id", "occurred_at", "type"])
EVENTS = st.lists(
    st.builds(lambda changes: GOOD | changes, st.dictionaries(FIELDS, JSON, max_size=2)) | JSON, min_size=1, max_size=6
)


@given(EVENTS, st.booleans())
def test_every_event_is_either_sealed_or_named(events: list[Any], lines: bool) -> None:
    """The good and the bad ones are all of them, and the good ones can be read again."""
    text = [json.dumps(event) for event in events]
    body = "\n".join(text) if lines else f"[{','.join(text)}]"
    try:
        received = receive(body.encode(), "", None, now=NOW)
    except Refusal as refusal:
        if refusal.status != 422:
            raise
        return
    places = [error["index"] for error in received.errors]
    assert places == sorted(set(places))
    if received.batch is not None:
        again = decode(received.batch.body, "zstd")
        assert (len(again.events), again.rejected) == (received.batch.count, [])
        if not (lines and len(events) == 1):  # one line that is an array is an array
            assert received.batch.count + len(places) == len(events)


@given(st.binary(max_size=300), st.sampled_from(["", "gzip", "zstd", "br"]))
def test_any_bytes_are_read_or_refused(body: bytes, encoding: str) -> None:
    """It never raises an unexpected exception."""
    try:
        receive(body, encoding, "key", now=NOW)
    except Refusal as refusal:
        if refusal.status not in (400, 413, 415, 422):
            raise


@given(st.lists(st.binary(max_size=5_000), min_size=1, max_size=3), st.data())
def test_a_compressed_body_is_read_whole_or_not_at_all(parts: list[bytes], data: st.DataObject) -> None:
    """A body may have several members or frames. A member that was cut is refused."""
    whole = b"".join(parts)
    for encoding, compress in (("gzip", gzip.compress), ("zstd", zstandard.compress)):
        packed = [compress(part) for part in parts]
        assert decompress(b"".join(packed), encoding, len(whole)) == whole
        if whole:
            with pytest.raises(Refusal, match="when it is decompressed"):
                decompress(b"".join(packed), encoding, len(whole) - 1)
        cut = data.draw(st.integers(1, len(packed[-1]) - 1))
        with pytest.raises(Refusal):
            decompress(b"".join(packed)[:-cut], encoding, len(whole))


def test_no_reason_repeats_the_body() -> None:
    """An event may hold a prompt or a key."""
    secret = "sk-canary"
    bad = GOOD | {"started_at": secret, "tags": secret, "type": "llm.request.failed"}
    assert secret not in json.dumps(receive(json.dumps([bad, GOOD]).encode(), "", None, now=NOW).errors)
    assert secret not in json.dumps(receive(f'{{"type": "{secret}"}}\n{{"{secret}'.encode(), "", None, now=NOW).errors)


def test_secrets_are_removed_from_every_field_before_an_event_is_sealed() -> None:
    """The callback does so in a proxy. Names stay distinct. Fields that our packages make may come from any client."""
    key = "sk-proj-canary0123456789"
    event = GOOD | {
        "type": "llm.request.failed",
        "call_id": f"call {key}",
        "tags": [key, "prod"],
        "team_alias": "search",
        "host": key,
        "alerting_metadata": {"password": "canary-pw", "note": f"key {key}", key: "x"},
        "failure": {
            "error_class": f"Error {key}",
            "origin": "provider",
            "message": f"bad key {key}; {{'password': 'canary-pw'}}",
        },
    }
    received = receive(json.dumps([event, GOOD]).encode(), "", None, now=NOW)
    assert received.batch is not None
    decoded = decode(received.batch.body, "zstd")
    sent = zstandard.ZstdDecompressor().decompressobj().decompress(received.batch.body)
    assert b"canary" not in sent
    assert (len(decoded.events), decoded.rejected) == (2, [])
    failed = decoded.events[0].model_dump()
    assert failed["team_alias"] == "search"
    assert failed["tags"][0].startswith("secret-")
    assert failed["tags"][1] == "prod"
    assert "[removed]" in failed["failure"]["message"]


def test_an_event_without_secrets_is_sealed_as_it_was_sent() -> None:
    """Numbers, times, enumerations and nested objects are those of the body."""
    event = GOOD | {
        "type": "llm.request.failed",
        "event_id": "01935d8e-6f00-7000-8000-3f1c2a9b4d5e",
        "cost_nanos": 12,
        "tags": ["a", "b"],
        "key_hash": "0a1b2c3d" * 8,
        "alerting_metadata": {"run": "r-17"},
        "failed_on": [{"deployment_id": "d", "provider": "openai", "region": "eu"}],
        "failure": {"error_class": "Timeout", "status_code": 504, "origin": "provider", "message": "no answer in 3 s"},
    }
    body = json.dumps([event]).encode()
    received = receive(body, "", None, now=NOW)
    assert received.batch is not None
    (sent,), (meant,) = decode(received.batch.body, "zstd").events, decode(body, None).events
    assert sent.model_copy(update={"occurred_at": None}) == meant.model_copy(update={"occurred_at": None})


def test_a_body_with_texts_that_take_too_long_to_search_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search takes longest for texts full of labels, and a thread that decodes others' bodies waits for it."""
    monkeypatch.setattr("alertworker.web.events.MAX_REDACTING", -1.0)
    with pytest.raises(Refusal, match="send less at a time") as caught:
        receive(json.dumps([GOOD]).encode(), "", None, now=NOW)
    assert caught.value.status == 413


@pytest.mark.parametrize("shape", ["{}", "[{}]", "{}\n{}"])
def test_a_byte_order_mark_is_left_out(shape: str) -> None:
    """Windows' tools write it."""
    text = shape.replace("{}", json.dumps(GOOD))
    received = receive(text.encode("utf-8-sig"), "", None, now=NOW)
    assert (received.batch is not None, received.errors) == (True, [])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_a_body_that_is_not_utf_8_is_refused_with_the_remedy(encoding: str) -> None:
    """The parser's own error would be about a missing value."""
    with pytest.raises(Refusal, match="the events are UTF-16 or UTF-32; encode them in UTF-8") as caught:
        receive(json.dumps([GOOD]).encode(encoding), "", None, now=NOW)
    assert caught.value.status == 422


@pytest.mark.parametrize("form", ["lines", "array", "bad array"])
def test_a_canary_from_a_producer_is_refused_alone(form: str) -> None:
    """Dated ahead, it would make a stalled pipeline look current."""
    events = [GOOD, {"type": "system.canary", "occurred_at": "2099-01-01T00:00:00Z"}, GOOD]
    if form == "bad array":
        events.insert(1, {"type": "nonsense"})
    texts = [json.dumps(event) for event in events]
    body = "\n".join(texts) if form == "lines" else f"[{','.join(texts)}]"

    received = receive(body.encode(), "", None, now=NOW)
    assert received.batch is not None
    assert received.batch.count == 2
    place = events.index(events[-2])
    assert received.errors[-1] == {"index": place, "error": "type: only the workers send system.canary"}
    assert len(received.errors) == place
