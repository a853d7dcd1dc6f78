"""A text without its encodings: percent-encoding, escapes of JSON and Python, HTML entities, invisible characters.

Uses only the standard library: a proxy loads this module.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from html.entities import html5
from typing import Final

#: How many times a text is decoded. For example, an HTML page shows an error that has JSON with a URL in a string.
_ROUNDS: Final = 4
_ENCODED: Final = re.compile(
    r"""(?x)
      (?P<percent>%[c-fC-F][0-9A-Fa-f](?:%[89ABab][0-9A-Fa-f]){1,3} | %[0-9A-Fa-f]{2})
    | \\(?:
        (?P<pair>u[dD][89ABab][0-9A-Fa-f]{2}\\u[dD][c-fC-F][0-9A-Fa-f]{2})
      | u(?P<four>[0-9A-Fa-f]{4}) | U(?P<eight>00[01][0-9A-Fa-f]{5}) | u\{(?P<braced>[0-9A-Fa-f]{1,6})\}
      | (?P<bytes>x[c-fC-F][0-9A-Fa-f](?:\\x[89ABab][0-9A-Fa-f]){1,3} | x[0-9A-Fa-f]{2})
      | (?P<octal>[01][0-7]{2})
      | (?P<escape>[\\/"'`bfnrt])
      )
    | &(?:\#[xX](?P<hex>[0-9A-Fa-f]{1,8}) | \#(?P<decimal>[0-9]{1,9}) | (?P<name>[A-Za-z][A-Za-z0-9]{1,30}));
    """
    "| (?P<variant>[\u2010\u2011\u2212\uff0d\uff10-\uff19\uff21-\uff3a\uff3f\uff41-\uff5a])"
    "| [\xad\u034f\u061c\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff]"
)
_ESCAPES: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
#: The characters that are not digits in an encoding of several bytes.
_BYTES: Final = {
    "percent": re.compile("%"), "bytes": re.compile(r"\\?x"), "pair": re.compile(r"\\?u"),
}  # fmt: skip
#: Replaces an invalid character.
_UNKNOWN: Final = "\ufffd"


def decodings(text: str) -> Iterator[tuple[str, list[int]]]:
    """Yield the text decoded once, twice and so on, until nothing is encoded.

    Each comes with the places of its characters, and of its end, in the original text.
    """
    places: list[int] | None = None
    for _ in range(_ROUNDS):
        if not _ENCODED.search(text):
            return
        plain, starts = _decoded(text)
        if plain == text:
            return
        text, places = plain, starts if places is None else [places[start] for start in starts]
        yield text, places


def _decoded(text: str) -> tuple[str, list[int]]:
    pieces: list[str] = []
    starts: list[int] = []
    at = 0
    for match in _ENCODED.finditer(text):
        pieces.append(text[at : match.start()])
        starts += range(at, match.start())
        shown = _character(match)
        pieces.append(shown)
        # An unknown HTML entity stays. Anything else becomes one character or none.
        starts += range(match.start(), match.start() + len(shown))
        at = match.end()
    pieces.append(text[at:])
    starts += range(at, len(text) + 1)
    return "".join(pieces), starts


def _character(match: re.Match[str]) -> str:
    """Return the decoded character. A character without width becomes none."""
    kind, value = match.lastgroup, match[match.lastgroup or 0]
    if kind is None:
        return ""
    if kind == "variant":  # a full-width letter, or another hyphen than that of the keyboard
        return unicodedata.normalize("NFKC", value) if value > "\uff00" else "-"
    if kind == "escape":
        return _ESCAPES.get(value, value)
    if kind == "name":
        return html5.get(f"{value};", match[0])
    if kind in _BYTES:
        return _from_bytes(bytes.fromhex(_BYTES[kind].sub("", value)), "utf-16-be" if kind == "pair" else "utf-8")
    return _from_number(int(value, {"octal": 8, "decimal": 10}.get(kind, 16)))


def _from_bytes(data: bytes, encoding: str) -> str:
    return chr(data[0]) if len(data) == 1 else data.decode(encoding, "replace")


def _from_number(number: int) -> str:
    return chr(number) if number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF else _UNKNOWN
