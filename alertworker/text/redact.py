"""Removes what looks like a secret from a text. Uses only the standard library: a proxy loads this module."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final

from alertworker.text.decode import decodings
from alertworker.text.secret_formats import ADDRESSES, BOT, HEX, KEY_HINTS, KEYS, LONG, QUERIES, UUID, is_random
from alertworker.text.secret_names import SECRET_NAME
from alertworker.text.secret_values import announced, mentioned
from alertworker.text.shorten import CUT, boundary, fingerprint, shorten

#: Replaces a secret.
REMOVED: Final = "[removed]"
#: In the first searches, keys that touch each other are found one by one. The second number is the maximum of searches.
_ONE_BY_ONE: Final = 3
_SEARCHES: Final = 12
#: The characters that keys can consist of.
_GLUED: Final = re.compile(r"[\w.~+/*=|:-]*")
#: How many names the cache holds, and how long they are, in characters at most.
_REMEMBERED: Final = 10_000
_SHORT: Final = 256
#: How many characters are dropped at the end of a long text without blanks: more than a password in a URL has.
_LAST_WORD: Final = 600
#: Replaces each character of a secret while the search goes on; no format contains it.
_TAKEN: Final = "]"
_SPACE: Final = re.compile(r"\s")
_DIGIT: Final = re.compile("[0-9]")
#: The characters before the query of an address.
_ADDRESS: Final = re.compile(r"/[^\s?/]*\?")
#: Characters that follow "Basic" and are not part of a name.
_GENERATED: Final = re.compile(r"(?=.*[0-9=])[A-Za-z0-9+/]{8,}={0,2}")
#: A number or an amount.
_FIGURE: Final = re.compile(r"[$€£~+-]{0,2}[0-9][0-9.,]*(?:[eE][+-]?[0-9]+)?%?(?:`[^0-9]*)?")
#: The start of a credential's SHA-256, and the name before it.
_DIGEST: Final = re.compile(r"[0-9a-f]{12}(?: \(the start of the key.{1,6}s SHA-256\))?(?:(?:`|\\n).*|[^0-9A-Za-z]*)")
_CREDENTIAL: Final = re.compile(r"(?i)credential\W{1,8}\Z")
_UUID: Final = re.compile(UUID)
#: A hexadecimal value, a UUID, or several of them. It is generated, although it has no upper-case letter.
_GENERATED_HEX: Final = re.compile("[0-9a-f:-]{20,}")

_Span = tuple[int, int]


def without_secrets(text: str, *, sure: bool = False) -> str:
    """Return a text without what looks like a secret. With ``sure``, long ids stay: they may or may not be secrets."""
    return (_redacted if len(text) <= _SHORT else _redacted.__wrapped__)(text, sure)


@lru_cache(_REMEMBERED)
def _redacted(text: str, sure: bool) -> str:  # noqa: FBT001 - a cache knows places, not names
    text = _replaced(text, _certain, lambda _: REMOVED)
    return text if sure else _replaced(text, _resembling, lambda _: REMOVED, disguised=False)


def without_certain_secrets(text: str) -> str:
    """Return a text without certain secrets. The digest by which events and alerts name a credential stays."""
    return _replaced(text, _no_digests, lambda _: REMOVED)


def without_keys(text: str) -> str:
    """Return a text without certain secrets. Labelled figures ("output token: 0.002") stay."""
    return _replaced(text, _no_figures, lambda _: REMOVED)


def pseudonymous(identity: str, *, sure: bool = True) -> str:
    """Return an id or a name in which ``secret-`` and 12 digits of its SHA-256 replace each secret.

    So entities whose names are secrets stay distinct. A labelled value is replaced only if it looks generated:
    "Credential: my-azure-east" is a name. Without ``sure``, every labelled value is replaced, and every string that
    only resembles a secret.

    >>> pseudonymous("team sk-proj-abcdefgh12345678")
    'team secret-6bffd991d6a3'
    """
    if _UUID.fullmatch(identity):
        return identity
    identity = _replaced(identity, _in_identity if sure else _certain, _stand_in)
    return identity if sure else _replaced(identity, _resembling, _stand_in, disguised=False)


@lru_cache(_REMEMBERED)
def _pseudonymous(identity: str) -> str:
    return pseudonymous(identity)


def pseudonym(identity: str) -> str:
    """Return the result of `pseudonymous`, from a cache: a proxy sees the same names again and again."""
    if len(identity) > _SHORT or _UUID.fullmatch(identity):
        return pseudonymous(identity)
    return _pseudonymous(identity)


def within(text: str, limit: int, redact: Callable[[str], str] = without_secrets, mark: str = CUT) -> str:
    """Return a text without secrets, of at most ``limit`` characters. A text that was cut ends with ``mark``.

    The text is redacted before it is cut, so no piece of a secret stays at its end. Of a long text only four times the
    limit is read, and the last word of that is dropped, since it may be half a secret.
    """
    scanned = max(4 * limit, 2 * _LAST_WORD)
    if len(text) <= scanned:
        return shorten(redact(text), limit, mark)
    found = _SPACE.search(text[scanned : scanned - _LAST_WORD : -1])
    text = redact(text[: scanned - (found.start() if found else _LAST_WORD)])
    return text[: boundary(text, min(len(text), limit - len(mark)))] + mark


def names_a_secret(name: str) -> bool:
    """Return whether a value under this name is a secret, whatever it looks like ("api_key", "dbPassword")."""
    return SECRET_NAME.search(name[-200:]) is not None


def _stand_in(secret: str) -> str:
    return f"secret-{fingerprint(secret)}"


def _keys(text: str) -> Iterator[_Span]:
    lower = text.lower()
    if any(hint in lower for hint in KEY_HINTS):
        for pattern in (ADDRESSES, QUERIES, KEYS):
            for match in pattern.finditer(text):
                yield match.span(match.lastgroup or 0)
    yield from _bots(text)


def _bots(text: str) -> Iterator[_Span]:
    return (match.span() for match in BOT.finditer(text))


def _certain(text: str) -> Iterator[_Span]:
    yield from _keys(text)
    yield from announced(text)


def _no_figures(text: str) -> Iterator[_Span]:
    return (span for span in _certain(text) if not _FIGURE.fullmatch(text, *span))


def _no_digests(text: str) -> Iterator[_Span]:
    for start, end in _certain(text):
        if not (_DIGEST.fullmatch(text, start, end) and _CREDENTIAL.search(text, max(0, start - 20), start)):
            yield start, end


def _in_identity(text: str) -> Iterator[_Span]:
    """Yield the secrets in a name. In names, a colon, "=" or "&" need not announce a value."""
    if any(hint in text.lower() for hint in KEY_HINTS):
        for match in _keys_of_identity(text):
            sent = match[match.lastgroup] if match.lastgroup == "sent" else None
            if sent is None or match[0][:6].lower() == "bearer" or _GENERATED.fullmatch(sent):
                yield match.span(match.lastgroup or 0)
    yield from _bots(text)
    for start, end in announced(text):
        value = text[start:end]
        is_assigned = text[start - 1] in "=>→\"'`" or text[max(start - 2, 0) : start] in ("> ", "→ ")
        looks_generated = value.lower() != value != value.upper() or _GENERATED_HEX.fullmatch(value)
        if _DIGIT.search(value) and (is_assigned or looks_generated):
            yield start, end


def _keys_of_identity(text: str) -> Iterator[re.Match[str]]:
    """Yield the keys in a name. "?" and "&" begin the query of an address only behind an address."""
    yield from ADDRESSES.finditer(text)
    yield from KEYS.finditer(text)
    address = _ADDRESS.search(text)
    if address is not None:
        yield from QUERIES.finditer(text, address.end())


def _resembling(text: str) -> Iterator[_Span]:
    yield from mentioned(text)
    for match in LONG.finditer(text):
        keys = list(HEX.finditer(match[0]))
        if keys and not is_random(HEX.sub("", match[0])):  # the rest is a path, which stays readable
            yield from ((match.start() + key.start(), match.start() + key.end()) for key in keys)
        elif is_random(match[0]):
            yield match.span()


def _replaced(
    text: str, find: Callable[[str], Iterator[_Span]], replace: Callable[[str], str], *, disguised: bool = True
) -> str:
    """Replace all secrets that ``find`` finds in the text or in its decoded form."""
    spans = _found(text, find)
    for plain, places in decodings(text) if disguised else ():
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
    """Return the places of all secrets. One secret may begin where another ends.

    Each search finds one more of several keys that touch each other. After a few searches, the rest of such a string
    counts as one secret.
    """
    spans: list[_Span] = []
    for search in range(_SEARCHES):
        more = list(find(text))
        if not more:
            break
        if search >= _ONE_BY_ONE:
            more = [(start, _end_of_glued(text, end)) for start, end in more]
        spans += more
        at, kept = 0, list[str]()
        for start, end in _merged(more):
            kept += (text[at:start], _TAKEN * (end - start))
            at = end
        text = "".join((*kept, text[at:]))
    return spans


def _end_of_glued(text: str, place: int) -> int:
    found = _GLUED.match(text, place)
    return place if found is None else found.end()


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
