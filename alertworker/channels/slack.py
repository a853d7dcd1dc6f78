"""Slack incoming webhooks, and other receivers that take Slack's body, for example Mattermost."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import chain
from typing import Any, Final, Literal

from alertworker.alerts.message import Message
from alertworker.channels.base import HttpChannel
from alertworker.channels.config import UrlConfig
from alertworker.channels.plain_text import counted, entry_lines, member_lines, sign, stamp
from alertworker.channels.text_tables import CHAT_ROWS, aligned
from alertworker.delivery.channel import Pace
from alertworker.text.sanitize import clean, cut, fit, one_line, pack, units
from alertworker.text.shorten import CUT

#: https://api.slack.com/reference/messaging/payload: a text should have less than 4,000 characters.
MAX_TEXT: Final = 4_000
#: https://api.slack.com/reference/block-kit/blocks#section: 3,000 characters of text, 10 fields of 2,000.
MAX_SECTION: Final = 3_000
MAX_FIELDS: Final = 10
MAX_FIELD: Final = 500
#: The text of all blocks of a message together. Only a maintainer documents it, with "a buffer for block
#: containers": https://github.com/slackapi/bolt-js/issues/2509.
MAX_BLOCKS_TEXT: Final = 12_000
#: One value in the text. It leaves room for the other values, the members and the id.
_MAX_VALUE: Final = 600
_MAX_MEMBER: Final = 150
_MAX_NAME: Final = 100
#: The most long values that get sections of their own. A daily report has four, and its notes may be long.
_MAX_LONG: Final = 6
#: A headline in a digest. All lines of a digest together stay under `MAX_BLOCKS_TEXT`, and under the 40,000 characters
#: of ``text`` (https://api.slack.com/methods/chat.postMessage).
_MAX_ENTRY: Final = 140
_MAX_DIGEST: Final = 40_000
_MAX_HEADLINE: Final = 500
#: Tables are aligned text. Slack accepts one table block for each message ("only_one_table_allowed"), and other
#: receivers of its body accept none.
_MAX_TABLE: Final = 2_800

#: https://api.slack.com/reference/surfaces/formatting#escaping: these three are the only control characters.
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
#: Words without any markup.
_WORDS: Final = re.compile(r"[A-Za-z0-9 /]+: (?=.)")
_MENTION: Final = re.compile(r"@(?=channel|here|everyone|group)", re.IGNORECASE)


class SlackConfig(UrlConfig):
    """A Slack incoming webhook, or any receiver that takes Slack's body. Its URL is a secret."""

    kind: Literal["slack"] = "slack"


class Slack(HttpChannel[SlackConfig]):
    """Sends ``text``, which is complete by itself, and ``blocks``, which look better."""

    config_class = SlackConfig
    hosts = ("hooks.slack.com",)
    #: https://api.slack.com/apis/rate-limits: one message a second for each webhook, short bursts are tolerated.
    pace = Pace(interval=1.0, burst=3)
    digest_size = 50

    def render(self, message: Message) -> str:
        """Return the JSON body."""
        return json.dumps({"text": plain(message), "blocks": _blocks(message)}, ensure_ascii=False)


def escape(text: str, limit: int) -> str:
    """Return a user's string, harmless in mrkdwn, of at most ``limit`` characters. No entity is cut in two."""
    harmless = _MENTION.sub("@\u2060", clean(text).replace("`", "ˋ"))
    return cut(harmless, limit, lambda part: part.translate(_ESCAPES))


def _line(text: str, limit: int) -> str:
    """Return a harmless string on one line, so that no user can write a line that looks like ours."""
    return escape(one_line(text), limit)


def _name(text: str) -> str:
    return _line(text, _MAX_NAME)


