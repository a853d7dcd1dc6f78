"""Discord webhooks. Messages are Discord's embeds, also for URLs that end in ``/slack``."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated, Final, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import Field, SecretStr, field_validator

from alertworker.alerts.message import Message
from alertworker.channels.base import ChatChannel
from alertworker.channels.chat import Chat, Colours
from alertworker.channels.config import UrlConfig
from alertworker.channels.markdown import escape_discord
from alertworker.channels.plain_text import append_advice, count_of, non_empty
from alertworker.delivery.channel import Answer, Pace
from alertworker.text.sanitize import cut, fit, take_fitting, units
from alertworker.text.shorten import CUT

#: https://discord.com/developers/docs/resources/message#embed-object-embed-limits. The total counts all strings.
MAX_DESCRIPTION, MAX_FIELDS, MAX_VALUE, MAX_TOTAL = 4_096, 25, 1_024, 6_000
#: Four tables of this length leave room for the rest. A field with a value shorter than `_INLINE` is beside others.
_MAX_TABLE, _INLINE = 1_000, 40
_DIGEST: Final = 25  # messages at most
_LEFT_OUT: Final = {"name": "…", "value": CUT, "inline": False}
_CHAT: Final = Chat(
    escape=escape_discord, headline=200, value=300, member=120, entry=70, entries_at_most=_DIGEST, advice=600
)
_COLOURS: Final = Colours(0x2EA043, {"High": 0xD93F0B, "Medium": 0xF2A33C, "Low": 0xE8D44D})


class DiscordConfig(UrlConfig):
    """A Discord webhook. With ``/slack`` at its end it takes Slack's body, in which mentions cannot be forbidden."""

    kind: Literal["discord"] = "discord"
    thread_name: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """Title of the post for each message, which a forum channel needs. A URL with thread_id needs none."""

    @field_validator("url")
    @classmethod
    def _native(cls, url: SecretStr) -> SecretStr:
        """Remove Slack's suffix. Discord reports whether it saved the message if the URL has ``wait=true``."""
        parts = urlsplit(url.get_secret_value())
        query = urlencode(dict(parse_qsl(parts.query)) | {"wait": "true"})
        return SecretStr(urlunsplit(parts._replace(path=parts.path.rstrip("/").removesuffix("/slack"), query=query)))


class Discord(ChatChannel[DiscordConfig]):
    """Sends one embed, in which mentions are forbidden."""

    config_class = DiscordConfig
    hosts = ("discord.com", "discordapp.com")
    litellm_service = "slack"
    #: https://discord.com/developers/docs/topics/rate-limits: answers state the limits. This pace is safe.
    pace = Pace(interval=2.0, burst=5)
    digest_size = _DIGEST

    @append_advice
    def render(self, message: Message) -> str:
        """Return the JSON body. Parts that do not fit are left out, visibly."""
        title, about = _CHAT.title(message), f"{message.type.value} · alert {message.alert_id}"
        description = "\n".join(fit([count_of(message)], _CHAT.entries(message), [], MAX_DESCRIPTION))
        embed = {
            "title": title,
            "description": description,
            "color": _COLOURS.of(message),
            "timestamp": message.at.isoformat(),
            "footer": {"text": about},
            "fields": _fields(message, MAX_TOTAL - sum(map(units, (title, description, about)))),
        } | ({"url": message.page_url} if message.page_url else {})
        thread = non_empty(thread_name=self._config.thread_name)
        return json.dumps({"embeds": [embed], "allowed_mentions": {"parse": []}, **thread}, ensure_ascii=False)

    def send(self, body: str, *, notification_id: str) -> Answer:
        """Make one attempt. Discord's answer repeats the message, which is left out."""
        answer = super().send(body, notification_id=notification_id)
        return replace(answer, text=answer.text.partition(" {")[0])


def _fields(message: Message, room: int) -> list[dict[str, object]]:
    """Return the fields that fit into ``room`` characters. The last one shows if some are left out."""
    tables = ((title, f"```\n{cut(text, _MAX_TABLE)}\n```", False) for title, text in _CHAT.tables(message))
    facts = ((name, value, units(value) < _INLINE) for name, value in _CHAT.facts(message))
    lines = "\n".join(fit([], _CHAT.members(message), [], MAX_VALUE))
    parts = [part for part in (*tables, *facts, ("Occurrences", lines, False)) if part[1]]  # facts before single calls
    taken, is_whole = take_fitting(parts, room - units("…" + CUT), lambda part: units(part[0] + part[1]))
    kept: list[dict[str, object]] = [{"name": name, "value": value, "inline": inline} for name, value, inline in taken]
    return kept if is_whole and len(kept) <= MAX_FIELDS else [*kept[: MAX_FIELDS - 1], _LEFT_OUT]
