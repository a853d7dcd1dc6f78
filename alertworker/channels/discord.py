"""Discord webhooks, in embeds of their own, also to addresses that end in ``/slack``."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import SecretStr, field_validator

from alertworker.alerts.message import Message, Step
from alertworker.channels import http
from alertworker.channels.base import BaseChannel
from alertworker.channels.config import UrlConfig
from alertworker.channels.plain_text import counted, entry_lines, named, sign
from alertworker.channels.text_tables import CHAT_ROWS, aligned
from alertworker.delivery.channel import Answer, Pace
from alertworker.text.sanitize import cut, fit, one_line, units
from alertworker.text.shorten import CUT

#: https://discord.com/developers/docs/resources/message#embed-object-embed-limits
MAX_TITLE: Final = 256
MAX_DESCRIPTION: Final = 4_096
MAX_FIELDS: Final = 25
MAX_FIELD_NAME: Final = 256
MAX_FIELD_VALUE: Final = 1_024
#: All texts of all embeds of a message together.
MAX_TOTAL: Final = 6_000

_MAX_HEADLINE: Final = 200
_MAX_NAME: Final = 100
#: Four tables of so much leave room for the rest.
_MAX_TABLE: Final = 1_000
_MAX_VALUE: Final = 300
#: A field with a shorter value stands beside others.
_INLINE: Final = 40
_LEFT_OUT: Final = {"name": "…", "value": CUT}
_MAX_MEMBER: Final = 120
_MAX_ENTRY: Final = 70
_COLOURS: Final = {"High": 0xD93F0B, "Medium": 0xF2A33C, "Low": 0xE8D44D}
_GREEN: Final = 0x2EA043
#: https://support.discord.com/hc/en-us/articles/210298617: what Discord's markdown and mentions are made of.
_MARKUP: Final = re.compile(r"([\\`*_~|<>\[\]()#@:])")


class DiscordConfig(UrlConfig):
    """A Discord webhook. Its address is a secret.

    One that ends in ``/slack`` (as LiteLLM's page has it) is the same webhook in another tongue, in which a message has
    2,000 characters, no blocks, and no way to say that it must ring nobody; so it is spoken to in Discord's own.
    """

    kind: Literal["discord"] = "discord"

    @field_validator("url")
    @classmethod
    def _native(cls, url: SecretStr) -> SecretStr:
        """Take the suffix off, and have the answer come when the message is there: else its loss is no error.

        https://discord.com/developers/docs/resources/webhook#execute-webhook
        """
        parts = urlsplit(url.get_secret_value())
        query = dict(parse_qsl(parts.query)) | {"wait": "true"}
        path = parts.path.rstrip("/").removesuffix("/slack")
        return SecretStr(urlunsplit(parts._replace(path=path, query=urlencode(query))))


class Discord(BaseChannel):
    """Sends one embed, which may ring nobody."""

    kind = "discord"
    #: https://discord.com/developers/docs/topics/rate-limits: limits are per webhook and not to be hard-coded. Answers
    #: say how much of one is left, and the lane waits when nothing is; thirty a minute are safe beside that.
    pace = Pace(interval=2.0, burst=5)
    digest_size = 25

    def __init__(self, config: DiscordConfig) -> None:
        self.name = config.name
        self.pace = config.paced(self.pace)
        self._config = config

    def render(self, message: Message) -> str:
        """Give the JSON body."""
        title = f"{sign(message)} {escape(message.headline, _MAX_HEADLINE)} [{message.severity.value}]"
        about = f"{message.type.value} · alert {message.alert_id}"
        description = _description(message)
        embed: dict[str, Any] = {
            "title": title,
            "description": description,
            "color": _GREEN
            if message.step in (Step.RESOLVED, Step.FIRED_AND_RESOLVED)
            else _COLOURS[message.severity.value],
            "timestamp": message.at.isoformat(),
            "footer": {"text": about},
            "fields": _fields(message, MAX_TOTAL - sum(map(units, (title, description, about)))),
        }
        if message.page_url:
            embed["url"] = message.page_url
        return json.dumps({"embeds": [embed], "allowed_mentions": {"parse": []}}, ensure_ascii=False)

    def send(self, body: str, *, notification_id: str) -> Answer:
        """Make one attempt."""
        headers = {"Content-Type": "application/json", "X-Alertworker-Notification": notification_id}
        answer = http.post(self._config, body, headers)
        return replace(answer, text=answer.text.partition(" {")[0])  # behind that is the message itself


def escape(text: str, limit: int) -> str:
    """Make a user's text harmless in Discord's markdown, at most ``limit`` characters, never cut inside an escape."""
    return cut(one_line(text), limit, lambda part: _MARKUP.sub(r"\\\1", part))


def _description(message: Message) -> str:
    lines = [*entry_lines(message, _MAX_ENTRY, escape)]
    lines += [f"• {escape(member, _MAX_MEMBER)}" for member in message.members]
    if message.members_more:
        lines.append(f"… and {message.members_more} more")
    return "\n".join(fit([counted(message)], lines, [], MAX_DESCRIPTION))


def _fields(message: Message, room: int) -> list[dict[str, Any]]:
    """Give what fits into ``room`` characters and `MAX_FIELDS`; the last one says so where there is more."""
    shown = named(message, message.facts_beside_tables)
    fields = _tables(message)
    most = MAX_FIELDS - len(fields)
    room -= sum(units(field["name"]) + units(field["value"]) for field in (*fields, _LEFT_OUT))
    for name, value in shown:
        field = {"name": escape(name, _MAX_NAME) or "–", "value": escape(value, _MAX_VALUE) or "–"}
        room -= sum(map(units, field.values()))
        if room < 0 or (len(fields) == MAX_FIELDS - 1 and len(shown) > most):
            return [*fields, {**_LEFT_OUT, "inline": False}]
        fields.append({**field, "inline": units(value) < _INLINE})
    return fields


def _tables(message: Message) -> list[dict[str, Any]]:
    """Give tables as aligned text: in a block of code nothing is markdown but its end."""
    texts = [(table.title, aligned(table.head(CHAT_ROWS)).replace("`", "ˋ")) for table in message.tables]
    return [
        {"name": escape(title, _MAX_NAME), "value": f"```\n{cut(text, _MAX_TABLE)}\n```", "inline": False}
        for title, text in texts
    ]
