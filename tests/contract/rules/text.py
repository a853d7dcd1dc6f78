"""A terminal, and whatever is behind Apprise: lines that only we begin, and nothing that is obeyed."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator

from tests.contract.kinds import Sent
from tests.contract.rules.shape import keys, length


def console(sent: Sent) -> list[str]:
    """Say what a terminal would obey, and what would look like a message of its own."""
    first, *rest = sent.body.removesuffix("\n").split("\n")
    found = list(_obeyed(first + "".join(rest)))
    if any(not line.startswith("   ") for line in rest):
        found.append("a line that looks like a message")
    return found


def apprise(sent: Sent) -> list[str]:
    """Say what a service would not show as it is meant."""
    parts = json.loads(sent.body)
    found = [*keys("message", parts, {"title", "body"}), *length("title", parts["title"], 200)]
    found += _obeyed(parts["title"])
    return found + list(_obeyed(parts["body"].replace("\n", "")))


def _obeyed(text: str) -> Iterator[str]:
    if controls := {c for c in text if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")} - {"\t"}:
        yield f"control characters {controls!r}"
