"""Removes what an error quotes, by its shape, where the callback does not see all of the caller's text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from alertworker.integrations.litellm.echoes import MIN_PIECE, hide, weight
from alertworker.text.decode import decodings
from alertworker.text.shorten import CUT

#: Names before a string in which the provider speaks. Of such a string only quoted pieces are removed.
_SPEAKS: Final = "message|msg|errors?|details?|reason|title|description|error_description|status|hint|summary|exception"
#: Names before a caller's text, which is removed however short it is.
_TEXTS: Final = (
    "content|text|inputs?|prompt|instructions|system|query|documents?|parts|arguments|transcript|body|caption"
)
#: A quoted string, with the name before it. A quote before a word opens a string, and a quote after a word closes it.
_QUOTED: Final = re.compile(
    rf"""(?x)
      (?:
        (?P<mark>\\{{0,7}}["'`])?+\b(?i:(?P<speaks>{_SPEAKS})|(?P<text>{_TEXTS}))\b(?(mark)(?P=mark))
        \s{{0,3}}[:=]\s{{0,3}}\[?\s{{0,3}}
      | (?P<raised>(?:Error|Exception)\()
      )?
      (?<![A-Za-z0-9])b?(?P<open>\\{{0,7}}["'`])(?=[^\s,:;.)}}\]])
      (?P<inside>(?:(?!(?<!\\)(?P=open)(?!\w))[\s\S]){{1,2000}}+)(?:(?P=open)|\Z)
    | [“„«「『‘](?P<pair>[^“”„«»「」『』]{{1,2000}})[”“»」』’]"""
)
_HOLDS_JSON: Final = re.compile(r"(?:\s|\\+n)*[{\[]")
#: An unquoted text to the end of its line, and the parts of a form with files.
_INTRODUCED: Final = re.compile(
    r"\b(?i:line|row|record|item|input|content|text|prompt|body|transcript|document|received|got)\b"
    r"(?: ?\#?[0-9]{1,9})?(?: (?i:was|is))?: ?(?P<rest>[^\s{\[\"'`][^\n]*)"
    r"|(?i:content-disposition): ?form-data(?P<form>[\s\S]+)"
)


def remove_quotations(text: str) -> str:
    """Return a text without quoted sentences, and without what follows "line 3: " and the like.

    Quoted words without a blank are mostly names, and stay.
    """
    body = text.removesuffix(CUT)
    hidden = {place for start, end in (*_quotations(body), *_introduced(body)) for place in range(start, end)}
    for plain, places in decodings(body):
        for start, end in (*_quotations(plain), *_introduced(plain)):
            hidden.update(range(places[start], places[end]))
    return hide(text, hidden)


def _quotations(text: str) -> Iterator[tuple[int, int]]:
    at = 0
    while (match := _QUOTED.search(text, at)) is not None:
        group = "pair" if match["pair"] else "inside"
        start, at = match.start(group), match.end()
        if match["speaks"] or match["raised"] or _HOLDS_JSON.match(match[group]):
            at = start  # the quotations within are looked for
        elif match["text"] or _is_sentence(match[group]):
            yield match.span(group)


def _is_sentence(quoted: str) -> bool:
    return weight(quoted) >= MIN_PIECE and (" " in quoted.strip() or not quoted.isascii())


def _introduced(text: str) -> Iterator[tuple[int, int]]:
    for match in _INTRODUCED.finditer(text):
        if match["form"] or _is_sentence(match["rest"]):
            yield match.span(match.lastgroup or 0)
