"""Slack: https://docs.slack.dev/reference/block-kit/blocks and …/messaging/formatting-message-text."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic import SecretStr

from alertworker.channels.slack import SlackConfig
from alertworker.delivery.retry import Reason
from tests.contract.shape import Change, Sent, change_json, keys, length, units

#: The characters of mentions, channels and links. Our messages contain none of them.
_MARKUP = re.compile(r"<|>|@(channel|here|everyone|group)", re.IGNORECASE)
#: Backticks would end our code.
LOOKALIKES = {"`": "ˋ"}
#: Of Slack's Web API, of Feishu and Lark (https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot), and of
#: DingTalk and WeCom (https://developer.work.weixin.qq.com/document/path/91770). Companies run them under other names.
REFUSES = {
    '{"ok":false,"error":"invalid_auth"}': Reason.CLIENT_ERROR,
    '{"code":19024,"msg":"Key Words Not Found","data":{}}': Reason.CLIENT_ERROR,
    '{"errcode":310000,"errmsg":"keywords not in content"}': Reason.CLIENT_ERROR,
    '{"errcode": 93000, "errmsg": "invalid webhook url"}': Reason.CLIENT_ERROR,
}
_ENTITY = re.compile(r"&(?!(amp|lt|gt);)")


def config(url: str) -> SlackConfig:
    """Return a configuration that sends to a URL."""
    return SlackConfig(name="slack", url=SecretStr(url))


def complaints(sent: Sent) -> list[str]:
    """Return why Slack would refuse it, or show it in another way than it is meant."""
    return list(_complaints(json.loads(sent.body)))


def _complaints(body: dict[str, Any]) -> Iterator[str]:
    yield from keys("message", body, {"text", "blocks"})
    yield from length("text", body["text"], 40_000)
    yield from _mrkdwn("text", body["text"])
    if not 1 <= len(body["blocks"]) <= 50:
        yield f"{len(body['blocks'])} blocks"
    for block in body["blocks"]:
        yield from _block(block)
    # Only a maintainer documents this: https://github.com/slackapi/bolt-js/issues/2509.
    if (total := sum(units(text) for block in body["blocks"] for text in _texts(block))) > 12_000:
        yield f"{total} characters in all blocks"


def _block(block: dict[str, Any]) -> Iterator[str]:
    check = {"section": _section, "context": _context, "header": _header, "divider": _divider}
    if block.get("type") not in check:
        yield f"block {block.get('type')!r}"
    else:
        yield from check[block["type"]](block)


def _section(block: dict[str, Any]) -> Iterator[str]:
    yield from keys("section", block, {"type"}, {"text", "fields"})
    if "text" not in block and "fields" not in block:
        yield "section is empty"
    if "text" in block:
        yield from _object("section text", block["text"], 3_000)
    if not 1 <= len(block.get("fields", ["text alone"])) <= 10:
        yield "section has no or more than 10 fields"
    for field in block.get("fields", []):
        yield from _object("section field", field, 2_000)


def _context(block: dict[str, Any]) -> Iterator[str]:
    yield from keys("context", block, {"type", "elements"})
    if not 1 <= len(block["elements"]) <= 10:
        yield "context has no or more than 10 elements"
    for element in block["elements"]:
        yield from _object("context element", element, 3_000)


def _divider(block: dict[str, Any]) -> Iterator[str]:
    yield from keys("divider", block, {"type"})


def _header(block: dict[str, Any]) -> Iterator[str]:
    yield from keys("header", block, {"type", "text"})
    yield from length("header", block["text"]["text"], 150)


def _object(what: str, value: dict[str, Any], most: int) -> Iterator[str]:
    yield from keys(what, value, {"type", "text"}, {"verbatim"})
    if value.get("type") != "mrkdwn":
        yield f"{what} is {value.get('type')!r}"
    yield from length(what, value["text"], most)
    yield from _mrkdwn(what, value["text"])


def _mrkdwn(what: str, text: str) -> Iterator[str]:
    if _MARKUP.search(text):
        yield f"{what} has markup"
    if _ENTITY.search(text):
        yield f"{what} has a bare ampersand, or an entity that was cut in two"
    if text.count("```") % 2 or any(
        line.count("`") % 2 for line in re.sub("```.*?```", "", text, flags=re.DOTALL).split("\n")
    ):
        yield f"{what} has code that does not end"


def shown(sent: Sent) -> str:
    """Return the text that a reader sees in the blocks."""
    text = "\n".join(text for block in json.loads(sent.body)["blocks"] for text in _texts(block))
    return html.unescape(text.replace("@\u2060", "@"))


def _texts(block: dict[str, Any]) -> list[str]:
    objects = [block["text"]] if "text" in block else []
    return [value["text"] for value in (*objects, *block.get("fields", []), *block.get("elements", []))]


BROKEN: list[tuple[str, Change]] = [
    ("51 blocks", change_json(lambda b: b.update(blocks=b["blocks"][:1] * 51))),
    ("section text has 3001", change_json(lambda b: b["blocks"][0]["text"].update(text="x" * 3_001))),
    ("section text has 3002", change_json(lambda b: b["blocks"][0]["text"].update(text="𝕏" * 1_501))),
    ("more than 10 fields", change_json(lambda b: b["blocks"][1].update(fields=b["blocks"][1]["fields"] * 9))),
    (
        "characters in all",
        change_json(
            lambda b: b.update(blocks=[{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2_500}}] * 5)
        ),
    ),
    ("markup", change_json(lambda b: b.update(text="<!channel>"))),
    ("markup", change_json(lambda b: b["blocks"][0]["text"].update(text="@here"))),
    ("code that does not end", change_json(lambda b: b["blocks"][0]["text"].update(text="`x"))),
    ("ampersand", change_json(lambda b: b["blocks"][0]["text"].update(text="x &am… cut"))),
    ("block 'table'", change_json(lambda b: b["blocks"].append({"type": "table"}))),
]
