"""One event of a msgpack list as JSON. An event that JSON cannot represent becomes a string that keeps its bytes.

Such a string is not a valid event, so `alertworker.events.batch.decode` rejects it alone, with the reason and the
bytes.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from typing import Final

import msgpack
from pydantic_core import PydanticSerializationError, to_json

from alertworker.errors import AlertWorkerError
from alertworker.events.json_items import MAX_DEPTH
from alertworker.events.msgpack_values import MsgpackError, TooManyValuesError, max_containers, walk

#: The maximum size of an event, in bytes of msgpack: each byte can become an object of 64 bytes.
MAX_PACKED: Final = 512 * 1024
#: The maximum number of values in an event, those within arrays and maps included.
MAX_VALUES: Final = 100_000
#: An event with at most this many bytes that could begin an array or a map is not counted exactly.
_FEW: Final = 200
_MARK: Final = b'"msgpack:'
#: The lowest byte that begins an array, a map, a string or an extension, and never a JSON value.
_PACKED_FROM: Final = 0x80


class _RefusedError(AlertWorkerError):
    """JSON cannot represent an event."""


def as_json(packed: bytes, most: int) -> tuple[bytes, int]:
    """Return an event as JSON, or as a string with its bytes, and how many values were counted in it.

    Raises:
        TooManyValuesError: the event has more than ``most`` values.
    """
    counted = max_containers(packed) if len(packed) <= MAX_PACKED else 0
    try:
        if counted > _FEW:
            counted = walk(packed, 0, min(most, MAX_VALUES))[1]
        return _convert(packed), counted
    except TooManyValuesError:
        if most < MAX_VALUES:
            raise
        return as_string(packed), MAX_VALUES
    except _RefusedError:
        return as_string(packed), counted


def as_string(packed: bytes) -> bytes:
    """Return a JSON string with the bytes of an event."""
    return b'%b%b"' % (_MARK, b64encode(packed))


def as_item(payload: bytes) -> bytes:
    """Return the payload of a rejected event as an item of a JSON array, in which it is rejected alone again."""
    return as_string(payload) if payload and payload[0] >= _PACKED_FROM else payload


def unpack_event(item: bytes) -> bytes | None:
    """Return the bytes of the event in such a string; ``None`` if an item of an array is not such a string."""
    if not item.startswith(_MARK):
        return None
    try:
        return b64decode(item[len(_MARK) : -1], validate=True)
    except binascii.Error:
        return None


def why_not_json(packed: bytes) -> str:
    """Return why an event was kept as a string."""
    try:
        if max_containers(packed[: MAX_PACKED + 1]) > _FEW:
            walk(packed, 0, MAX_VALUES)
        _convert(packed)
    except (_RefusedError, MsgpackError) as error:
        return f"event: {error}"
    return "event: expected a JSON object, not msgpack in a string"


def _convert(packed: bytes) -> bytes:
    """Return an event as JSON. The libraries' own errors may repeat the input."""
    if len(packed) > MAX_PACKED:
        raise _RefusedError(f"{len(packed)} bytes of msgpack are over the limit of {MAX_PACKED}; send it as JSON")
    try:
        found: object = msgpack.unpackb(packed, raw=False, ext_hook=_refuse)
        return to_json(found, inf_nan_mode="constants")
    except _RefusedError:
        raise
    except UnicodeDecodeError:
        raise _RefusedError("a string is not valid UTF-8") from None
    except Exception as error:  # noqa: BLE001 - whatever a library raises for these bytes, the other events are applied
        if isinstance(error, msgpack.StackError) or "depth" in str(error):
            why = f"nested deeper than {MAX_DEPTH} levels"
        elif isinstance(error, PydanticSerializationError):
            why = "it has a value that JSON cannot represent, for example a timestamp extension"
        else:
            why = "a key is not a string, or it is not valid msgpack"
        raise _RefusedError(why) from None


def _refuse(_code: int, _data: bytes) -> object:
    raise _RefusedError("it has a value that JSON cannot represent: an extension type")