def plain(message: Message) -> str:
    """Return the plain form, with the lines of LiteLLM's alerts that people filter by."""
    head = [
        f"Alert type: `{message.type.value}`",
        f"Level: `{message.severity.value}`",
        f"Timestamp: `{stamp(message)}`",
        "",
        f"Message: {_headline(message)} {sign(message)}",
        counted(message),
    ]
    foot = [f"Alert: `{message.alert_id}`"]
    if message.proxy_url:
        foot.append(f"Proxy URL: `{_line(message.proxy_url, _MAX_VALUE)}`")
    if message.page_url:
        foot.append(f"Page: {_line(message.page_url, _MAX_VALUE)}")
    body = chain(
        (f"{_name(name)}: {_code(value)}" for name, value in message.facts.items() if value),
        entry_lines(message, _MAX_ENTRY, escape),
        _members(message),
        (f"*Alerting Metadata*: \n{_name(name)}: {_code(value)}" for name, value in message.metadata.items()),
    )
    return "\n".join(fit(head, body, foot, _MAX_DIGEST if message.entries else MAX_TEXT))


def _headline(message: Message) -> str:
    """Return the headline as LiteLLM writes it, so that filters match: words before a colon bare, the rest as code."""
    line = _line(message.headline, _MAX_HEADLINE)
    words = _WORDS.match(line)
    start = words.end() if words else 0
    return f"{line[:start]}`{line[start:] or ' '}`"


def _bold(text: str) -> str:
    """Return a bold string, unless an asterisk in it would end that: mrkdwn cannot escape an asterisk."""
    return text if "*" in text else f"*{text}*"


def _code(value: str) -> str:
    """Return a value as code: a span, or a block if it has several lines."""
    shown = escape(value.strip(), _MAX_VALUE)
    return f"```{shown}```" if "\n" in shown else f"`{shown or ' '}`"


def _members(message: Message) -> list[str]:
    return [f"• {line}" for line in member_lines(message, lambda member: _line(member, _MAX_MEMBER))]


def _blocks(message: Message) -> list[dict[str, Any]]:
    """Return the blocks. Blocks that do not fit are left out, visibly. The id is always there."""
    headline = _bold(_line(message.headline, _MAX_HEADLINE))
    head = f"{sign(message)} {headline}   [{message.severity.value}]\n{counted(message)}"
    about = f"`{message.type.value}` · {stamp(message)} · alert `{message.alert_id}`"
    if message.page_url:
        about += f" · {_line(message.page_url, _MAX_VALUE)}"
    room = MAX_BLOCKS_TEXT - units(head) - units(about) - units(CUT)
    kept = []
    left_out = False
    for block in _body(message):
        room -= _length(block)
        if room < 0:
            left_out = True
            break
        kept.append(block)
    short, long = _divided(message)
    if left_out or len(short) > MAX_FIELDS or len(long) > _MAX_LONG:
        kept.append(_section(CUT))
    return [_section(head), *kept, {"type": "context", "elements": [_mrkdwn(about)]}]


def _divided(message: Message) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the facts that are fields, and the facts that are too long for a field."""
    facts = [(name, value) for name, value in message.facts_beside_tables.items() if value.strip()]
    return [fact for fact in facts if len(fact[1]) <= 100], [fact for fact in facts if len(fact[1]) > 100]


def _body(message: Message) -> Iterable[dict[str, Any]]:
    for table in message.tables:
        yield _section(f"*{_name(table.title)}*\n```{escape(aligned(table.head(CHAT_ROWS)), _MAX_TABLE)}```")
    short, long = _divided(message)
    if short:
        shown = [f"{_bold(_name(name))}\n{escape(value, MAX_FIELD - 110)}" for name, value in short[:MAX_FIELDS]]
        yield {"type": "section", "fields": [_mrkdwn(text) for text in shown]}
    for name, value in long[:_MAX_LONG]:
        yield _section(f"{_bold(_name(name))}\n```{escape(value, _MAX_VALUE)}```")
    yield from map(_section, pack(entry_lines(message, _MAX_ENTRY, escape), MAX_SECTION))
    if message.members:
        yield _section("\n".join(fit([], _members(message), [], MAX_SECTION)))
    if message.metadata:
        lines = (f"{_name(name)}: {_code(value)}" for name, value in message.metadata.items())
        yield _section("\n".join(fit(["*Alerting Metadata*"], lines, [], MAX_SECTION)))


def _length(block: dict[str, Any]) -> int:
    texts = [block["text"]] if "text" in block else block["fields"]
    return sum(units(text["text"]) for text in texts)


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _mrkdwn(text)}


def _mrkdwn(text: str) -> dict[str, str]:
    return {"type": "mrkdwn", "text": text}
