"""Prints the metadata of a call, a team or a key, which may be any JSON, as short strings without secrets."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from itertools import islice
from typing import Any, Final

from alertworker.events.base import MAX_ITEMS, MAX_NAME, MAX_TEXT
from alertworker.integrations.litellm.coerce import clip, short_id
from alertworker.text.redact import REMOVED, names_a_secret, pseudonymous, within, without_secrets
from alertworker.text.shorten import CUT, ELLIPSIS

#: The bounds of a nested value: levels, items per level, and characters per string.
_LEVELS: Final = 6
_ITEMS: Final = 8
_STRING: Final = 200
#: A shorter value under the name of a secret is a count ("token": 7), not a secret.
_SHORTEST: Final = 4
#: How many parts of a nested value are checked for a secret. A value with more under a secret's name is removed.
_PARTS: Final = 200
#: A header or a variable as a mapping: {"name": "x-api-key", "value": "…"}.
_NAME_FIELDS: Final = ("name", "key", "header")
_VALUE_FIELD: Final = "value"

_PRINTER: Final = reprlib.Repr()
_PRINTER.maxdict = _PRINTER.maxlist = _ITEMS
_PRINTER.maxlevel = _LEVELS + 1
_PRINTER.maxstring = _PRINTER.maxother = 2 * _STRING
#: For objects that are not JSON. It prints enough that no cut falls into the part that is kept.
_WIDE: Final = reprlib.Repr()
_WIDE.maxother = 4 * MAX_TEXT
#: The same names come again and again.
_stand_in: Final = lru_cache(1_000)(partial(pseudonymous, sure=False))


def pick(value: object, only: Iterable[str]) -> dict[str, Any]:
    """Return the items of a mapping that may leave the proxy, unchanged."""
    return {key: value[key] for key in only if key in value} if isinstance(value, Mapping) else {}


def to_strings(value: object, redact: Callable[[str], str] = without_secrets) -> dict[str, str]:
    """Return a mapping with string values, without secrets and visibly cut; an empty one for any other type.

    A value under the name of a secret ("api_key") is removed whatever it looks like, also a nested one. Different
    names stay different.
    """
    if not isinstance(value, Mapping):
        return {}
    items = [
        (key, item) for key, item in list(_named(value).items()) if isinstance(key, str) and key and item is not None
    ]
    shown = items if len(items) <= MAX_ITEMS else items[: MAX_ITEMS - 1]
    kept = {_name(key): _text(key, item, redact) for key, item in shown}
    return kept | ({ELLIPSIS: f"{len(items) - len(shown)} more {CUT}"} if len(items) > len(shown) else {})


def _name(key: str) -> str:
    return clip(short_id(key, _stand_in), MAX_NAME, ELLIPSIS) or ELLIPSIS


def _text(key: str, item: object, redact: Callable[[str], str]) -> str:
    if isinstance(item, (str, bytes)):
        text = _decoded(item)
    elif isinstance(item, (list, tuple)) and all(isinstance(part, str) for part in item):
        text = ", ".join(_pair(item))
    elif isinstance(item, (Mapping, list, tuple, set, frozenset)):
        text = _PRINTER.repr(_without(item))
    else:
        text = str(item) if isinstance(item, (int, float)) else _WIDE.repr(item)
    if _is_secret(key, item):
        return REMOVED
    return clip(within(text, MAX_TEXT, redact), MAX_TEXT) or ""


def _decoded(item: str | bytes) -> str:
    return item if isinstance(item, str) else item.decode(errors="replace")


def _is_secret(key: object, item: object) -> bool:
    """Return whether a value is a secret by its name; a nested value is one if any part of it may be."""
    if isinstance(key, bytes):
        key = _decoded(key)
    return isinstance(key, str) and names_a_secret(key) and _may_be_secret(item, counts="token" in key.lower())


def _may_be_secret(item: object, *, counts: bool) -> bool:
    """Return whether a value under the name of a secret may be one. With ``counts``, numbers are not secrets."""
    parts = [item]
    for number, part in enumerate(parts):
        if number >= _PARTS:
            return True
        if isinstance(part, Mapping):
            parts += islice(part.values(), _PARTS)
        elif isinstance(part, (list, tuple, set, frozenset)):
            parts += islice(part, _PARTS)
        elif part is not None and not isinstance(part, bool):
            text = _decoded(part) if isinstance(part, (str, bytes)) else str(part)
            if len(text) >= _SHORTEST and not (counts and _is_number(text)):
                return True
    return False


def _is_number(text: str) -> bool:
    return text.isascii() and text.replace(".", "", 1).isdigit()


def _pair(items: Sequence[Any]) -> Sequence[Any]:
    """Return a list; of a header and its value (("x-api-key", "…")) without the value."""
    return (items[0], REMOVED) if len(items) == 2 and _is_secret(items[0], items[1]) else items


def _named(items: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """Return a mapping. If it has a header's name and value, leave the value out."""
    named = any(_is_secret(items.get(field), items.get(_VALUE_FIELD)) for field in _NAME_FIELDS)
    return {**items, _VALUE_FIELD: REMOVED} if named else items


def _without(value: object, level: int = _LEVELS) -> object:
    """Return a nested value without secrets, before printing cuts one in two or separates it from its name."""
    if isinstance(value, (str, bytes)):
        return within(_decoded(value), _STRING)
    if value is None or isinstance(value, (int, float)):
        return value
    if isinstance(value, Mapping):
        items = islice(_named(value).items(), _ITEMS + 1) if level else ()
        return {_inner(key): _under(key, item, level - 1) for key, item in items} if level else ELLIPSIS
    if isinstance(value, (list, tuple)):
        value = _pair(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_without(item, level - 1) for item in islice(value, _ITEMS + 1)] if level else ELLIPSIS
    return within(_WIDE.repr(value), _STRING)


def _inner(key: object) -> str:
    return within(str(key), _STRING, _stand_in)


def _under(key: object, item: object, level: int) -> object:
    return REMOVED if _is_secret(key, item) else _without(item, level)
