"""A message as text, with the lines of LiteLLM's own alerts, by which people filter. In mrkdwn."""

from __future__ import annotations

import re
from itertools import chain
from typing import Final

from alertworker.alerts.message import Message
from alertworker.channels.chat import Chat
from alertworker.channels.mrkdwn import code, escape_line
from alertworker.channels.plain_text import count_of, symbol_of, time_of
from alertworker.text.sanitize import fit

#: LiteLLM's title of the metadata in an alert.
METADATA: Final = "*Alerting Metadata*"
#: Words without any markup, before a colon.
_WORDS: Final = re.compile(r"[A-Za-z0-9 /]+: (?=.)")


def litellm_text(message: Message, chat: Chat, limit: int) -> str:
    """Return the text, in which lines that do not fit are left out, visibly. The alert's id is always there."""
    head = [
        f"Alert type: `{message.type.value}`",
        f"Level: `{message.severity.value}`",
        f"Timestamp: `{time_of(message)}`",
        "",
        f"Message: {_headline(message, chat.headline)} {symbol_of(message)}",
        count_of(message),
    ]
    foot = [*chat.advice_lines(message), f"Alert: `{message.alert_id}`"]
    if message.proxy_url:
        foot.append(f"Proxy URL: `{escape_line(message.proxy_url, chat.value)}`")
    if message.page_url:
        foot.append(f"Page: {escape_line(message.page_url, chat.value)}")
    body = chain(
        (fact_line(name, value, chat) for name, value in message.facts.items() if value),
        chat.entries(message),
        chat.members(message),
        (f"{METADATA}: \n{fact_line(name, value, chat)}" for name, value in message.metadata.items()),
    )
    return "\n".join(fit(head, body, foot, limit))


def fact_line(name: str, value: str, chat: Chat) -> str:
    """Return a fact, or one of the metadata, with its value as code."""
    return f"{escape_line(name, chat.name)}: {code(value, chat.value)}"


def _headline(message: Message, limit: int) -> str:
    """Return the headline as LiteLLM writes it, so that filters match: words before a colon bare, the rest as code."""
    line = escape_line(message.headline, limit)
    words = _WORDS.match(line)
    start = words.end() if words else 0
    return f"{line[:start]}`{line[start:] or ' '}`"
