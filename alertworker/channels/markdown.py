"""Markdown in the dialects of the chats. Backslashes escape the strings from users."""

from __future__ import annotations

import re
from typing import Final

from alertworker.text.sanitize import cut, one_line

#: https://support.discord.com/hc/en-us/articles/210298617: the characters of Discord's markdown and mentions.
_DISCORD: Final = re.compile(r"([\\`*_~|<>\[\]()#@:])")
#: https://learn.microsoft.com/en-us/adaptive-cards/authoring-cards/text-features: the markdown of cards,
#: and the braces of their date functions.
_CARD: Final = re.compile(r"([\\&`*_\[\]()<>{}#~|])")
#: The beginnings of a string that make it a list, a heading or a rule of a card.
_LEADING: Final = re.compile(r"^(\d+(?=[.)](?:\s|$))|(?=[-+=](?:[-+=\s]|$)))")


def escape_discord(text: str, limit: int) -> str:
    """Return a user's string on one line for Discord, of at most ``limit`` units. No escape is cut in two."""
    return cut(one_line(text), limit, lambda part: _DISCORD.sub(r"\\\1", part))


def link(name: str, url: str) -> str:
    """Return a link to a URL of the operator's."""
    return f"[{name}]({url.replace('(', '%28').replace(')', '%29')})"


def escape_card(text: str, limit: int) -> str:
    """Return a user's string on one line for a card. It is cut to ``limit`` units before it is escaped."""
    return _LEADING.sub(r"\1\\", _CARD.sub(r"\\\1", cut(one_line(text), limit)))
