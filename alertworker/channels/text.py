"""Text from users, made harmless and cut to size; and the plain form of a message that every chat shares."""

from __future__ import annotations

import re
from typing import Final

from alertworker.grouping import spell
from alertworker.messages import Message, Step

#: Control characters but newline and tab; zero-width characters; and what turns the direction of text around.
_UNSAFE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")
CUT: Final = "… cut"

SIGNS: Final = {"High": "🔴", "Medium": "🟠", "Low": "🟡"}


def clean(text: str) -> str:
    """Take out what a reader cannot see or what would turn his text around."""
    return _UNSAFE.sub("", text)


def cut(text: str, limit: int) -> str:
    """Cut to ``limit`` characters, visibly."""
    return text if len(text) <= limit else text[: max(0, limit - len(CUT))] + CUT


def sign(message: Message) -> str:
    """Give the sign that tells a message's kind at a glance."""
    if message.step is Step.RESOLVED:
        return "🟢"
    return "✅" if message.step is Step.TEST else SIGNS[message.severity.value]


def counted(message: Message) -> str:
    """Say how often it happened: since the last message, and in all since when."""
    since = message.since.isoformat(timespec="seconds")
    if message.step is Step.SUMMARY:
        more = f"{message.count} more in {spell(message.at - message.since)}"
        return f"{more}; {message.total} in all since {since}"
    if message.total > 1:
        return f"{message.total} times since {since}"
    return f"Since {since}"
