"""Strings of callers are shown as typed and have no effect, in any place. Invisible characters are left out."""

from __future__ import annotations

import json
import re
import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from wcwidth import iter_graphemes

from alertworker.alerts.message import Message
from alertworker.text.sanitize import clean, cut, one_line, units
from alertworker.text.shorten import CUT
from tests.contract.cases import message
from tests.contract.corpus import CORPUS
from tests.contract.kinds import (
    complaints,
    every_kind_for_alerts,
    every_kind_for_people,
    lookalikes,
    sent,
    shown,
)


def everywhere(text: str) -> Message:
    """Return a message with a string in every place where a caller's string can be."""
    return message(
        headline=text,
        facts={text: text, "Team": text},
        members=(text, text),
        metadata={text: text, "run": text},
        labels={"model": text, "team": text},
        proxy_url=text,
    )


@every_kind_for_alerts
def test_its_vendor_takes_it_as_plain_text(kind: str) -> None:
    """It becomes no mention, link, style, code, markup, header or function, by the vendor's rules."""
    found = {name: complaints(kind, sent(kind, everywhere(text))) for name, text in CORPUS.items()}

    assert {name: reasons for name, reasons in found.items() if reasons} == {}


@every_kind_for_people
def test_nothing_invisible_is_shown(kind: str) -> None:
    """No control characters, no characters without width or that change the direction, no halves of pairs."""
    found = {name: _invisible(shown(kind, sent(kind, everywhere(text)))) for name, text in CORPUS.items()}

    assert {name: seen for name, seen in found.items() if seen} == {}


@every_kind_for_people
def test_every_word_can_be_read(kind: str) -> None:
    """Escaping removes nothing: a reader sees what was typed, without invisible characters."""
    for text in CORPUS.values():
        if len(text) > 110:  # it may be cut
            continue
        typed = f"begin {text} end"
        seen = shown(kind, sent(kind, message(headline=typed)))

        assert lookalikes(kind, one_line(typed)) in " ".join(seen.split())


def _invisible(text: str) -> set[str]:
    """Return the invisible characters, without line breaks and joiners within emoji."""
    emoji = "\u2190-\u2bff\U0001f000-\U0001faff"
    plain = re.sub(f"[\n\r\t]|(?<=[\ufe0f{emoji}])\u200d(?=[{emoji}])", "", text)
    return {character for character in plain if unicodedata.category(character) in ("Cc", "Cf", "Cs")}


def test_programs_get_it_as_it_came() -> None:
    """Except halves of pairs, which JSON cannot carry. The signature verifies in any case."""
    for text in CORPUS.values():
        read = json.loads(sent("webhook", message(headline=text)).body)
        assert read["data"]["headline"] == text.encode(errors="replace").decode()


@every_kind_for_people
def test_no_caller_can_forge_a_line(kind: str) -> None:
    """A headline, a name, a member or a label is always one line."""
    forged = message(headline=CORPUS["forged message"], members=(CORPUS["forged message"],), facts={"Team": "search"})
    text = shown(kind, sent(kind, forged))

    assert "x 🔴 *Major outage: everything*" in text
    assert not re.search(r"^\s*(🔴 \*Major|Alert: `0000)", text, re.MULTILINE)


@given(
    text=st.text(alphabet=st.sampled_from("a &*\n👩👧🏿\u200d\u0301\ufe0f🇩🇪क\u094dषि漢𝕏"), max_size=60),
    limit=st.integers(8, 40),
)
def test_no_character_is_cut_in_two(text: str, limit: int) -> None:
    """The result has whole characters, as a reader sees them, then the mark, and is never too long."""
    seen = clean(text)
    shortened = cut(seen, limit)

    assert units(shortened) <= limit
    if shortened != seen:
        kept = shortened.removesuffix(CUT)
        characters = list(iter_graphemes(seen))
        assert kept in {"".join(characters[:count]) for count in range(len(characters))}


@given(st.text(max_size=200))
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    """A text may be cleaned any number of times."""
    assert clean(clean(text)) == clean(text)


def test_a_flood_of_accents_is_dammed() -> None:
    """A letter keeps some of them and covers no line above it. Families and flags stay whole."""
    assert len(clean(CORPUS["combining flood"])) < 20
    assert len(clean(CORPUS["joiner flood"])) < 20
    for name in ("families", "flags", "skin", "devanagari", "hangul"):
        assert clean(CORPUS[name]) == CORPUS[name]
