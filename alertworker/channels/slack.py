"""Slack incoming webhooks, and whatever takes their body (Discord's ``/slack`` addresses, Mattermost)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Final, Literal

from alertworker.channels import http
from alertworker.channels.base import BaseChannel
from alertworker.channels.config import UrlConfig
from alertworker.channels.text import CUT, clean, counted, entry_lines, sign
from alertworker.messages import Message
from alertworker.ports import Pace

#: https://api.slack.com/reference/messaging/payload: the text is best kept under 4,000 characters.
MAX_TEXT: Final = 4_000
#: https://api.slack.com/reference/block-kit/blocks#section: 3,000 characters of text, 10 fields of 2,000.
MAX_SECTION: Final = 3_000
MAX_FIELDS: Final = 10
MAX_FIELD: Final = 500
#: One value in the text: leaves room for all the others, the members and the id.
_MAX_VALUE: Final = 600
_MAX_MEMBER: Final = 150
#: How many long values are sections of their own: a daily report has four, and its notes may be long.
_MAX_LONG: Final = 6
#: A headline in a digest. All its lines must be there: together they stay under the 13,000 characters that Slack was
#: seen to take in all blocks of a message, and the 40,000 of ``text`` (https://api.slack.com/methods/chat.postMessage).
_MAX_ENTRY: Final = 140
_DIGEST_SIZE: Final = 60
_MAX_DIGEST: Final = 40_000
_MAX_HEADLINE: Final = 500

#: https://api.slack.com/reference/surfaces/formatting#escaping: these three, and nothing else, are control characters.
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_MENTION: Final = re.compile(r"@(?=channel|here|everyone|group)", re.IGNORECASE)


class SlackConfig(UrlConfig):
    """A Slack incoming webhook, or any receiver that takes Slack's body. Its address is a secret."""

    kind: Literal["slack"] = "slack"


class Slack(BaseChannel):
    """Sends ``text``, which is complete by itself, and ``blocks``, which look better."""

    kind = "slack"
    #: https://api.slack.com/apis/rate-limits: one message a second for each webhook, short bursts are tolerated.
    pace = Pace(interval=1.0, burst=3)
    digest_size = _DIGEST_SIZE

    def __init__(self, config: SlackConfig) -> None:
        self.name = config.name
        self._config = config

    def render(self, message: Message) -> str:
        """Give the JSON body."""
        return json.dumps({"text": plain(message), "blocks": list(_blocks(message))}, ensure_ascii=False)

    def send(self, body: str, *, notification_id: str) -> str:
        """Make one attempt."""
        headers = {"Content-Type": "application/json", "X-Alertworker-Notification": notification_id}
        return http.post(self._config, body, headers)


def escape(text: str, limit: int) -> str:
    """Make a user's text harmless in mrkdwn, at most ``limit`` characters, never cut inside an entity."""
    text = _MENTION.sub("@\u2060", clean(text).replace("`", "ˋ"))
    escaped = text.translate(_ESCAPES)
    if len(escaped) <= limit:
        return escaped
    pieces: list[str] = []
    room = limit - len(CUT)
    for character in text:
        piece = character.translate(_ESCAPES)
        room -= len(piece)
        if room < 0:
            break
        pieces.append(piece)
    return "".join(pieces) + CUT


def plain(message: Message) -> str:
    """Give the plain form, with the lines of LiteLLM's alerts that people filter by."""
    head = [
        f"Alert type: `{message.type.value}`",
        f"Level: `{message.severity.value}`",
        f"Timestamp: `{message.at.isoformat(timespec='seconds')}`",
        "",
        f"Message: {sign(message)} `{escape(message.headline, _MAX_HEADLINE)}`",
        counted(message),
    ]
    foot = [f"Alert: `{message.alert_id}`"]
    if message.proxy_url:
        foot.append(f"Proxy URL: `{escape(message.proxy_url, _MAX_VALUE)}`")
    body = [f"{escape(name, 100)}: `{escape(value, _MAX_VALUE)}`" for name, value in message.facts.items() if value]
    body += _entries(message)
    body += [f"• {line}" for line in _members(message)]
    body += [
        f"*Alerting Metadata*: \n{escape(name, 100)}: `{escape(value, _MAX_VALUE)}`"
        for name, value in message.metadata.items()
    ]
    return "\n".join(_fit(head, body, foot, _MAX_DIGEST if message.entries else MAX_TEXT))


def _fit(head: list[str], body: list[str], foot: list[str], limit: int) -> list[str]:
    """Leave out whole lines of the body, visibly, so that head and foot always fit."""
    room = limit - sum(len(line) + 1 for line in (*head, *foot)) - len(CUT) - 1
    kept: list[str] = []
    for line in body:
        room -= len(line) + 1
        if room < 0:
            return [*head, *kept, CUT, *foot]
        kept.append(line)
    return [*head, *kept, *foot]


def _entries(message: Message) -> list[str]:
    return entry_lines(message, _MAX_ENTRY, escape)


def _packed(lines: list[str], limit: int) -> Iterable[str]:
    """Pack whole lines into texts of at most ``limit`` characters."""
    packed: list[str] = []
    for line in lines:
        if packed and sum(map(len, packed)) + len(packed) + len(line) > limit:
            yield "\n".join(packed)
            packed = []
        packed.append(line)
    if packed:
        yield "\n".join(packed)


def _members(message: Message) -> Iterable[str]:
    yield from (escape(member, _MAX_MEMBER) for member in message.members)
    if message.members_more:
        yield f"… and {message.members_more} more"


def _blocks(message: Message) -> Iterable[dict[str, Any]]:
    level = f"[{message.severity.value}]"
    headline = f"{sign(message)} *{escape(message.headline, _MAX_HEADLINE)}*   {level}\n{counted(message)}"
    yield _section(headline)
    facts = [(name, value) for name, value in message.facts.items() if value]
    short = [(name, value) for name, value in facts if len(value) <= 100][:MAX_FIELDS]
    if short:
        fields = [_mrkdwn(f"*{escape(name, 100)}*\n{escape(value, MAX_FIELD - 110)}") for name, value in short]
        yield {"type": "section", "fields": fields}
    for name, value in [fact for fact in facts if fact not in short][:_MAX_LONG]:
        yield _section(f"*{escape(name, 100)}*\n```{escape(value, _MAX_VALUE)}```")
    yield from (_section(text) for text in _packed(_entries(message), MAX_SECTION))
    if message.members:
        yield _section("\n".join(_fit([], [f"• {line}" for line in _members(message)], [], MAX_SECTION)))
    if message.metadata:
        lines = [f"{escape(name, 100)}: `{escape(value, _MAX_VALUE)}`" for name, value in message.metadata.items()]
        yield _section("\n".join(_fit(["*Alerting Metadata*"], lines, [], MAX_SECTION)))
    about = f"`{message.type.value}` · {message.at.isoformat(timespec='seconds')} · alert `{message.alert_id}`"
    yield {"type": "context", "elements": [_mrkdwn(about)]}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _mrkdwn(text)}


def _mrkdwn(text: str) -> dict[str, str]:
    return {"type": "mrkdwn", "text": text}
