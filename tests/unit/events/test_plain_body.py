"""A body of events: an array, an object, or lines; each event as its own bytes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertworker.events.base import MAX_EVENTS
from alertworker.events.batch import BatchTooLargeError
from alertworker.events.plain_body import MAX_LINES, split_body

OBJECTS = st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.text(), max_size=3), max_size=4)


@given(st.lists(OBJECTS, min_size=2, max_size=5), st.sampled_from(["array", "pretty", "lines", "crlf"]))
def test_every_form_gives_the_same_events(events: list[object], form: str) -> None:
    """In their order."""
    lines = [json.dumps(event) for event in events]
    text = {
        "array": json.dumps(events),
        "pretty": json.dumps(events, indent=2),
        "lines": "\n".join(lines),
        "crlf": "\r\n\r\n".join(lines) + "\r\n",
    }[form]

    assert [json.loads(item.json) for item in split_body(text.encode())] == events


@given(OBJECTS, st.sampled_from([None, 2]))
def test_one_object_is_one_event(event: object, indent: int | None) -> None:
    """Also over several lines, and with half of a surrogate pair in it."""
    assert len(split_body(json.dumps(event, indent=indent).encode() + b"\n")) == 1
    assert len(split_body(json.dumps([event, "\ud800"], indent=indent).encode())) == 2


def test_a_line_that_is_not_json_is_an_event_all_the_same() -> None:
    """The error then has its place."""
    body = b'{"a": 1}\n{not json\n\n[1, 2]\n{"b": 2} {"c": 3}\n"x\n'

    assert [item.json for item in split_body(body)] == [
        b'{"a": 1}', b"{not json", b"[1, 2]", b'{"b": 2} {"c": 3}', b'"x',
    ]  # fmt: skip
    assert split_body(b" \r\n\t") == split_body(b"[ ]") == split_body(b"") == []


@pytest.mark.parametrize(
    "body",
    [
        b"\n" * MAX_LINES,
        b"1\n" * MAX_LINES,
        b"1\n" * (MAX_EVENTS + 1),
        b"[" + b"1," * MAX_EVENTS + b"1]",
        b"[" * 2_000_000,
        b"{" + b'"a":{},' * 500_000,
        b'{"a":' * 2_000_000,
    ],
    ids=["blank lines", "lines", "events in lines", "items", "brackets", "members", "levels"],
)
def test_too_much_is_refused_before_it_is_cut(body: bytes) -> None:
    """Each count has its bound, and blank lines have one, too."""
    with pytest.raises(BatchTooLargeError):
        split_body(body)


def test_as_much_as_may_be_is_taken() -> None:
    """The bounds themselves are within."""
    assert len(split_body(b"\n".join([b"1\n"] * MAX_EVENTS).rstrip())) == MAX_EVENTS
    assert len(split_body(b"[" + b",".join([b"1"] * MAX_EVENTS) + b"]")) == MAX_EVENTS
