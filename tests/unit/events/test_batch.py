"""A batch: sealed, read back, and read in spite of what is bad in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
import zstandard

from alertworker.events import EVENTS, Canary, RequestSucceeded
from alertworker.events.batch import MAX_BATCH_BYTES, BatchError, decode, seal

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
CALL = RequestSucceeded(call_id="call-1", started_at=NOW, ended_at=NOW, cost_nanos=13_500, model="gpt-4o")


def test_what_is_sealed_can_be_read() -> None:
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
    """What is wrong is said by field, never by content, which may be a secret."""
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


def test_the_schema_says_that_an_event_needs_its_type() -> None:
    """Without it nothing tells what it is."""
    schema = EVENTS.json_schema()
    names = [ref.rpartition("/")[2] for ref in schema["items"]["discriminator"]["mapping"].values()]

    assert names
    assert [name for name in names if "type" not in schema["$defs"][name]["required"]] == []


@pytest.mark.parametrize(
    ("events", "encoding"),
    [(b"not zstd", "zstd"), (b"{}", None), (b"[", None), (7, None), (b"[]", "rot13")],
)
def test_a_batch_that_is_none_is_refused(events: object, encoding: str | None) -> None:
    """What cannot be read at all is one error for the whole batch."""
    with pytest.raises(BatchError):
        decode(events, encoding)


def test_a_bomb_does_not_fill_the_memory() -> None:
    """Decompression stops at the bound."""
    bomb = zstandard.ZstdCompressor(level=1).compress(b" " * (MAX_BATCH_BYTES + 10))

    with pytest.raises(BatchError, match="over the limit"):
        decode(bomb, "zstd")
