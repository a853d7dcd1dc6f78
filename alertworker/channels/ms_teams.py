"""Microsoft Teams: an Adaptive Card for the URL of a workflow. URLs of old connectors take the same body."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Final, Literal

from alertworker.alerts.message import Message
from alertworker.alerts.tables import Unit
from alertworker.channels import http
from alertworker.channels.base import HttpChannel
from alertworker.channels.config import UrlConfig
from alertworker.channels.plain_text import counted, entry_lines, has_ended, member_lines, named, stamp, title
from alertworker.channels.text_tables import CHAT_ROWS, cells
from alertworker.delivery.channel import Answer, Pace
from alertworker.text.sanitize import cut, one_line
from alertworker.text.shorten import CUT

#: Teams refuses a body of more than 28 KB:
#: https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook
MAX_BODY: Final = 28 * 1024
#: The limit for our bodies, measured as a workflow does: the card is a string in JSON, with each quotation mark escaped
#: again (https://github.com/MicrosoftDocs/msteams-docs/issues/11274: a body of 24,453 bytes counted as 28,897).
_ROOM: Final = 25 * 1024

_MAX_HEADLINE: Final = 400
_MAX_VALUE: Final = 400
_MAX_MEMBER: Final = 150
_MAX_ENTRY: Final = 70
_MAX_NAME: Final = 100
_MAX_CELL: Final = 40
#: The numbers of rows that are tried for each table, until the card fits.
_ROWS: Final = (CHAT_ROWS, 5, 3)
_COLOURS: Final = {"High": "Attention", "Medium": "Warning", "Low": "Accent"}
#: https://learn.microsoft.com/en-us/adaptive-cards/authoring-cards/text-features: the markdown of cards,
#: and the braces of their date functions.
_MARKUP: Final = re.compile(r"([\\&`*_\[\]()<>{}#~|])")
#: The beginnings of a string that make it a list, a heading or a rule.
_LEADING: Final = re.compile(r"^(\d+(?=[.)](?:\s|$))|(?=[-+=](?:[-+=\s]|$)))")
#: https://github.com/MicrosoftDocs/msteams-docs/issues/1810: "we return 200 with error in the response body".
_REFUSED: Final = re.compile(r"message delivery failed with error(.*returned HTTP error (?P<status>[45]\d\d))?")


class TeamsConfig(UrlConfig):
    """The URL of a workflow or a connector. It is a secret."""

    kind: Literal["ms_teams"] = "ms_teams"


class Teams(HttpChannel[TeamsConfig]):
    """Sends one card."""

    config_class = TeamsConfig
    #: Workflows have URLs of Azure Logic Apps and of Power Automate.
    hosts = ("webhook.office.com", "logic.azure.com", "api.powerplatform.com")
    litellm_service = "slack"
    #: Without a charset Teams reads a body as UTF-16, of which 28 KB are half as much.
    content_type = "application/json; charset=utf-8"
    #: https://learn.microsoft.com/en-us/microsoftteams/platform/bots/how-to/rate-limit: four a second.
    pace = Pace(interval=0.25, burst=2)
    digest_size = 40

    def render(self, message: Message) -> str:
        """Return the JSON body. Parts that do not fit are left out, visibly, the last ones first."""
        for rows in _ROWS if message.tables else ():
            body = _body(message, [*_tables(message, rows), *_rest(_facts(message), _members(message))])
            if _fits(body):
                return body
        lines = message.model_copy(update={"tables": ()})
        facts, members = _facts(lines), _members(lines)
        body = _body(lines, _rest(facts, members))
        while not _fits(body) and (facts or members):
            (members or facts).pop()
            body = _body(lines, [*_rest(facts, members), _text(CUT)])
        return body

    def send(self, body: str, *, notification_id: str) -> Answer:
        """Make one attempt. A connector always answers 200, and says in its text what Teams answered."""
        answer = super().send(body, notification_id=notification_id)
        if said := _REFUSED.search(answer.text):
            http.raise_for_answer(int(said["status"] or 502))
        return answer


def escape(text: str, limit: int) -> str:
    """Return a user's string, harmless in a card's markdown. It is cut to ``limit`` characters before it is escaped."""
    return _LEADING.sub(r"\1\\", _MARKUP.sub(r"\\\1", cut(one_line(text), limit)))


def _head(message: Message) -> list[dict[str, Any]]:
    colour = "Good" if has_ended(message) else _COLOURS[message.severity.value]
    first = title(message, escape(message.headline, _MAX_HEADLINE))
    head = [_text(first, weight="Bolder", size="Medium", color=colour), _text(counted(message), isSubtle=True)]
    if message.entries:
        head.append(_text("\n\n".join(entry_lines(message, _MAX_ENTRY, escape))))
    return head


def _facts(message: Message) -> list[dict[str, str]]:
    return [
        {"title": escape(name, _MAX_NAME) or "–", "value": escape(value, _MAX_VALUE) or "–"}
        for name, value in named(message, message.facts_beside_tables)
    ]


def _members(message: Message) -> list[str]:
    return member_lines(message, lambda member: f"• {escape(member, _MAX_MEMBER)}")


def _rest(facts: list[dict[str, str]], members: list[str]) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = [{"type": "FactSet", "facts": facts}] if facts else []
    return [*blocks, _text("\n\n".join(members))] if members else blocks


def _tables(message: Message, rows: int) -> Iterable[dict[str, Any]]:
    """Return tables of so many rows. Clients without tables show the facts that say the same."""
    for table in message.tables:
        lines = " · ".join(message.facts[name] for name in table.instead_of if name in message.facts)
        texts = [column.unit is Unit.TEXT for column in table.columns]
        heads = [table.title, *(column.name for column in table.columns[1:])]
        body = [row for row, _ in cells(table.head(rows))]
        yield {
            "type": "Table",
            "showGridLines": False,
            "columns": [
                {"width": 2} if text else {"width": 1, "horizontalCellContentAlignment": "Right"} for text in texts
            ],
            "rows": [_row(heads, weight="Bolder"), *map(_row, body)],
            "fallback": _text(escape(lines, _MAX_VALUE) or "–"),
        }


def _row(texts: Iterable[str], **more: str) -> dict[str, Any]:
    shown = (_text(escape(text, _MAX_CELL) or "–", **more) for text in texts)
    return {"type": "TableRow", "cells": [{"type": "TableCell", "items": [text]} for text in shown]}


def _text(text: str, **more: str | bool) -> dict[str, Any]:
    return {"type": "TextBlock", "text": text, "wrap": True, **more}


def _fits(body: str) -> bool:
    return len(json.dumps(body, ensure_ascii=False).encode()) <= _ROOM


def _body(message: Message, blocks: list[dict[str, Any]]) -> str:
    about = f"{escape(message.type.value, _MAX_NAME)} · {stamp(message)}"
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.5" if message.tables else "1.4",
        "msteams": {"width": "Full"},
        "body": [*_head(message), *blocks, _text(f"{about} · alert {message.alert_id}", isSubtle=True, size="Small")],
    }
    if message.page_url:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open the page", "url": message.page_url}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return json.dumps({"type": "message", "attachments": [attachment]}, ensure_ascii=False)
