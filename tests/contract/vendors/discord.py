"""Discord: https://discord.com/developers/docs/resources/webhook#execute-webhook and …/message#embed-object."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pydantic import SecretStr

from alertworker.channels.discord import DiscordConfig
from tests.contract.shape import Change, Sent, change_json, keys, length, units

ACCEPTS = (204, "")
#: An unescaped character that makes markdown or a mention.
_MARKUP = re.compile(r"(?<!\\)(?:\\\\)*[`<>*_~|#@\[\]]")
_RUNBOOK = re.compile(r"\n?\[Runbook\]\(https?://[^\s()]+\)\Z")
_CODE = re.compile(r"\A```\n[^`]*\n```\Z")


def config(url: str) -> DiscordConfig:
    """Return a configuration that sends to a URL."""
    return DiscordConfig(name="discord", url=SecretStr(url))


def complaints(sent: Sent) -> list[str]:
    """Return why Discord would refuse it, or whom it would notify."""
    return list(_complaints(json.loads(sent.body)))


def _complaints(body: dict[str, Any]) -> Iterator[str]:
    yield from keys("message", body, {"embeds", "allowed_mentions"}, {"content"})
    if body.get("allowed_mentions") != {"parse": []}:
        yield "mentions are allowed"
    if "content" in body:
        yield from length("content", body["content"], 2_000)
    if not 1 <= len(body["embeds"]) <= 10:
        yield f"{len(body['embeds'])} embeds"
    total = 0
    for embed in body["embeds"]:
        yield from _embed(embed)
        total += sum(units(text) for text in _texts(embed))
    if total > 6_000:
        yield f"{total} characters in all embeds"


def _embed(embed: dict[str, Any]) -> Iterator[str]:
    yield from keys(
        "embed", embed, {"title", "description", "color", "timestamp", "footer"}, {"fields", "url", "image"}
    )
    yield from length("title", embed["title"], 256)
    yield from length("description", embed["description"], 4_096)
    yield from length("footer", embed["footer"]["text"], 2_048)
    if not 0 <= embed["color"] <= 0xFFFFFF:
        yield "color"
    if datetime.fromisoformat(embed["timestamp"]).tzinfo is None:
        yield "timestamp without a zone"
    if len(embed.get("fields", [])) > 25:
        yield f"{len(embed['fields'])} fields"
    for field in embed.get("fields", []):
        yield from keys("field", field, {"name", "value"}, {"inline"})
        yield from length("field name", field["name"].strip(), 256)
        yield from length("field value", field["value"].strip(), 1_024)
    # Our own markup is the level in the title and the link to the runbook. A footer has no markdown.
    for text in _texts(embed | {"footer": {"text": ""}}):
        # In a block of code only its end is markup.
        if found := _MARKUP.search(_CODE.sub("", _RUNBOOK.sub("", re.sub(r" \[(High|Medium|Low)\]", "", text)))):
            yield f"{found[0]!r} in {text[:60]!r}"


def shown(sent: Sent) -> str:
    """Return the text that a reader sees."""
    texts = [text for embed in json.loads(sent.body)["embeds"] for text in _texts(embed)]
    return re.sub(r"\\([^0-9A-Za-z\s])", r"\1", "\n".join(texts))


def _texts(embed: dict[str, Any]) -> list[str]:
    fields = [text for field in embed.get("fields", []) for text in (field["name"], field["value"])]
    return [embed["title"], embed["description"], embed["footer"]["text"], *fields]


BROKEN: list[tuple[str, Change]] = [
    ("mentions", change_json(lambda b: b.pop("allowed_mentions"))),
    ("title has 257", change_json(lambda b: b["embeds"][0].update(title="x" * 257))),
    ("description has 4097", change_json(lambda b: b["embeds"][0].update(description="x" * 4_097))),
    ("26 fields", change_json(lambda b: b["embeds"][0].update(fields=[{"name": "n", "value": "v"}] * 26))),
    ("field value has 0", change_json(lambda b: b["embeds"][0].update(fields=[{"name": "n", "value": " "}]))),
    ("in all embeds", change_json(lambda b: b.update(embeds=[b["embeds"][0] | {"description": "x" * 900}] * 10))),
    ("11 embeds", change_json(lambda b: b.update(embeds=b["embeds"] * 11))),
    ("'@'", change_json(lambda b: b["embeds"][0].update(title="@everyone"))),
    ("`", change_json(lambda b: b["embeds"][0].update(title="\\\\`x"))),
]
