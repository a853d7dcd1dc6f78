"""Discord webhooks. Messages are Discord's embeds, also for URLs that end in ``/slack``."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import SecretStr, field_validator

from alertworker.alerts.advice import RUNBOOK, WHAT_TO_DO
from alertworker.alerts.message import Message
from alertworker.channels.base import HttpChannel
from alertworker.channels.config import UrlConfig
from alertworker.channels.plain_text import counted, entry_lines, has_ended, member_lines, named, title, with_advice
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
#: The strings of all embeds of a message together.
MAX_TOTAL: Final = 6_000

_MAX_HEADLINE: Final = 200
_MAX_NAME: Final = 100
#: Four tables of this length leave room for the rest.
_MAX_TABLE: Final = 1_000
_MAX_VALUE: Final = 300
#: A field with a shorter value is shown beside others.
_INLINE: Final = 40
_LEFT_OUT: Final = {"name": "…", "value": CUT}
_MAX_MEMBER: Final = 120
_MAX_ADVICE: Final = 600
_MAX_ENTRY: Final = 70
_COLOURS: Final = {"High": 0xD93F0B, "Medium": 0xF2A33C, "Low": 0xE8D44D}
_GREEN: Final = 0x2EA043
#: https://support.discord.com/hc/en-us/articles/210298617: the characters of Discord's markdown and mentions.
_MARKUP: Final = re.compile(r"([\\`*_~|<>\[\]()#@:])")


class DiscordConfig(UrlConfig):
    """A Discord webhook. Its URL is a secret.

    A URL that ends in ``/slack`` (as on LiteLLM's page) is the same webhook with Slack's body. There a message has
    2,000 characters, no blocks, and no way to forbid mentions. The channel therefore uses Discord's own body.
    """

    kind: Literal["discord"] = "discord"

    @field_validator("url")
    @classmethod
    def _native(cls, url: SecretStr) -> SecretStr:
        """Remove Slack's suffix, and add ``wait=true``: Discord then reports whether it saved the message.

        https://discord.com/developers/docs/resources/webhook#execute-webhook
        """
        parts = urlsplit(url.get_secret_value())
        query = dict(parse_qsl(parts.query)) | {"wait": "true"}
        path = parts.path.rstrip("/").removesuffix("/slack")
        return SecretStr(urlunsplit(parts._replace(path=path, query=urlencode(query))))


class Discord(HttpChannel[DiscordConfig]):
    """Sends one embed, in which mentions are forbidden."""

    config_class = DiscordConfig
    hosts = ("discord.com", "discordapp.com")
    litellm_service = "slack"
    #: https://discord.com/developers/docs/topics/rate-limits: limits are per webhook and must not be hard-coded.
    #: Answers say how much of a limit is left, and the lane waits when nothing is left. 30 a minute are safe.
    pace = Pace(interval=2.0, burst=5)
    digest_size = 25

    def render(self, message: Message) -> str:
        """Return the JSON body."""
        return with_advice(message, self._body)

    def _body(self, message: Message) -> str:
        first = title(message, escape(message.headline, _MAX_HEADLINE))
        about = f"{message.type.value} · alert {message.alert_id}"
        description = _description(message)
        embed: dict[str, Any] = {
            "title": first,
            "description": description,
            "color": _GREEN if has_ended(message) else _COLOURS[message.severity.value],
            "timestamp": message.at.isoformat(),
            "footer": {"text": about},
            "fields": _fields(message, MAX_TOTAL - sum(map(units, (first, description, about)))),
        }
        if message.page_url:
            embed["url"] = message.page_url
        return json.dumps({"embeds": [embed], "allowed_mentions": {"parse": []}}, ensure_ascii=False)

    def send(self, body: str, *, notification_id: str) -> Answer:
        """Make one attempt. Discord's answer repeats the message, which is left out."""
        answer = super().send(body, notification_id=notification_id)
        return replace(answer, text=answer.text.partition(" {")[0])


def escape(text: str, limit: int) -> str:
    """Return a user's string, harmless in markdown, of at most ``limit`` characters. No escape is cut in two."""
    return cut(one_line(text), limit, lambda part: _MARKUP.sub(r"\\\1", part))


def _description(message: Message) -> str:
    lines = entry_lines(message, _MAX_ENTRY, escape)
    lines += member_lines(message, lambda member: f"• {escape(member, _MAX_MEMBER)}")
    return "\n".join(fit([counted(message)], lines, [], MAX_DESCRIPTION))


def _fields(message: Message, room: int) -> list[dict[str, Any]]:
    """Return the fields that fit into ``room`` characters and `MAX_FIELDS`. The last one shows if some are left out."""
    shown = named(message, message.facts_beside_tables)
    fields, advice = _tables(message), _advice(message)
    limit = MAX_FIELDS - len(advice)
    most = limit - len(fields)
    room -= sum(units(field["name"]) + units(field["value"]) for field in (*fields, *advice, _LEFT_OUT))
    for name, value in shown:
        field = {"name": escape(name, _MAX_NAME) or "–", "value": escape(value, _MAX_VALUE) or "–"}
        room -= sum(map(units, field.values()))
        if room < 0 or (len(fields) == limit - 1 and len(shown) > most):
            return [*fields, {**_LEFT_OUT, "inline": False}, *advice]
        fields.append({**field, "inline": units(value) < _INLINE})
    return [*fields, *advice]


def _advice(message: Message) -> list[dict[str, Any]]:
    """Return the field that says what to do, with a link to the runbook."""
    url = (message.runbook_url or "").replace("(", "%28").replace(")", "%29")
    lines = [escape(message.what_to_do, _MAX_ADVICE), f"[{RUNBOOK}]({url})" if url else ""]
    value = cut("\n".join(filter(None, lines)), MAX_FIELD_VALUE)
    return [{"name": WHAT_TO_DO, "value": value, "inline": False}] if value else []


def _tables(message: Message) -> list[dict[str, Any]]:
    """Return the tables as aligned text in blocks of code, where only the end of the block is markdown."""
    texts = [(table.title, aligned(table.head(CHAT_ROWS)).replace("`", "ˋ")) for table in message.tables]
    return [
        {"name": escape(title, _MAX_NAME), "value": f"```\n{cut(text, _MAX_TABLE)}\n```", "inline": False}
        for title, text in texts
    ]
