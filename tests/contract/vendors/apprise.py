"""The services behind Apprise: lines that only we begin, and nothing that a terminal obeys."""

from __future__ import annotations

import json

from pydantic import SecretStr

from alertworker.channels.apprise import AppriseConfig
from tests.contract.shape import Change, Sent, change_json, control_characters, keys, length


def config(url: str) -> AppriseConfig:
    """Return a configuration that sends to a URL, by Apprise's JSON service."""
    return AppriseConfig(name="apprise", url=SecretStr(f"json://{url.partition('//')[2]}"))


def complaints(sent: Sent) -> list[str]:
    """Return what a service would not show as it is meant."""
    parts = json.loads(sent.body)
    found = [*keys("message", parts, {"title", "body"}), *length("title", parts["title"], 200)]
    found += control_characters(parts["title"])
    return found + list(control_characters(parts["body"].replace("\n", "")))


BROKEN: list[tuple[str, Change]] = [
    ("title has 201", change_json(lambda b: b.update(title="x" * 201))),
    ("control", change_json(lambda b: b.update(body="x\x1b[31m"))),
]
