"""Microsoft Teams: an Adaptive Card, as Workflows take it; old connector addresses take the same body."""

from __future__ import annotations

import json
import re
from typing import Any, Final, Literal

from alertworker.channels import http
from alertworker.channels.base import BaseChannel
from alertworker.channels.config import UrlConfig
from alertworker.channels.text import CUT, counted, cut, entry_lines, one_line, sign
from alertworker.messages import Message, Step
from alertworker.ports import Pace

#: 28 KB for all of it; what is over is refused:
#: https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook
MAX_BODY: Final = 28 * 1024
_ROOM: Final = 24 * 1024

_MAX_HEADLINE: Final = 400
_MAX_VALUE: Final = 400
_MAX_MEMBER: Final = 150
_MAX_ENTRY: Final = 100
_COLOURS: Final = {"High": "Attention", "Medium": "Warning", "Low": "Accent"}
#: https://learn.microsoft.com/en-us/adaptive-cards/authoring-cards/text-features: the markdown that cards understand.
_MARKUP: Final = re.compile(r"([\\`*_\[\]()#>~|])")


class TeamsConfig(UrlConfig):
    """A Workflows or connector address. It is a secret."""

    kind: Literal["ms_teams"] = "ms_teams"


class Teams(BaseChannel):
    """Sends one card."""

    kind = "ms_teams"
    #: https://learn.microsoft.com/en-us/microsoftteams/platform/bots/how-to/rate-limit: four a second.
    pace = Pace(interval=0.25, burst=2)
    digest_size = 40

    def __init__(self, config: TeamsConfig) -> None:
        self.name = config.name
        self._config = config

    def render(self, message: Message) -> str:
        """Give the JSON body; what does not fit is left out, visibly, the last parts first."""
        blocks = list(_blocks(message))
        foot = _text(f"{message.type.value} · {message.at.isoformat(timespec='seconds')} · alert {message.alert_id}")
        body = _body([*blocks, foot])
        while len(body.encode()) > _ROOM and len(blocks) > 2:
            blocks.pop()
            body = _body([*blocks, _text(CUT), foot])
        return body

    def send(self, body: str, *, notification_id: str) -> str:
        """Make one attempt."""
        headers = {"Content-Type": "application/json", "X-Alertworker-Notification": notification_id}
        return http.post(self._config, body, headers)


def escape(text: str, limit: int) -> str:
    """Make a user's text harmless in a card's markdown, at most ``limit`` characters before that."""
    return _MARKUP.sub(r"\\\1", cut(one_line(text), limit))


def _blocks(message: Message) -> list[dict[str, Any]]:
    good = message.step in (Step.RESOLVED, Step.PASSED)
    colour = "Good" if good else _COLOURS[message.severity.value]
    title = f"{sign(message)} {escape(message.headline, _MAX_HEADLINE)} [{message.severity.value}]"
    blocks = [_text(title, weight="Bolder", size="Medium", color=colour), _text(counted(message))]
    if message.entries:
        blocks.append(_text("\n\n".join(entry_lines(message, _MAX_ENTRY, escape))))
    facts = [*message.facts.items(), *message.metadata.items()][:40]
    if facts:
        shown = [{"title": escape(name, 100), "value": escape(value, _MAX_VALUE)} for name, value in facts]
        blocks.append({"type": "FactSet", "facts": shown})
    members = [f"• {escape(member, _MAX_MEMBER)}" for member in message.members]
    if message.members_more:
        members.append(f"… and {message.members_more} more")
    if members:
        blocks.append(_text("\n\n".join(members)))
    return blocks


def _text(text: str, **more: str) -> dict[str, Any]:
    return {"type": "TextBlock", "text": text, "wrap": True, **more}


def _body(blocks: list[dict[str, Any]]) -> str:
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": blocks,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return json.dumps({"type": "message", "attachments": [attachment]}, ensure_ascii=False)
