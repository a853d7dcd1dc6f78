"""A terminal: lines that only we begin, and nothing that it obeys."""

from __future__ import annotations

from alertworker.channels.console import ConsoleConfig
from tests.contract.shape import Change, Sent, change_text, control_characters


def config(_url: str) -> ConsoleConfig:
    """Return the configuration. The terminal has no URL."""
    return ConsoleConfig()


def complaints(sent: Sent) -> list[str]:
    """Return what a terminal would obey, and what would look like a message of its own."""
    first, *rest = sent.body.removesuffix("\n").split("\n")
    found = list(control_characters(first + "".join(rest)))
    if any(not line.startswith("   ") for line in rest):
        found.append("a line that looks like a message")
    return found


BROKEN: list[tuple[str, Change]] = [
    ("control", change_text("34 failed", "34 \x1b[31mfailed")),
    ("looks like a message", change_text("\n   Calls", "\nCalls")),
]
