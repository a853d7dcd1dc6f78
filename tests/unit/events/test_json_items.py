"""Cutting JSON into its items agrees with a parser where there is one, and costs what its brackets do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertworker.events import json_items
from alertworker.events.json_items import (
    JsonShapeError,
    TooManyItemsError,
    first_value,
    split_array,
    write,
)

#: Strings that hold the marks the cutter looks for.
TEXTS = st.text() | st.text(alphabet='[]{},:"\\ \n\t\0\ud800é🪢', max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=15,
)


def levels(value: Any) -> int:
    """Return how deep a value nests."""
    if isinstance(value, dict):
        return 1 + max(map(levels, value.values()), default=0)
    return 1 + max(map(levels, value), default=0) if isinstance(value, list) else 0


@given(st.lists(VALUES, max_size=6), st.sampled_from([None, 0, 2]), st.booleans())
def test_the_items_of_an_array_are_those_a_parser_finds(values: list[Any], indent: int | None, ascii_: bool) -> None:
    """However it is spaced, escaped and encoded; with how deep each nests."""
    body = json.dumps(values, indent=indent, ensure_ascii=ascii_).encode("utf-8", "surrogatepass")
    items = split_array(b" \r\n" + body + b"\t", 6)

    assert [json.loads(item.json.decode("utf-8", "surrogatepass")) for item in items] == values
    assert [item.depth for item in items] == [levels(value) for value in values]


@given(VALUES.filter(lambda value: isinstance(value, list | dict)), st.binary(max_size=10))
def test_a_value_ends_where_a_parser_ends_it(value: Any, rest: bytes) -> None:
    """Anything may follow it."""
    body = json.dumps(value).encode()

    assert first_value(body + rest, 0) == ((body, levels(value)), len(body))


@given(st.binary(max_size=200) | st.text(alphabet='[]{},:"\\ 1', max_size=40).map(str.encode))
def test_any_bytes_are_cut_or_refused(body: bytes) -> None:
    """Each cut item is a part of the body, and nothing is left between two but a comma and space."""
    try:
        items = split_array(body, 1_000)
    except JsonShapeError:
        return
    inside = body.strip()[1:-1]
    assert b",".join(item.json for item in items) == b",".join(part.strip() for part in _parts(inside, items))


def _parts(inside: bytes, items: list[json_items.Item]) -> list[bytes]:
    """Take the items off the array one by one."""
    parts = []
    for item in items:
        place = inside.index(item.json)
        assert inside[:place].strip(b" \t\r\n") in (b"", b",")
        parts.append(inside[place : place + len(item.json)])
        inside = inside[place + len(item.json) :]
    assert inside.strip(b" \t\r\n") == b""
    return parts


@given(VALUES)
def test_a_written_value_can_be_read_back(value: Any) -> None:
    """The standard library reads it, lone surrogates included."""
    assert json.loads(write(value)) == value


def test_depth_costs_no_recursion() -> None:
    """A hundred thousand levels are cut and written."""
    deep = b"[" * 100_000 + b"]" * 100_000
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]

    assert split_array(b"[1," + deep + b",2]", 3)[1] == (deep, 100_000)
    assert len(write(value)) == 2 * 100_001


@pytest.mark.parametrize(
    "body",
    [b"", b"1", b"{}", b"[", b"[1", b'["', b'["a]', b'["\\"]', b"[]]", b"[],", b"[1]2", b"[{]", b"]", b'{"a":[1]}'],
)
def test_a_body_that_is_not_one_array_is_refused(body: bytes) -> None:
    """Open brackets and quotes, and what goes on."""
    with pytest.raises(JsonShapeError):
        split_array(body, 10)


@pytest.mark.parametrize("body", [b"[" * 900_000, b"[[" + b"{}," * 300_000, b"[" + b"1," * 400_000])
def test_no_more_is_looked_at_than_may_be(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    """The number of steps is bounded, however long the body is."""
    steps = 0

    class Counting:
        def __init__(self, pattern: Any) -> None:
            self._pattern = pattern

        def match(self, *args: Any) -> Any:
            nonlocal steps
            steps += 1
            return self._pattern.match(*args)

    monkeypatch.setattr(json_items, "TO_BRACKET", Counting(json_items.TO_BRACKET))
    monkeypatch.setattr(json_items, "_TO_COMMA", Counting(json_items._TO_COMMA))
    monkeypatch.setattr(json_items, "MAX_STEPS", 50_000)
    with pytest.raises(TooManyItemsError):
        split_array(body, 200)
    assert steps <= 50_000
