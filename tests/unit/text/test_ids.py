"""Ids that every database stores, and that stay apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertworker.text.ids import MAX_ID, safe_id, storable

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=())) | st.text("\0\ud800ab", max_size=4)


@given(ANY_TEXT)
def test_an_id_can_be_stored_and_is_its_own(text: str) -> None:
    """No NUL, no half of a surrogate pair, no control character, and within the column."""
    found = safe_id(text)
    assert len(found) <= MAX_ID
    assert found.encode().decode() == found
    assert found.isprintable() or not text.isprintable() or found == text
    assert "\0" not in found
    assert safe_id(found) == found


@given(ANY_TEXT, ANY_TEXT)
def test_two_ids_stay_two(one: str, other: str) -> None:
    """An id that was cut or cleaned could be another's, whose batch would then count as applied."""
    assert (safe_id(one) == safe_id(other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"), [("x" * 256, "x" * 257), ("x" * 300 + "a", "x" * 300 + "b"), ("a\0", "a"), ("\ud800", "\ud801")]
)
def test_ids_that_differ_where_they_cannot_be_stored_stay_two(one: str, other: str) -> None:
    """The part that is replaced counts."""
    assert safe_id(one) != safe_id(other)


def test_an_ordinary_id_and_a_number_stay_as_they_are() -> None:
    """They are what people look for."""
    assert [safe_id("0d4bb8b3-6f5e"), safe_id(7), safe_id(""), safe_id("Straße 7")] == [
        "0d4bb8b3-6f5e",
        "7",
        "",
        "Straße 7",
    ]


@given(ANY_TEXT)
def test_every_text_can_be_stored(text: str) -> None:
    """A character that cannot be stored is replaced."""
    assert "\0" not in storable(text).encode().decode()
