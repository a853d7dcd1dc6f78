"""Strings from users, sanitized and cut to size."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from wcwidth import iter_graphemes

from alertworker.text.shorten import CUT

_T = TypeVar("_T")

#: Strings that a terminal obeys: ECMA-48 control sequences, operating system commands that end, and escapes of two
#: characters.
_TERMINAL: Final = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\^_]")


#: Every line ending except a newline.
_BREAKS: Final = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")


#: Control characters except newline and tab; characters without width; marks that change the direction of text; tags,
#: which hide text in text; noncharacters; halves of surrogate pairs, which cannot be encoded; and joiners, except those
#: between the parts of an emoji.
_UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200c\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufdd0-\ufdef\ufeff\uffa0\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
    "|(?<![\u2190-\u2bff\ufe0f\U0001f000-\U0001faff])\u200d|\u200d(?![\u2190-\u2bff\U0001f000-\U0001faff])"
)


#: The largest number of code points in one grapheme. Every emoji and letter has fewer; a flood of accents, which covers
#: the lines above, has more.
_LONGEST_CHARACTER: Final = 12


def clean(text: str) -> str:
    """Remove characters that a reader cannot see, that reverse or cover other text, or that a terminal obeys."""
    seen = _UNSAFE.sub("", _BREAKS.sub("\n", _TERMINAL.sub("", text)))
    if seen.isascii():
        return seen
    return "".join(character[:_LONGEST_CHARACTER].rstrip("\u200d") for character in iter_graphemes(seen))


def one_line(text: str) -> str:
    """Return a cleaned string on one line."""
    return " ".join(clean(text).split())


def units(text: str) -> int:
    """Return the length in UTF-16 code units. No vendor counts a higher length."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, limit: int, escape: Callable[[str], str] = str) -> str:
    """Cut to ``limit`` UTF-16 units, visibly, and only between graphemes.

    ``escape`` escapes each grapheme. Its additions count, and are never cut in two.
    """
    whole = escape(text)
    if units(whole) <= limit:
        return whole
    kept: list[str] = []
    room = limit - units(CUT)
    for character in iter_graphemes(text):
        piece = escape(character)
        room -= units(piece)
        if room < 0:
            break
        kept.append(piece)
    return "".join(kept) + CUT


def pack(lines: Iterable[str], limit: int) -> Iterator[str]:
    """Join whole lines into texts of at most ``limit`` UTF-16 units. A longer line is a text by itself."""
    packed: list[str] = []
    for line in lines:
        if packed and sum(map(units, packed)) + len(packed) + units(line) > limit:
            yield "\n".join(packed)
            packed = []
        packed.append(line)
    if packed:
        yield "\n".join(packed)


def fit(head: list[str], body: Iterable[str], foot: list[str], limit: int) -> list[str]:
    """Omit whole lines of the body, visibly, so that head and foot always fit into ``limit`` UTF-16 units."""
    room = limit - sum(units(line) + 1 for line in (*head, *foot)) - units(CUT) - 1
    kept, is_whole = take_fitting(body, room, lambda line: units(line) + 1)
    return [*head, *kept, *foot] if is_whole else [*head, *kept, CUT, *foot]


def take_fitting(parts: Iterable[_T], room: int, size: Callable[[_T], int]) -> tuple[list[_T], bool]:
    """Return the parts before the first one that does not fit, and whether these are all parts."""
    kept: list[_T] = []
    for part in parts:
        room -= size(part)
        if room < 0:
            return kept, False
        kept.append(part)
    return kept, True
