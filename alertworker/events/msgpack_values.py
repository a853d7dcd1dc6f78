"""Steps over msgpack values without recursion, and without building them.

msgpack's own `skip` is faster, but it refuses a value that nests deeper than 1,023 levels. So one such event would hide
the events after it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from alertworker.errors import AlertWorkerError

#: The bytes that begin no array and no map: deleting them leaves an upper bound of the number of containers.
_NOT_CONTAINERS: Final = bytes({*range(256)} - {*range(0x80, 0xA0), *range(0xDC, 0xE0)})


class MsgpackError(AlertWorkerError):
    """A msgpack value is cut off."""


class TooManyValuesError(MsgpackError):
    """A msgpack value has too many values."""


class _Form(NamedTuple):
    """The form of a value by its first byte.

    ``size`` is in bytes, with the field that holds a number, which has ``field`` bytes. The number is one of bytes, or
    of members if a container has ``members`` for each. ``fixed`` is the number of members of a container without field.
    """

    size: int
    field: int = 0
    members: int = 0
    fixed: int = 0


def max_containers(body: bytes) -> int:
    """Return an upper bound of the number of arrays and maps in a value. It is fast, and too high for some texts."""
    return len(body.translate(None, _NOT_CONTAINERS))


def walk(body: bytes, at: int, most: int) -> tuple[int, int]:
    """Return the end of the value at ``at``, and the number of values in it.

    Raises:
        MsgpackError: the value is cut off.
        TooManyValuesError: the value has more than ``most`` values.
    """
    left, count, size = 1, 0, len(body)
    while left:
        if left > size - at:  # each value has one byte or more
            raise MsgpackError("cut off")
        count += 1
        if count > most:
            raise TooManyValuesError(f"more than {most} values")
        form = _FORMS[body[at]]
        number = int.from_bytes(body[at + 1 : at + 1 + form.field], "big") if form.field else form.fixed
        left += number * form.members - 1
        at += form.size if form.members else form.size + number
    if at > size:
        raise MsgpackError("cut off")
    return at, count


def _form(first: int) -> _Form:
    """Return the form of a value by the table of the msgpack specification."""
    if first < 0x80 or first >= 0xE0:  # a small integer
        return _Form(1)
    if first < 0xA0:  # a small map or array
        return _Form(1, members=2 if first < 0x90 else 1, fixed=first & 0x0F)
    if first < 0xC0:  # a short string
        return _Form(1 + (first & 0x1F))
    return _OTHERS.get(first, _Form(1))  # nil, false, true, and 0xC1, which has no meaning


_OTHERS: Final = {
    **{first: _Form(1 + field, field) for first, field in zip((0xC4, 0xC5, 0xC6), (1, 2, 4), strict=True)},  # bytes
    **{first: _Form(2 + field, field) for first, field in zip((0xC7, 0xC8, 0xC9), (1, 2, 4), strict=True)},  # extension
    **{first: _Form(size) for first, size in zip((0xCA, 0xCB), (5, 9), strict=True)},  # floats
    **{first: _Form(size) for first, size in zip(range(0xCC, 0xD0), (2, 3, 5, 9), strict=True)},  # unsigned integers
    **{first: _Form(size) for first, size in zip(range(0xD0, 0xD4), (2, 3, 5, 9), strict=True)},  # signed integers
    **{first: _Form(2 + size) for first, size in zip(range(0xD4, 0xD9), (1, 2, 4, 8, 16), strict=True)},  # extension
    **{first: _Form(1 + field, field) for first, field in zip((0xD9, 0xDA, 0xDB), (1, 2, 4), strict=True)},  # strings
    **{first: _Form(1 + field, field, 1) for first, field in ((0xDC, 2), (0xDD, 4))},  # arrays
    **{first: _Form(1 + field, field, 2) for first, field in ((0xDE, 2), (0xDF, 4))},  # maps
}
_FORMS: Final = tuple(map(_form, range(256)))
