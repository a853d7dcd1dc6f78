"""Whatever a body holds, it is read or refused with a reason; nothing of it is repeated."""

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
    """Never an exception that nobody expected."""
    try:
        receive(body, encoding, "key", now=NOW)
    except Refusal as refusal:
        if refusal.status not in (400, 413, 415, 422):
            raise


@given(st.lists(st.binary(max_size=5_000), min_size=1, max_size=3), st.data())
def test_what_was_compressed_comes_back_whole_or_not_at_all(parts: list[bytes], data: st.DataObject) -> None:
    """Also from several members or frames, and never from one that was cut."""
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
