"""Adaptive Cards (https://adaptivecards.io), which Microsoft Teams and other chats show."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final

from alertworker.alerts.message import Message
from alertworker.alerts.tables import Table, Unit
from alertworker.channels.markdown import escape_card
from alertworker.channels.text_tables import cells

_MAX_CELL: Final = 40


def text_block(text: str, **more: str | bool) -> dict[str, object]:
    """Return an escaped text as a paragraph."""
    return {"type": "TextBlock", "text": text, "wrap": True, **more}


def fact_set(facts: Iterable[tuple[str, str]]) -> dict[str, object]:
    """Return escaped names and values as a list."""
    return {"type": "FactSet", "facts": [{"title": name, "value": value} for name, value in facts]}


def tables_of(message: Message, rows: int, limit: int) -> list[dict[str, object]]:
    """Return the tables of a message, with so many rows. Clients without tables show equal facts."""
    tables = []
    for table in message.tables:
        text = " · ".join(message.facts[name] for name in table.instead_of if name in message.facts)
        tables.append(_table(table.head(rows), escape_card(text, limit) or "–"))
    return tables


def card_of(body: Sequence[dict[str, object]], message: Message) -> dict[str, object]:
    """Return a card of these elements, with buttons that open the message's links. Tables need version 1.5."""
    has_table = any(element["type"] == "Table" for element in body)
    card: dict[str, object] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.5" if has_table else "1.4",
        "msteams": {"width": "Full"},
        "body": list(body),
    }
    links = (("Open the page", message.page_url), ("Open the runbook", message.runbook_url))
    actions = [{"type": "Action.OpenUrl", "title": name, "url": url} for name, url in links if url]
    return card | ({"actions": actions} if actions else {})


def escaped_size(body: str) -> int:
    """Return the bytes of a body as a string in JSON."""
    return len(json.dumps(body, ensure_ascii=False).encode())


def _table(table: Table, fallback: str) -> dict[str, object]:
    texts = [column.unit is Unit.TEXT for column in table.columns]
    heads = [table.title, *(column.name for column in table.columns[1:])]
    right = {"width": 1, "horizontalCellContentAlignment": "Right"}
    return {
        "type": "Table",
        "showGridLines": False,
        "columns": [{"width": 2} if text else right for text in texts],
        "rows": [_row(heads, weight="Bolder"), *(_row(row) for row, _ in cells(table))],
        "fallback": text_block(fallback),
    }


def _row(texts: Iterable[str], **more: str) -> dict[str, object]:
    shown = (text_block(escape_card(text, _MAX_CELL) or "–", **more) for text in texts)
    return {"type": "TableRow", "cells": [{"type": "TableCell", "items": [text]} for text in shown]}
