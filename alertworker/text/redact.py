"""Text without what looks like a secret. Needs the standard library alone: a proxy loads it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final

from alertworker.text.secret_formats import BOT, KEY_HINTS, KEYS, LABEL_HINTS, LABELLED, LONG, SECRET_NAME, is_random
from alertworker.text.shorten import CUT, boundary, fingerprint, shorten

#: Replaces a secret.
REMOVED: Final = "[removed]"
#: Hides the format of a secret: characters without width, percent-encoding, escapes of JSON and Python.
_DISGUISE: Final = re.compile(
    r"%(?P<percent>[2-7][0-9A-Fa-f])|\\u00(?P<json>[2-7][0-9A-Fa-f])|\\x(?P<python>[2-7][0-9A-Fa-f])|\\(?=[/\"'`])"
    "|[\xad\u034f\u061c\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff]"
)
#: How many times a text is decoded: a URL in the query of another URL is encoded twice.
_ROUNDS: Final = 3
#: How many names the cache holds, and how long they are at the most, in characters.
_REMEMBERED: Final = 10_000
_SHORT: Final = 256
#: How much is dropped at the end of a long text without blanks, in characters: more than a password in a URL has.
_LAST_WORD: Final = 600
#: Replaces each character of a secret while the search goes on; no format contains it.
_TAKEN: Final = "]"
_SPACE: Final = re.compile(r"\s")
_DIGIT: Final = re.compile("[0-9]")
#: The query of an address begins behind this.
_ADDRESS: Final = re.compile(r"/\S*\?")
#: What follows "Basic" in a name and is no part of the name.
_GENERATED: Final = re.compile(r"(?=.*[0-9=])[A-Za-z0-9+/]{8,}={0,2}")
#: A number or an amount.
_FIGURE: Final = re.compile(r"[$€£~+-]{0,2}[0-9][0-9.,]*(?:[eE][+-]?[0-9]+)?%?(?:`[^0-9]*)?")
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")

_Span = tuple[int, int]


def without_secrets(text: str, *, sure: bool = False) -> str:
    """Return a text without everything that looks like a secret; ``sure`` keeps long ids, which only may be secrets."""
    return (_redacted if len(text) <= _SHORT else _redacted.__wrapped__)(text, sure)


@lru_cache(_REMEMBERED)
def _redacted(text: str, sure: bool) -> str:  # noqa: FBT001 - a cache knows places, not names
    text = _replaced(text, _certain, lambda _: REMOVED)
    return text if sure else _replaced(text, _resembling, lambda _: REMOVED, disguised=False)


def without_keys(text: str) -> str:
    """Return a text without certain secrets; labelled figures ("output token: 0.002") stay."""
    return _replaced(text, _no_figures, lambda _: REMOVED)


def pseudonymous(identity: str, *, sure: bool = True) -> str:
    """Return an id or a name in which ``secret-`` and 12 digits of its SHA-256 replace each secret.

    So entities whose names are secrets stay distinct. A labelled value is replaced only where it looks generated:
    "Credential: my-azure-east" is a name. Without ``sure`` strings that only resemble a secret are replaced, too.

    >>> pseudonymous("team sk-proj-abcdefgh12345678")
    'team secret-6bffd991d6a3'
    """
    if _UUID.fullmatch(identity):
        return identity
    identity = _replaced(identity, _in_identity, _stand_in)
    return identity if sure else _replaced(identity, _resembling, _stand_in, disguised=False)


@lru_cache(_REMEMBERED)
def _pseudonymous(identity: str) -> str:
    return pseudonymous(identity)


def pseudonym(identity: str) -> str:
    """Return the same as `pseudonymous`, from a cache: a proxy sees the same names again and again."""
    if len(identity) > _SHORT or _UUID.fullmatch(identity):
        return pseudonymous(identity)
    return _pseudonymous(identity)


def within(text: str, limit: int, redact: Callable[[str], str] = without_secrets, mark: str = CUT) -> str:
    """Return a text of any length without secrets and of at most ``limit`` characters; a cut one ends with ``mark``.

    The text is redacted before it is cut, so no piece of a secret stays at its end. Of a long text only four times the
    limit is read, and the last word of that is dropped, since it may be half a secret.
    """
    look = max(4 * limit, 2 * _LAST_WORD)
    if len(text) <= look:
        return shorten(redact(text), limit, mark)
    found = _SPACE.search(text[look : look - _LAST_WORD : -1])
    text = redact(text[: look - (found.start() if found else _LAST_WORD)])
    return text[: boundary(text, min(len(text), limit - len(mark)))] + mark


def names_a_secret(name: str) -> bool:
    """Return whether a value under this name is a secret, whatever it looks like ("api_key", "dbPassword")."""
    return SECRET_NAME.search(name[-200:]) is not None


def _stand_in(secret: str) -> str:
    return f"secret-{fingerprint(secret)}"


def _keys(text: str) -> Iterator[_Span]:
    lower = text.lower()
    if any(hint in lower for hint in KEY_HINTS):
        for match in KEYS.finditer(text):
            yield match.span("sent") if match["sent"] else match.span()
    yield from _bots(text)


def _bots(text: str) -> Iterator[_Span]:
    return (match.span() for match in BOT.finditer(text))


def _certain(text: str) -> Iterator[_Span]:
    yield from _keys(text)
    yield from _labelled(text)


def _labelled(text: str) -> Iterator[_Span]:
    lower = text.lower()
    if not any(hint in lower for hint in LABEL_HINTS):
        return
    for match in LABELLED.finditer(text):
        yield match.span(match.lastgroup or 0)


def _no_figures(text: str) -> Iterator[_Span]:
    return (span for span in _certain(text) if not _FIGURE.fullmatch(text, *span))


def _in_identity(text: str) -> Iterator[_Span]:
    """Yield the secrets in a name, in which a colon, "=" or "&" need not announce a value."""
    lower = text.lower()
    at = 0 if any(hint in lower for hint in KEY_HINTS) else len(text)
    while match := KEYS.search(text, at):
        at = match.end()
        if match["query"] and not _ADDRESS.search(text, 0, match.start()):
            at = text.index("=", match.start()) + 1  # what follows may still be a key
        elif not match["sent"] or match[0][:6].lower() == "bearer" or _GENERATED.fullmatch(match["sent"]):
            yield match.span("sent") if match["sent"] else match.span()
    yield from _bots(text)
    for start, end in _labelled(text):
        value = text[start:end]
        announced = text[start - 1] in "=>\"'`" or text[:start].endswith("=> ")
        if _DIGIT.search(value) and (announced or value.lower() != value != value.upper()):
            yield start, end


def _resembling(text: str) -> Iterator[_Span]:
    for match in LONG.finditer(text):
        if is_random(match[0]):
            yield match.span()


def _replaced(
    text: str, find: Callable[[str], Iterator[_Span]], replace: Callable[[str], str], *, disguised: bool = True
) -> str:
    """Replace all secrets that ``find`` finds in the text or in its decoded form."""
    spans = _found(text, find)
    plain, places = text, list(range(len(text) + 1)) if disguised and _DISGUISE.search(text) else []
    for _ in range(_ROUNDS if disguised else 0):
        if not _DISGUISE.search(plain):
            break
        plain, starts = _plain(plain)
        places = [places[start] for start in starts]
        spans += [(places[start], places[end]) for start, end in _found(plain, find)]
    if not spans:
        return text
    kept: list[str] = []
    at = 0
    for start, end in _merged(spans):
        kept += (text[at:start], replace(text[start:end]))
        at = end
    return "".join((*kept, text[at:]))


def _found(text: str, find: Callable[[str], Iterator[_Span]]) -> list[_Span]:
    """Return the places of all secrets, including a secret that begins right where another ends."""
    spans: list[_Span] = []
    for _ in range(_ROUNDS):
        more = list(find(text))
        if not more:
            break
        spans += more
        at, kept = 0, list[str]()
        for start, end in _merged(more):
            kept += (text[at:start], _TAKEN * (end - start))
            at = end
        text = "".join((*kept, text[at:]))
    return spans


def _merged(spans: list[_Span]) -> Iterator[_Span]:
    """Yield the places in order, overlapping ones as one."""
    spans.sort()
    begin, end = spans[0]
    for start, stop in spans[1:]:
        if start >= end:
            yield begin, end
            begin, end = start, stop
        end = max(end, stop)
    yield begin, end


def _plain(text: str) -> tuple[str, list[int]]:
    """Return the decoded text, and for each of its characters, and its end, the place in the encoded text."""
    pieces: list[str] = []
    starts: list[int] = []
    at = 0
    for match in _DISGUISE.finditer(text):
        pieces.append(text[at : match.start()])
        starts += range(at, match.start())
        digits = match["percent"] or match["json"] or match["python"]
        if digits:
            pieces.append(chr(int(digits, 16)))
            starts.append(match.start())
        at = match.end()
    pieces.append(text[at:])
    starts += range(at, len(text) + 1)
    return "".join(pieces), starts
