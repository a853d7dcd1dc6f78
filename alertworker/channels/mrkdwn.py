"""Slack's markup, mrkdwn, and its blocks of text, for all receivers of Slack's body. Lengths are in UTF-16 units."""

from __future__ import annotations

import re
from typing import Final

from alertworker.text.sanitize import clean, cut, one_line, units

#: https://api.slack.com/reference/surfaces/formatting#escaping: these three are the only control characters.
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
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
