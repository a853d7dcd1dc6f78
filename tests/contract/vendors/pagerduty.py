"""PagerDuty's Events API v2: https://developer.pagerduty.com/docs/send-alert-event and its OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pydantic import SecretStr

from alertworker.channels.pagerduty import PagerDutyConfig
from tests.contract.report_cases import REPORT_CASES
from tests.contract.shape import Change, Sent, change_json, keys, length

ROUTING_KEY = "canary0routing0key0of0pagerduty0"
#: A page wakes people, so it gets no reports.
NOT_SENT = {"report", "digest", "tracked", *REPORT_CASES}
ACCEPTS = (202, '{"status": "success"}')
_MOST = 512 * 1024
_PAYLOAD = {"timestamp", "component", "group", "class", "custom_details"}


def config(url: str) -> PagerDutyConfig:
    """Return a configuration that sends to a URL."""
    return PagerDutyConfig(name="pagerduty", routing_key=SecretStr(ROUTING_KEY), url=SecretStr(url))


def complaints(sent: Sent) -> list[str]:
    """Return why PagerDuty would refuse it."""
    return list(_complaints(sent.body))


def _complaints(text: str) -> Iterator[str]:
    if (size := len(text.encode())) > _MOST:
        yield f"{size} bytes"
    event = json.loads(text)
    yield from length("routing_key", event["routing_key"], 32, 32)
    yield from length("dedup_key", event["dedup_key"], 255)
    if event["event_action"] in ("acknowledge", "resolve"):
        yield from keys("event", event, {"routing_key", "event_action", "dedup_key"})
        return
    if event["event_action"] != "trigger":
        yield "event_action"
    optional = {"client", "client_url", "links", "images"}
    yield from keys("event", event, {"routing_key", "event_action", "dedup_key", "payload"}, optional)
    yield from _payload(event["payload"])
    for link in event.get("links", []):
        yield from keys("link", link, {"href"}, {"text"})
        yield from _address(link["href"])
    for image in event.get("images", []):
        yield from keys("image", image, {"src"}, {"href", "alt"})
        if not image["src"].startswith("https://"):
            yield "an image that is not served via HTTPS"
    if "client_url" in event:
        yield from _address(event["client_url"])


def _payload(payload: dict[str, Any]) -> Iterator[str]:
    yield from keys("payload", payload, {"summary", "source", "severity"}, _PAYLOAD)
    yield from length("summary", payload["summary"], 1_024)
    for name in ("source", "component", "group", "class"):
        if name in payload:
            yield from length(name, payload[name], 1_024)
    if payload["severity"] not in ("critical", "error", "warning", "info"):
        yield "severity"
    if datetime.fromisoformat(payload["timestamp"]).tzinfo is None:
        yield "timestamp"
    if not isinstance(payload["custom_details"], dict):
        yield "custom_details"


def _address(address: str) -> Iterator[str]:
    if not address.startswith(("https://", "http://")) or not address.isascii() or " " in address:
        yield f"address {address!r}"


BROKEN: list[tuple[str, Change]] = [
    ("dedup_key has 256", change_json(lambda b: b.update(dedup_key="x" * 256))),
    ("summary has 1025", change_json(lambda b: b["payload"].update(summary="x" * 1_025))),
    ("routing_key has 3", change_json(lambda b: b.update(routing_key="abc"))),
    ("severity", change_json(lambda b: b["payload"].update(severity="High"))),
    ("event_action", change_json(lambda b: b.update(event_action="update"))),
    ("bytes", change_json(lambda b: b["payload"].update(custom_details={"x": "y" * 600_000}))),
    ("via HTTPS", change_json(lambda b: b.update(images=[{"src": "http://x.example/i.png"}]))),
]
