"""What callers type is shown as they typed it and does nothing, wherever it stands; what nobody can see is left out."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import iter_graphemes

from alertworker.alerts.message import Message
from alertworker.text.sanitize import clean, cut, one_line, units
from alertworker.text.shorten import CUT
from tests.contract.cases import message
from tests.contract.corpus import CORPUS
from tests.contract.kinds import CHANNELS, sent
from tests.contract.rules import RULES, SHOWN

#: Programs get every text as it came, to escape it for where they show it.
FOR_PEOPLE = [kind for kind in CHANNELS if kind not in ("webhook", "budget_webhook")]
#: In Slack's text a joiner stands between "@" and the word that would ring everybody.
_OURS = {"slack": "\u2060"}


def everywhere(text: str) -> Message:
    """Make a message in which a text stands wherever one of a caller's can."""
    return message(
        headline=text,
        facts={text: text, "Team": text},
        members=(text, text),
        metadata={text: text, "run": text},
        labels={"model": text, "team": text},
        proxy_url=text,
    )


@pytest.mark.parametrize("kind", [kind for kind in CHANNELS if kind != "budget_webhook"])
def test_its_vendor_takes_it_as_plain_text(kind: str) -> None:
    """No mention, link, style, code, markup, header or function comes of it, by the vendor's own rules."""
    found = {name: RULES[kind](sent(kind, everywhere(text))) for name, text in CORPUS.items()}

    assert {name: complaints for name, complaints in found.items() if complaints} == {}


@pytest.mark.parametrize("kind", FOR_PEOPLE)
def test_nothing_invisible_is_shown(kind: str) -> None:
    """No control character, nothing without width, nothing that turns text around, no half of a pair."""
    found = {name: _invisible(SHOWN[kind](sent(kind, everywhere(text)))) for name, text in CORPUS.items()}

    assert {name: seen - {_OURS.get(kind)} for name, seen in found.items() if seen - {_OURS.get(kind)}} == {}


@pytest.mark.parametrize("kind", ["slack", "discord", "ms_teams", "email"])
def test_every_word_can_be_read(kind: str) -> None:
    """Escaping takes nothing away: a reader sees what was typed, but what nobody can see."""
    for text in CORPUS.values():
        if len(text) > 110:  # it may be cut
            continue
        typed = f"begin {text} end"
        shown = SHOWN[kind](sent(kind, message(headline=typed)))

        assert (one_line(typed).replace("`", "ˋ") if kind == "slack" else one_line(typed)) in shown


def _invisible(shown: str) -> set[str]:
    """Give what cannot be seen, but line breaks, and joiners within emoji."""
    emoji = "\u2190-\u2bff\U0001f000-\U0001faff"
    plain = re.sub(f"[\n\r\t]|(?<=[\ufe0f{emoji}])\u200d(?=[{emoji}])", "", shown)
    return {character for character in plain if unicodedata.category(character) in ("Cc", "Cf", "Cs")}


def test_programs_get_it_as_it_came() -> None:
    """But for halves of pairs, which JSON cannot carry; a signature verifies whatever it is."""
    for text in CORPUS.values():
        read = json.loads(sent("webhook", message(headline=text)).body)
        assert read["data"]["headline"] == text.encode(errors="replace").decode()


@pytest.mark.parametrize("kind", ["slack", "discord", "ms_teams", "email", "console", "apprise"])
def test_nobody_writes_a_line_that_looks_like_ours(kind: str) -> None:
    """A headline, a name, a member or a label is one line, whatever it was."""
    forged = message(headline=CORPUS["forged message"], members=(CORPUS["forged message"],), facts={"Team": "search"})
    shown = SHOWN[kind](sent(kind, forged)) + (json.loads(sent(kind, forged).body)["text"] if kind == "slack" else "")

    assert "x 🔴 *Major outage: everything*" in shown
    assert not re.search(r"^\s*(🔴 \*Major|Alert: `0000)", shown, re.MULTILINE)


@given(
    text=st.text(alphabet=st.sampled_from("a &*\n👩👧🏿\u200d\u0301\ufe0f🇩🇪क\u094dषि漢𝕏"), max_size=60),
    limit=st.integers(8, 40),
)
def test_no_character_is_cut_in_two(text: str, limit: int) -> None:
    """What is left is whole characters, as a reader sees them, with the mark behind; and never too long."""
    seen = clean(text)
    shortened = cut(seen, limit)

    assert units(shortened) <= limit
    if shortened != seen:
        kept = shortened.removesuffix(CUT)
        characters = list(iter_graphemes(seen))
        assert kept in {"".join(characters[:count]) for count in range(len(characters))}


@given(st.text(max_size=200))
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    """So it does not matter how often a text goes through it."""
    assert clean(clean(text)) == clean(text)


def test_a_flood_of_accents_is_dammed() -> None:
    """A letter keeps some, and covers no line above it; families and flags stay whole."""
    assert len(clean(CORPUS["combining flood"])) < 20
    assert len(clean(CORPUS["joiner flood"])) < 20
    for name in ("families", "flags", "skin", "devanagari", "hangul"):
        assert clean(CORPUS[name]) == CORPUS[name]
