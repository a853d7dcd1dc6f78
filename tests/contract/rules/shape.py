"""What rules are written with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def units(text: str) -> int:
    """Give the length in UTF-16 code units; a lone surrogate, which nobody takes, is an error."""
    return len(text.encode("utf-16-le")) // 2


def keys(what: str, value: Mapping[str, Any], required: set[str], optional: set[str] = frozenset()) -> Iterator[str]:  # type: ignore[assignment]
    """Complain about keys that are missing or that nobody knows."""
    if missing := required - value.keys():
        yield f"{what} lacks {sorted(missing)}"
    if unknown := value.keys() - required - optional:
        yield f"{what} has {sorted(unknown)}"


def length(what: str, text: Any, most: int, least: int = 1) -> Iterator[str]:
    """Complain about a text that is none, too short or too long."""
    if not isinstance(text, str):
        yield f"{what} is no text"
    elif not least <= units(text) <= most:
        yield f"{what} has {units(text)} characters, not {least} to {most}"
