"""The parsers of untrusted bytes, and the properties that hold for any input."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from alertworker.events import EVENT, EVENTS, Event
from alertworker.events.base import MAX_EVENTS
from alertworker.events.batch import BatchError, Decoded, decode, decode_items
from alertworker.events.json_items import split_array
from alertworker.events.message import MessageError, read_message
from alertworker.integrations.litellm.relay import RelayError, read_slack, read_webhook
from alertworker.web.errors import Refusal
from alertworker.web.events import receive
from alertworker.web.request_body import decompress

NOW: Final = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
#: A virtual key. Seeds hold it; nothing that comes out does, but where it is part of a longer word.
KEY: Final = "sk-live0123456789abcdefghij"
#: The bound on what is decompressed here, in bytes.
_UNPACKED: Final = 256 * 1024
_SHOWN: Final = re.compile(rf"(?<![A-Za-z0-9]){KEY}")


def slack(data: bytes) -> None:
    """LiteLLM's text for a chat: any text becomes an event that the pipeline accepts."""
    whole(read_slack(json.dumps({"text": data.decode("utf-8", "replace")}).encode(), now=NOW, host="p1"))


def relay(data: bytes) -> None:
    """A body for either relay: an event that the pipeline takes, or refused as no JSON object."""
    for read in (read_slack, read_webhook):
        try:
            event = read(data, now=NOW)
        except RelayError:
            continue
        whole(event)


def whole(event: Event) -> None:
    """Hold that an event travels, and that no key is in it."""
    text = event.model_dump_json(exclude_none=True)
    assert EVENT.validate_json(text) == event
    assert not _SHOWN.search(text)


def batch(data: bytes) -> None:
    """A batch: its good events can be read again, its bad ones have a reason that repeats nothing, or it is none.

    Beside others, alone, and as Python's objects the same events are good.
    """
    for body in (data, b"[" + data + b"]"):
        with suppress(BatchError):
            _read(decode(body, None))
            _agree(body)
    with suppress(BatchError, ValueError, RecursionError):
        _read(decode(json.loads(data), None))


def _agree(body: bytes) -> None:
    """Check that other events do not change whether an event is good, and that each parser finds the same events."""
    decoded, items = decode(body, None), split_array(body, MAX_EVENTS)
    again = decode_items(items)
    assert [type(event) for event in decoded.events] == [type(event) for event in again.events]
    assert decoded.rejected == again.rejected
    assert len(decoded.events) + len(decoded.rejected) == len(items)
    assert [rejected.payload for rejected in decoded.rejected] == [items[bad.index].json for bad in decoded.rejected]
    with suppress(ValueError, RecursionError):
        assert repr(json.loads(body.decode())) == repr([json.loads(item.json.decode()) for item in items])


def packed(data: bytes) -> None:
    """A compressed body, or what is none: it is read within its bound, or refused."""
    for encoding in ("gzip", "zstd"):
        try:
            assert len(decompress(data, encoding, _UNPACKED)) <= _UNPACKED
        except Refusal as refusal:
            if refusal.status not in {400, 413}:
                raise


def message(data: bytes) -> None:
    """A message's body is a call, or is refused."""
    with suppress(MessageError):
        read_message(data)


def _read(decoded: Decoded) -> None:
    again = EVENTS.dump_json(decoded.events, exclude_none=True)
    assert EVENTS.validate_json(again) == decoded.events
    for rejected in decoded.rejected:
        assert rejected.reason
        assert not _SHOWN.search(rejected.reason)


def http(data: bytes) -> None:
    """A body of plain events: each is sealed or named, or all are refused with a status that the document has."""
    try:
        received = receive(data, ("", "gzip", "zstd")[len(data) % 3], None, now=NOW)
    except Refusal as refusal:
        if refusal.status not in {400, 413, 415, 422}:
            raise
        return
    assert not _SHOWN.search(json.dumps(received.errors))
    if received.batch is not None:
        again = decode(received.batch.body, "zstd")
        assert (len(again.events), again.rejected) == (received.batch.count, [])


#: A new target is a function and a line.
TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    "slack": slack,
    "relay": relay,
    "batch": batch,
    "http": http,
    "packed": packed,
    "message": message,
}
