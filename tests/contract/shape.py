"""The parts of vendors' rules: the data that is sent, checks of its parts, and changes that break it."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Sent:
    """The data that goes over the wire: for HTTP the body and its headers, for mail its bytes, else the body."""

    body: str
    headers: Mapping[str, str]


#: A change that makes data break a rule.
Change = Callable[[Sent], Sent]


def units(text: str) -> int:
    """Return the length in UTF-16 code units. A lone surrogate, which no vendor takes, raises an error."""
    return len(text.encode("utf-16-le")) // 2


def keys(what: str, value: Mapping[str, Any], required: set[str], optional: set[str] = frozenset()) -> Iterator[str]:  # type: ignore[assignment]
    """Complain about missing and unknown keys."""
    if missing := required - value.keys():
        yield f"{what} lacks {sorted(missing)}"
    if unknown := value.keys() - required - optional:
        yield f"{what} has {sorted(unknown)}"


def length(what: str, text: Any, most: int, least: int = 1) -> Iterator[str]:
    """Complain about a value that is not a string, or is too short or too long."""
    if not isinstance(text, str):
        yield f"{what} is not a string"
    elif not least <= units(text) <= most:
        yield f"{what} has {units(text)} characters, not {least} to {most}"


def control_characters(text: str) -> Iterator[str]:
    """Complain about characters that a terminal obeys, and halves of surrogate pairs."""
    if controls := {c for c in text if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")} - {"\t"}:
        yield f"control characters {controls!r}"


def strings(value: Any) -> Iterator[str]:
    """Return all strings of a JSON value, keys included, in their order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield name
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def change_json(change: Callable[[Any], object]) -> Change:
    """Return a change of the parsed JSON body."""

    def changed(sent: Sent) -> Sent:
        body = json.loads(sent.body)
        change(body)
        return replace(sent, body=json.dumps(body, ensure_ascii=False))

    return changed


def change_text(old: str, new: str) -> Change:
    """Return a change of the first occurrence of a string in the body."""
    return lambda sent: replace(sent, body=sent.body.replace(old, new, 1))
