"""Discord webhooks, in embeds of their own; an address that ends in ``/slack`` takes Slack's body instead."""

from __future__ import annotations

import json
import re
from typing import Any, Final, Literal

from alertworker.channels import http
from alertworker.channels.base import BaseChannel
from alertworker.channels.config import UrlConfig
from alertworker.channels.text import CUT, clean, counted, cut, entry_lines, one_line, sign
from alertworker.messages import Message, Step
from alertworker.ports import Pace

#: https://discord.com/developers/docs/resources/message#embed-object-embed-limits
MAX_TITLE: Final = 256
MAX_DESCRIPTION: Final = 4_096
MAX_FIELDS: Final = 25
MAX_FIELD_NAME: Final = 256
MAX_FIELD_VALUE: Final = 1_024
#: All texts of all embeds of a message together.
MAX_TOTAL: Final = 6_000

_MAX_VALUE: Final = 300
_MAX_MEMBER: Final = 120
_MAX_ENTRY: Final = 70
_COLOURS: Final = {"High": 0xD93F0B, "Medium": 0xF2A33C, "Low": 0xE8D44D}
_GREEN: Final = 0x2EA043
#: https://support.discord.com/hc/en-us/articles/210298617: what Discord's markdown and mentions are made of.
_MARKUP: Final = re.compile(r"([\\`*_~|<>\[\]()#@:])")


class DiscordConfig(UrlConfig):
    """A Discord webhook. Its address is a secret."""

    kind: Literal["discord"] = "discord"


class Discord(BaseChannel):
    """Sends one embed, which may ring nobody."""

    kind = "discord"
    #: https://discord.com/developers/docs/topics/rate-limits: limits are per webhook and not to be hard-coded; thirty a
    #: minute are safe, and what it says beyond that is obeyed.
    pace = Pace(interval=2.0, burst=5)
    digest_size = 25

    def __init__(self, config: DiscordConfig) -> None:
        self.name = config.name
        self._config = config

    def render(self, message: Message) -> str:
        """Give the JSON body."""
        embed: dict[str, Any] = {
            "title": cut(f"{sign(message)} {escape(message.headline, 200)} [{message.severity.value}]", MAX_TITLE),
            "description": _description(message),
            "color": _GREEN if message.step in (Step.RESOLVED, Step.PASSED) else _COLOURS[message.severity.value],
            "timestamp": message.at.isoformat(),
            "footer": {"text": f"{message.type.value} · alert {message.alert_id}"},
        }
        room = MAX_TOTAL - len(embed["title"]) - len(embed["description"]) - len(embed["footer"]["text"])
        fields = []
        for name, value in [*message.facts.items(), *message.metadata.items()][:MAX_FIELDS]:
            shown = {"name": escape(name, 100) or "–", "value": escape(value, _MAX_VALUE) or "–"}
            room -= sum(map(len, shown.values()))
            if room < 0:
                break
            fields.append(shown | {"inline": len(value) < 40})
        body = {"embeds": [embed | {"fields": fields}], "allowed_mentions": {"parse": []}}
        return json.dumps(body, ensure_ascii=False)

    def send(self, body: str, *, notification_id: str) -> str:
        """Make one attempt."""
        headers = {"Content-Type": "application/json", "X-Alertworker-Notification": notification_id}
        return http.post(self._config, body, headers)


def escape(text: str, limit: int) -> str:
    """Make a user's text harmless in Discord's markdown, at most ``limit`` characters, never cut inside an escape."""
    pieces = [_MARKUP.sub(r"\\\1", character) for character in one_line(clean(text))]
    if sum(map(len, pieces)) <= limit:
        return "".join(pieces)
    kept = ""
    for piece in pieces:
        if len(kept) + len(piece) > limit - len(CUT):
            break
        kept += piece
    return kept + CUT


def _description(message: Message) -> str:
    lines = [counted(message), *entry_lines(message, _MAX_ENTRY, escape)]
    lines += [f"• {escape(member, _MAX_MEMBER)}" for member in message.members]
    if message.members_more:
        lines.append(f"… and {message.members_more} more")
    return cut("\n".join(lines), MAX_DESCRIPTION)
