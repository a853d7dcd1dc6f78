"""Teams: the schema of Adaptive Cards (https://adaptivecards.io/explorer), as far as we use it, and 28 KB."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from markdown_it import MarkdownIt
from pydantic import SecretStr

from alertworker.channels.ms_teams import TeamsConfig
from alertworker.delivery.retry import Reason
from tests.contract.shape import Change, Sent, change_json, keys

ACCEPTS = (202, "")
_FAILED = "Webhook message delivery failed with error: "
_RETURNED = f"{_FAILED}Microsoft Teams endpoint returned HTTP error"
REFUSES = {
    f"{_RETURNED} 429 with ContextId tcid=0,server=x,cv=y": Reason.RATE_LIMITED,
    f"{_RETURNED} 413 with ContextId tcid=0": Reason.PAYLOAD_TOO_LARGE,
    f"{_RETURNED} 403 with ContextId tcid=0": Reason.AUTH_ERROR,
    f"{_RETURNED} 503 with ContextId tcid=0": Reason.SERVER_ERROR,
    f"{_FAILED}Error contacting Microsoft Teams endpoint": Reason.SERVER_ERROR,
}
_MOST = 28 * 1024
#: The parser of the renderer of cards.
_MARKDOWN = MarkdownIt("js-default")
#: The tokens that text may become: no links, nothing hidden, nothing emphasized.
_PLAIN = {"paragraph_open", "paragraph_close", "inline", "text", "softbreak", "hardbreak"}
_CHOICES = {
    "weight": {"Lighter", "Default", "Bolder"},
    "size": {"Small", "Default", "Medium", "Large", "ExtraLarge"},
    "color": {"Default", "Dark", "Light", "Accent", "Good", "Warning", "Attention"},
    "fontType": {"Default", "Monospace"},
    "spacing": {"None", "Small", "Default", "Medium", "Large", "ExtraLarge", "Padding"},
}


def config(url: str) -> TeamsConfig:
    """Return a configuration that sends to a URL."""
    return TeamsConfig(name="ms_teams", url=SecretStr(url))


def complaints(sent: Sent) -> list[str]:
    """Return why Teams would refuse it, or show it in another way than it is meant."""
    return list(_complaints(sent))


def _complaints(sent: Sent) -> Iterator[str]:
    # Without it Teams counts UTF-16: https://learn.microsoft.com/en-us/microsoftteams/platform/bots/how-to/format-your-bot-messages
    if sent.headers["Content-Type"] != "application/json; charset=utf-8":
        yield "no charset"
    # A workflow counts the card as a string in JSON: https://github.com/MicrosoftDocs/msteams-docs/issues/11274
    if (size := len(json.dumps(sent.body, ensure_ascii=False).encode())) > _MOST:
        yield f"{size} bytes"
    body = json.loads(sent.body)
    yield from keys("message", body, {"type", "attachments"})
    if body["type"] != "message" or len(body["attachments"]) != 1:
        yield "no message with one attachment"
    [attachment] = body["attachments"]
    yield from keys("attachment", attachment, {"contentType", "contentUrl", "content"})
    if attachment["contentType"] != "application/vnd.microsoft.card.adaptive":
        yield "content type"
    card = attachment["content"]
    yield from keys("card", card, {"$schema", "type", "version", "body"}, {"msteams", "actions"})
    if card["type"] != "AdaptiveCard" or card["version"] not in ("1.4", "1.5"):
        yield "card type or version"
    yield from _content(card)


def _content(card: dict[str, Any]) -> Iterator[str]:
    if card["version"] == "1.4" and any(element["type"] == "Table" for element in card["body"]):
        yield "a table in a version that has none"
    for element in card["body"]:
        yield from _element(element)
    for action in card.get("actions", []):
        yield from keys("action", action, {"type", "title", "url"})
        if action["type"] != "Action.OpenUrl" or not action["url"].startswith("https://"):
            yield f"action {action}"


def _element(element: dict[str, Any]) -> Iterator[str]:
    if element["type"] == "TextBlock":
        yield from keys("TextBlock", element, {"type", "text"}, {"wrap", "isSubtle", *_CHOICES})
        yield from (
            f"{name} {element[name]!r}" for name, known in _CHOICES.items() if element.get(name, "Default") not in known
        )
        if not element.get("wrap"):
            yield "a TextBlock without wrap, whose end is not shown"
        yield from _text(element["text"])
    elif element["type"] == "FactSet":
        yield from keys("FactSet", element, {"type", "facts"})
        if not element["facts"]:
            yield "an empty FactSet"
        for fact in element["facts"]:
            yield from keys("Fact", fact, {"title", "value"})
            yield from _text(fact["title"])
            yield from _text(fact["value"])
    elif element["type"] == "Table":
        yield from _table(element)
    else:
        yield f"element {element['type']!r}"


def _table(table: dict[str, Any]) -> Iterator[str]:
    """Complain about a table: https://learn.microsoft.com/en-us/adaptive-cards/schema-explorer/table."""
    yield from keys("Table", table, {"type", "columns", "rows", "fallback"}, {"showGridLines"})
    yield from _element(table["fallback"])
    for column in table["columns"]:
        yield from keys("column", column, {"width"}, {"horizontalCellContentAlignment"})
    for row in table["rows"]:
        yield from keys("TableRow", row, {"type", "cells"})
        if len(row["cells"]) != len(table["columns"]):
            yield "a row with other columns"
        for cell in row["cells"]:
            yield from keys("TableCell", cell, {"type", "items"})
            for element in cell["items"]:
                yield from _element(element)


def _text(text: str) -> Iterator[str]:
    if not text.strip():
        yield "an empty text"
    if re.search(r"\{\{|\$\{", text):
        yield f"a function in {text[:60]!r}"
    tokens = _MARKDOWN.parse(text)
    if found := {token.type for top in tokens for token in (top, *(top.children or ()))} - _PLAIN:
        yield f"{found} in {text[:60]!r}"


def shown(sent: Sent) -> str:
    """Return the text that a reader sees."""
    [attachment] = json.loads(sent.body)["attachments"]
    texts = []
    for element in attachment["content"]["body"]:
        facts = [text for fact in element.get("facts", []) for text in (fact["title"], fact["value"])]
        texts += [element["text"]] if "text" in element else facts
    tokens = [token for text in texts for token in _MARKDOWN.parse(text)]
    return "\n".join(
        "".join(child.content or "\n" for child in token.children) if token.children else "" for token in tokens
    )


BROKEN: list[tuple[str, Change]] = [
    ("bytes", change_json(lambda b: b["attachments"][0]["content"]["body"][0].update(text="x" * 28_000))),
    ("bytes", change_json(lambda b: b["attachments"][0]["content"]["body"][0].update(text='"' * 8_000))),
    ("no charset", lambda sent: replace(sent, headers={"Content-Type": "application/json"})),
    ("wrap", change_json(lambda b: b["attachments"][0]["content"]["body"][0].pop("wrap"))),
    (
        "link_open",
        change_json(lambda b: b["attachments"][0]["content"]["body"][0].update(text="[x](https://evil.example)")),
    ),
    ("a function", change_json(lambda b: b["attachments"][0]["content"]["body"][0].update(text="{{DATE(x)}}"))),
    ("element 'Chart'", change_json(lambda b: b["attachments"][0]["content"]["body"].append({"type": "Chart"}))),
    (
        "an empty FactSet",
        change_json(lambda b: b["attachments"][0]["content"]["body"].append({"type": "FactSet", "facts": []})),
    ),
]
