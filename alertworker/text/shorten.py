"""Cuts strings to a number of characters, visibly.

`alertworker.text.sanitize.cut` counts in the units of receivers and cuts between graphemes. This module uses only the
standard library, because a proxy loads it, and finds the graphemes that the standard library knows.
"""

from __future__ import annotations

import hashlib
import unicodedata
from typing import Final

#: Ends a text that was cut.
CUT: Final = "… cut"
#: Ends a name that was cut, where there is no room for a word.
ELLIPSIS: Final = "…"
#: How many hexadecimal digits of the SHA-256 keep a cut id distinct.
DIGITS: Final = 12
#: How far back the search for the start of a grapheme goes; longer ones are a flood of accents.
_LONGEST_CHARACTER: Final = 12
_JOINER: Final = "\u200d"


def shorten(text: str, limit: int, mark: str = CUT) -> str:
    """Return a text of at most ``limit`` characters; a cut text ends with ``mark``.

    >>> shorten("a long story", 10), shorten("a story", 10), shorten("a long story", 8, ELLIPSIS)
    ('a lon… cut', 'a story', 'a long …')
    """
    return text if len(text) <= limit else text[: boundary(text, limit - len(mark))] + mark


def shorten_id(identity: str, limit: int) -> str:
    """Return an id of at most ``limit`` characters; a hash of the whole id keeps cut ids distinct.

    >>> shorten_id("customer-0123456789-0123456789", 24)
    'customer-01…8df509983f24'
    """
    if len(identity) <= limit:
        return identity
    return f"{identity[: boundary(identity, limit - DIGITS - 1)]}{ELLIPSIS}{fingerprint(identity)}"


def fingerprint(text: str) -> str:
    """Return the first `DIGITS` hexadecimal digits of a text's SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]


def boundary(text: str, at: int) -> int:
    """Return the last place up to ``at`` that splits no accent, flag or joined emoji."""
    for place in range(at, max(0, at - _LONGEST_CHARACTER), -1):
        if not _goes_on(text, place):
            return place
    return max(0, at)


def _goes_on(text: str, place: int) -> bool:
    """Return whether the character at a place belongs to the one before it."""
    if not 0 < place < len(text) or (text[place].isascii() and text[place] != "\n"):
        return False
    before, here = text[place - 1], text[place]
    if here == "\n":
        return before == "\r"
    if _JOINER in (here, before) or "\U0001f3fb" <= here <= "\U0001f3ff":
        return True
    if _is_flag(here) and _is_flag(before):
        run = place
        while run > 0 and _is_flag(text[run - 1]) and place - run < 2 * _LONGEST_CHARACTER:
            run -= 1
        return (place - run) % 2 == 1
    return unicodedata.category(here) in ("Mn", "Me", "Mc") or "\U000e0020" <= here <= "\U000e007f"


def _is_flag(letter: str) -> bool:
    return "\U0001f1e6" <= letter <= "\U0001f1ff"
