"""Text from users, made harmless and cut to size; and the plain form of a message that every chat shares."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from alertworker.grouping import spell
from alertworker.messages import Entry, Message, Step

#: What a terminal would obey: ECMA-48 control sequences, operating system commands that end, and two-character escapes.
_TERMINAL: Final = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\^_]")
#: What would end a line where nobody expects it: every form but a newline itself.
_BREAKS: Final = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
#: Control characters but newline and tab; what has no width; what turns the direction of text around; what hides a
#: text within a text (tags); and halves of surrogate pairs, which cannot be encoded.
_UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
CUT: Final = "… cut"

_STEP_SIGNS: Final = {Step.RESOLVED: "🟢", Step.PASSED: "🟢", Step.DIGEST: "📦", Step.TEST: "✅"}
SIGNS: Final = {"High": "🔴", "Medium": "🟠", "Low": "🟡"}


def clean(text: str) -> str:
    """Take out what a reader cannot see, what would turn his text around, and what his terminal would obey."""
    return _UNSAFE.sub("", _BREAKS.sub("\n", _TERMINAL.sub("", text)))


def one_line(text: str) -> str:
    """Clean, and put on one line."""
    return " ".join(clean(text).split())


def cut(text: str, limit: int) -> str:
    """Cut to ``limit`` characters, visibly."""
    return text if len(text) <= limit else text[: max(0, limit - len(CUT))] + CUT


def sign(message: Message | Entry) -> str:
    """Give the sign that tells a message's kind at a glance."""
    return _STEP_SIGNS.get(message.step) or SIGNS[message.severity.value]


def entry_lines(message: Message, limit: int, escape: Callable[[str, int], str] = cut) -> list[str]:
    """Give a digest's lines, one for each message in it; ``escape`` makes a headline harmless within ``limit``."""
    return [
        f"{sign(entry)} {escape(one_line(entry.headline), limit)}{f' ×{entry.count}' if entry.count > 1 else ''}"
        f" [{entry.severity.value}] {entry.alert_id}"
        for entry in message.entries
    ]


def counted(message: Message) -> str:
    """Say how often it happened: since the last message, and in all since when."""
    since = message.since.isoformat(timespec="seconds")
    if message.step is Step.DIGEST:
        return f"{len(message.entries)} messages waited since {since}"
    if message.step is Step.SUMMARY:
        more = f"{message.count} more in {spell(message.at - message.since)}"
        return f"{more}; {message.total} in all since {since}"
    if message.total > 1:
        return f"{message.total} times since {since}"
    return f"Since {since}"
