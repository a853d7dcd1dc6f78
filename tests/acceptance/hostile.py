"""Messages that no client of ours sends: bodies, headers and envelopes that break a reader.

Most contain a string that must not be in any log line.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import json
import lzma
import pickle
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import msgpack
import zstandard

from alertworker.events.batch import TASK

#: The string that must not be in any log line. It stands for prompt text.
CANARY: Final = "CANARY-7f3a"
_EMBED: Final = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


@dataclass(frozen=True)
class Hostile:
    """One message. ``applied`` is true if its batch is good, even if the rest of the message is not. Otherwise it is
    parked.

    ``payload`` is the content of its dead letter: the body itself, unless the body could be read as far as its
    events.
    """

    name: str
    body: bytes
    content_type: str | None = "application/json"
    content_encoding: str | None = "utf-8"
    headers: Mapping[str, Any] = field(default_factory=lambda: {"task": TASK, "id": str(uuid4())})
    properties: Mapping[str, Any] = field(default_factory=dict)
    applied: bool = False
    payload: bytes | None = None
    queue: str = "alertworker.events"

    @property
    def kept(self) -> bytes:
        """Return the expected content of the dead letter."""
        return self.body if self.payload is None else self.payload


def call_of(events: Any, **more: Any) -> list[Any]:
    """Return the arguments of a call."""
    return [[], {"events": events, **more}, _EMBED]


def good(call_id: str) -> dict[str, Any]:
    """Return an event that is applied."""
    return {
        "type": "llm.request.succeeded",
        "call_id": call_id,
        "team_id": "hostile",
        "started_at": "2026-11-24T12:00:00Z",
        "ended_at": "2026-11-24T12:00:03Z",
        "cost_nanos": 1,
    }


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _plain(name: str, **more: Any) -> Hostile:
    """Return a batch that is good except for what surrounds it."""
    return Hostile(name, _json(call_of([good(name)])), applied=True, **more)


def _headers(name: str, **headers: Any) -> Hostile:
    return _plain(name, headers={"task": TASK, "id": str(uuid4())} | headers)


def _parked(name: str, call: Any, **more: Any) -> Hostile:
    return Hostile(name, _json(call), **more)


def _bodies() -> list[Hostile]:
    text = f'"{CANARY}"'.encode()
    deep = {depth: b"[" * depth + text + b"]" * depth for depth in (150, 400, 900, 100_000)}
    return [
        Hostile("empty", b""),
        Hostile("no JSON", text),
        Hostile("cut JSON", _json(call_of([{"type": CANARY}]))[:-40]),
        Hostile("not UTF-8", b"\xff\xfe" + CANARY.encode()),
        Hostile("UTF-16", json.dumps(call_of([CANARY])).encode("utf-16")),
        Hostile("NUL bytes", b"\0" * 100),
        *(Hostile(f"deep body {depth}", body) for depth, body in deep.items()),
        *(
            Hostile(f"deep kwargs {depth}", b'[[],{"x":' + body + b',"events":[]},{}]')
            for depth, body in deep.items()
            if depth > 200
        ),
        *(
            Hostile(f"deep msgpack {depth}", b"\x91" * depth + b"\x90", "application/x-msgpack")
            for depth in (500, 5_000)
        ),
        Hostile("bad msgpack", b"\x93\x90\xc1" + CANARY.encode(), "application/x-msgpack", "binary"),
        Hostile("msgpack of a huge array", b"\x93\x90\xdf\xff\xff\xff\xff", "application/x-msgpack", "binary"),
        Hostile(
            "msgpack events of objects", b"\x93\x90\x81\xa6events\xdd\x01\x00\x00\x00" + b"\x90" * (1 << 24) + b"\x80"
        ),
        Hostile("pickle", pickle.dumps([[], {"events": [CANARY]}, {}]), "application/x-python-serialize", "binary"),
        Hostile("YAML", f"- []\n- events: [{CANARY}]\n".encode(), "application/x-yaml"),
        Hostile("no batch", _json([[], {}, {}])),
        _parked("kwargs that are a list", [[], [CANARY], {}]),
        _parked("kwargs that are null", [[], None, {}]),
        _parked("positional arguments", [[CANARY], {"events": []}, {}]),
        _parked("a text", CANARY),
        _parked("a number", 7),
        _parked("null", None),
        _parked("one item", [[]]),
        _parked("no events", [[], {"batch_id": CANARY}, {}]),
        _parked("events null", call_of(None)),
        _parked("events an object", call_of({"a": CANARY})),
        _parked("batch_id a list", call_of([], batch_id=[CANARY])),
        _parked("batch_id an object", call_of([], batch_id={"a": CANARY})),
        Hostile("events twice", b'[[],{"events":[1],"events":[2]},{}]'),
        _parked("events no array", call_of(f"{CANARY}["), payload=f"{CANARY}[".encode()),
        _parked("unknown encoding", call_of("[]", encoding=CANARY), payload=b"[]"),
        _parked("encoding a number", call_of("[]", encoding=7), payload=b"[]"),
        _parked("not zstd", call_of("[]", encoding="zstd"), payload=b"[]"),
    ]


def _bombs() -> list[Hostile]:
    zeros = b"\0" * (80 * 1024 * 1024)
    made = {
        "gzip": gzip.compress(zeros),
        "bz2": bz2.compress(zeros),
        "lzma": lzma.compress(zeros, preset=0),
        "zstd": zstandard.compress(zeros),
    }
    return [
        Hostile(
            f"{name} bomb", body, headers={"task": TASK, "id": str(uuid4()), "compression": f"application/x-{name}"}
        )
        for name, body in made.items()
    ]


def _compressed() -> list[Hostile]:
    ways: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.compress,
        "bz2": bz2.compress,
        "lzma": lzma.compress,
        "zstd": zstandard.compress,
    }
    return [
        Hostile(
            f"compressed by {name}",
            way(_json(call_of([good(name)]))),
            headers={"task": TASK, "id": str(uuid4()), "compression": f"application/x-{name}"},
            applied=True,
        )
        for name, way in ways.items()
    ]


def _tasks() -> list[Hostile]:
    names = ["celery.map", "celery.starmap", "celery.chain", "celery.chord", "celery.group", "celery.chunks"]
    names += ["celery.backend_cleanup", "celery.accumulate", "celery.chord_unlock", "alertworker.sweep", CANARY]
    return [
        *(_parked(f"task {name}", call_of([CANARY]), headers={"task": name, "id": name}) for name in names),
        *(
            _parked(f"task {task!r}", call_of([CANARY]), headers={"task": task, "id": repr(task)})
            for task in (7, [CANARY], {"a": CANARY})
        ),
        _parked(
            "protocol 1, unknown task", {"task": CANARY, "id": "x", "args": [], "kwargs": {"events": []}}, headers={}
        ),
    ]


def _surrounded() -> list[Hostile]:
    """Return good batches, surrounded by something that Celery would fail on or obey."""
    signature: dict[str, Any] = {"task": CANARY, "args": [], "kwargs": {}, "options": {}, "subtask_type": None}
    embed = {"callbacks": [signature], "errbacks": [signature], "chain": [signature], "chord": signature}
    one = {"task": TASK, "id": "protocol-1", "args": [], "kwargs": {"events": [good("protocol 1")]}, "eta": "bad"}
    surrogate = "\ud800" + CANARY
    return [
        Hostile("embed", _json([[], {"events": [good("embed")]}, embed]), applied=True),
        Hostile("embed a number", _json([[], {"events": [good("embed a number")]}, 7]), applied=True),
        Hostile("protocol 1", _json(one), headers={}, applied=True),
        _plain("no headers", headers={}),
        _headers("expired", expires="2001-01-01T00:00:00+00:00"),
        _headers("expires a number", expires=7),
        _headers("expires no time", expires=CANARY),
        _headers("far eta", eta="2999-01-01T00:00:00+00:00"),
        _headers("eta no time", eta=CANARY),
        _headers("eta a list", eta=[1]),
        _headers("timelimit", timelimit=[0.001, 0.001]),
        _headers("timelimit a text", timelimit=CANARY),
        _headers("retries a text", retries=CANARY),
        _headers("argsrepr", argsrepr=CANARY, kwargsrepr=CANARY, shadow=CANARY, origin=CANARY),
        _headers("argsrepr a list", argsrepr=[CANARY], kwargsrepr={"a": 1}),
        _headers("id a list", id=[CANARY]),
        _headers("id a number", id=7),
        _headers("id with NUL", id="a\0b"),
        _headers("long id", id="x" * 5_000),
        _headers("group", group=CANARY, root_id=7, parent_id=[], stamped_headers=["a"], stamps=7),
        _headers("unknown compression", compression=CANARY),
        _headers("ignore_result a text", ignore_result=CANARY, replaced_task_nesting="x"),
        _plain("content type none", content_type=None, content_encoding=None),
        _plain("content type of bytes", content_type="application/octet-stream", content_encoding="binary"),
        _plain("content type unknown", content_type=CANARY, content_encoding=CANARY),
        _plain("reply to", properties={"reply_to": "nowhere", "correlation_id": CANARY}),
        *(
            Hostile(
                f"{key} {value!r}"[:40], _json(call_of([good(f"{key} {value!r}"[:40])], **{key: value})), applied=True
            )
            for key, value in (
                ("producer", None),
                ("producer", 7),
                ("producer", [CANARY]),
                ("producer", "a\0" + CANARY),
                ("producer", "x" * 5_000),
                ("sealed_at", 7),
                ("sealed_at", CANARY),
                ("sealed_at", "9999-12-31T23:59:59-14:00"),
                ("batch_id", 7.5),
                ("batch_id", "a\0" + CANARY),
                ("batch_id", "y" * 5_000),
                ("more", {"a": [CANARY]}),
            )
        ),
        _parked("surrogate in batch_id", call_of([], batch_id=surrogate)),
        _parked("surrogate in producer", call_of([], producer=surrogate)),
        Hostile("msgpack", msgpack.packb(call_of([good("msgpack")])), "application/x-msgpack", "binary", applied=True),
        Hostile("JSON in a text", _json(call_of(json.dumps([good("JSON in a text")]))), applied=True),
    ]


#: Readable batches in which one event, or all, cannot be read. `events/batch.py` decides about the events.
DEEP_EVENTS: Final = [
    Hostile(f"deep event {depth}", b'[[],{"events":' + b"[" * depth + CANARY.encode() + b"]" * depth + b"},{}]")
    for depth in (300, 400, 900, 100_000)
]
SURROGATE: Final = Hostile(
    "surrogate in an event", _json(call_of([good("before a surrogate"), {"type": "\ud800" + CANARY}]))
)


def messages() -> list[Hostile]:
    """Return all messages."""
    return [*_bodies(), *_bombs(), *_compressed(), *_tasks(), *_surrounded()]


def envelope(hostile: Hostile, tag: str) -> dict[str, Any]:
    """Return a message in the envelope that kombu puts on a list."""
    delivery = {"exchange": "", "routing_key": hostile.queue}
    return {
        "body": base64.b64encode(hostile.body).decode(),
        "content-encoding": hostile.content_encoding,
        "content-type": hostile.content_type,
        "headers": dict(hostile.headers),
        "properties": {"delivery_mode": 2, "delivery_info": delivery, "priority": 0, "body_encoding": "base64"}
        | {"delivery_tag": tag, **hostile.properties},
    }


#: Items on a list that are not an envelope, or an envelope that kombu cannot read.
ITEMS: Final[dict[str, bytes]] = {
    "item empty": b"",
    "item no JSON": CANARY.encode(),
    "item not UTF-8": b"\xff\xfe" + CANARY.encode(),
    "item deep": b"[" * 900 + b"]" * 900,
    "item very deep": b"[" * 100_000,
    "item a number": b"7",
    "item a list": _json([CANARY]),
    "item an empty object": b"{}",
    "item body a number": _json({"body": 7, "properties": {}, "headers": {}, "note": CANARY}),
    "item no properties": _json({"body": "W10=", "headers": {}, "note": CANARY}),
    "item properties a list": _json({"body": "W10=", "headers": {}, "properties": [], "note": CANARY}),
    "item headers a list": _json({"body": "W10=", "headers": [], "properties": {}, "note": CANARY}),
    "item bad base64": _json(
        {"body": f"{CANARY}!", "headers": {"task": TASK}, "properties": {"body_encoding": "base64"}}
    ),
    "item unknown body_encoding": _json({"body": CANARY, "headers": {}, "properties": {"body_encoding": "rot13"}}),
    "item with a surrogate": b'{"body": "\\ud800", "headers": {}, "properties": {}}',
    "item with a typed value": b'{"body": "", "headers": {"a": {"__type__": "x", "__value__": 1}}, "properties": 7}',
}


def _table(value: bytes) -> bytes:
    """Return an AMQP table of one header, ``h``."""
    return struct.pack(">I", len(value) + 2) + b"\x01h" + value


def _deep_table(depth: int) -> bytes:
    value = b"V"
    for _ in range(depth):
        value = b"F" + _table(value)
    return _table(value)


#: Properties of an AMQP message, in wire format, that its client library cannot read.
PROPERTIES: Final[dict[str, bytes]] = {
    "content type not UTF-8": struct.pack(">HB", 0x8000, 2) + b"\xff\xfe",
    "correlation id not UTF-8": struct.pack(">HB", 0x0400, 2) + b"\xff\xfe",
    "header of a far time": struct.pack(">H", 0x2000) + _table(b"T" + struct.pack(">Q", 2**50)),
    "deep headers": struct.pack(">H", 0x2000) + _deep_table(900),
}
