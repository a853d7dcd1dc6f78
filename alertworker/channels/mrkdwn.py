"""Slack's markup, mrkdwn, and its blocks of text, for all receivers of Slack's body. Lengths are in UTF-16 units."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from alertworker.channels.chat import Chat
from alertworker.text.sanitize import clean, cut, one_line, units

#: https://api.slack.com/reference/surfaces/formatting#escaping: these three are the only control characters.
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
#: A longer value gets a section of its own. A shorter one is cut to this length, escaped.
_SHORT, _MAX_FIELD = 100, 390
_MENTION: Final = re.compile(r"@(?=channel|here|everyone|group)", re.IGNORECASE)


def escape(text: str, limit: int) -> str:
    """Return a user's string of several lines, harmless, of at most ``limit`` units. No entity is cut in two."""
    harmless = _MENTION.sub("@\u2060", clean(text).replace("`", "ˋ"))
    return cut(harmless, limit, lambda part: part.translate(_ESCAPES))


def escape_line(text: str, limit: int) -> str:
    """Return a harmless string on one line, so that no user can write a line that looks like ours."""
    return escape(one_line(text), limit)


def bold(text: str) -> str:
    """Return an escaped string in bold, unless an asterisk in it would end that: mrkdwn cannot escape an asterisk."""
    return text if "*" in text else f"*{text}*"


def code(value: str, limit: int) -> str:
    """Return a user's string as code: a span, or a block if it has several lines."""
    shown = escape(value.strip(), limit)
    return block(shown) if "\n" in shown else f"`{shown or ' '}`"


def block(text: str) -> str:
    """Return an escaped string as a block of code."""
    return f"```{text}```"


def section(part: str | list[str]) -> dict[str, object]:
    """Return a block with a text, or with several texts as its fields."""
    shown = {"text": text_object(part)} if isinstance(part, str) else {"fields": [*map(text_object, part)]}
    return {"type": "section", **shown}


def text_object(text: str) -> dict[str, str]:
    """Return a text within a block."""
    return {"type": "mrkdwn", "text": text}


def size(part: str | list[str]) -> int:
    """Return the length of a section."""
    return units(part) if isinstance(part, str) else sum(map(units, part))


def facts_in_order(
    facts: Mapping[str, str], chat: Chat, *, fields: int, long: int
) -> tuple[list[str | list[str]], bool]:
    """Return facts in order, short neighbours as fields of one section, and whether these are all facts.

    There are ``fields`` short ones and ``long`` long ones at most. A long value gets a section of its own.
    """
    found: list[str | list[str]] = []
    counts = {True: 0, False: 0}
    for name, value in facts.items():
        if not value.strip():
            continue
        is_long, label = len(value) > _SHORT, bold(escape_line(name, chat.name))
        counts[is_long] += 1
        if counts[is_long] > (long if is_long else fields):
            continue
        if is_long:
            found.append(f"{label}\n{block(escape(value, chat.value))}")
            continue
        if not found or isinstance(found[-1], str):
            found.append([])
        found[-1] = [*found[-1], f"{label}\n{escape(value, _MAX_FIELD)}"]
    return found, counts[True] <= long and counts[False] <= fields
