"""Bodies of every vendor but Slack: within its limits, harmless whatever users typed, with every alert named."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from alertworker.alerts import AlertType, Severity
from alertworker.channels import (
    DiscordConfig,
    EmailConfig,
    PagerDutyConfig,
    TeamsConfig,
    WebhookConfig,
    build_channel,
    recognize,
)
from alertworker.messages import Entry, Message, Step
from alertworker.ports import Channel

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
SECRET = "canaryRoutingKey"
URL = SecretStr("https://receiver.example/x")
NASTY = [
    "@everyone @here <@123> <@&5>",
    "[click](https://evil.example) ||spoiler|| **bold** __u__ ~~s~~",
    "`code` ```block```",
    "# heading\n> quote\r\n- list",
    "\u202egnirts\u202c zero\u200bwidth\ufeff \x00\x07\x1b[31mred",
    "<script>alert(1)</script> & <b>",
    "👩‍👩‍👧‍👦漢字" * 200,
    "a\r\nBcc: victim@example.com",
]


def message(**more: Any) -> Message:
    """Make a message; a test changes what it is about."""
    fields: dict[str, Any] = {
        "alert_id": "01a20a23-7752-7f27-b047-fa4b04cc253c",
        "fingerprint": "f" * 32,
        "type": AlertType.LLM_EXCEPTIONS,
        "severity": Severity.HIGH,
        "step": Step.NOTICE,
        "headline": "LLM API call failed: gpt-4o · APIError 500",
        "at": NOW,
        "since": NOW - timedelta(seconds=5),
        "facts": {"Request Model": "gpt-4o", "Team": "search"},
        "labels": {"model": "gpt-4o", "team": "search"},
        "members": ("call-1 · search",),
    }
    return Message(**fields | more)


def nasty(text: str) -> Message:
    """Make a message in which a user's text stands wherever one can."""
    return message(
        headline=text,
        facts={f"fact {number}": text * 3 for number in range(40)} | {text: text},
        metadata={text: text},
        labels={"model": text, "team": text},
        members=(text,) * 10,
        members_more=7,
    )


def digest(channel: Channel, headline: str) -> Message:
    """Make the largest digest that a channel takes."""
    entries = tuple(
        Entry(
            alert_id=f"{number:08d}-0000-7000-8000-000000000000",
            type=AlertType.LLM_EXCEPTIONS,
            severity=Severity.MEDIUM,
            step=Step.NOTICE,
            headline=headline,
            count=1_000_000,
        )
        for number in range(channel.digest_size)
    )
    return message(step=Step.DIGEST, entries=entries, facts={}, members=(), headline=f"{len(entries)} messages")


def discord(body: str) -> list[str]:
    """Say what Discord would refuse: https://discord.com/developers/docs/resources/message."""
    read = json.loads(body)
    [embed] = read["embeds"]
    texts = [embed["title"], embed["description"], embed["footer"]["text"]]
    texts += [text for field in embed["fields"] for text in (field["name"], field["value"])]
    checks = {
        "mentions": read["allowed_mentions"] == {"parse": []},
        "title": 0 < len(embed["title"]) <= 256,
        "description": 0 < len(embed["description"]) <= 4_096,
        "fields": len(embed["fields"]) <= 25,
        "field": all(0 < len(f["name"]) <= 256 and 0 < len(f["value"]) <= 1_024 for f in embed["fields"]),
        "total": sum(map(len, texts)) <= 6_000,
        "markup": not any(re.search(r"(?<!\\)[`<]", text) for text in texts),
    }
    return [name for name, holds in checks.items() if not holds]


def teams(body: str) -> list[str]:
    """Say what Teams would refuse: the card's form, and 28 KB."""
    read = json.loads(body)
    [attachment] = read["attachments"]
    card = attachment["content"]
    known = {"TextBlock", "FactSet"}
    checks = {
        "size": len(body.encode()) <= 28 * 1024,
        "form": read["type"] == "message" and attachment["contentType"] == "application/vnd.microsoft.card.adaptive",
        "card": card["type"] == "AdaptiveCard" and card["version"] == "1.4",
        "elements": all(element["type"] in known for element in card["body"]),
        "wrap": all(element.get("wrap") for element in card["body"] if element["type"] == "TextBlock"),
        "markup": not any(re.search(r"(?<!\\)[`*]", element.get("text", "")) for element in card["body"]),
    }  # fmt: skip
    return [name for name, holds in checks.items() if not holds]


def pagerduty(body: str) -> list[str]:
    """Say what PagerDuty would refuse: https://developer.pagerduty.com/docs/send-alert-event."""
    read = json.loads(body)
    if read["event_action"] == "resolve":
        return [] if read["dedup_key"] else ["dedup_key"]
    payload = read["payload"]
    checks = {
        "action": read["event_action"] == "trigger",
        "dedup_key": 0 < len(read["dedup_key"]) <= 255,
        "summary": 0 <= len(payload["summary"]) <= 1_024,
        "source": len(payload["source"]) > 0,
        "severity": payload["severity"] in ("critical", "error", "warning", "info"),
        "size": len(body.encode()) <= 512 * 1024,
        "secret": SECRET not in body,
    }
    return [name for name, holds in checks.items() if not holds]


def webhook(body: str) -> list[str]:
    """Say what breaks our own contract."""
    read = json.loads(body)
    return (
        [] if read["version"] == "1" and read["data"]["status"] in ("notice", "firing", "resolved", "test") else ["x"]
    )


def email(body: str) -> list[str]:
    """Say what would break a mail or its reader."""
    read = json.loads(body)
    checks = {
        "subject": "\n" not in read["subject"] and "\r" not in read["subject"] and len(read["subject"]) <= 200,
        "html": "<script" not in read["html"],
    }
    return [name for name, holds in checks.items() if not holds]


VENDORS: list[tuple[Channel, Callable[[str], list[str]]]] = [
    (build_channel(DiscordConfig(name="d", url=URL)), discord),
    (build_channel(TeamsConfig(name="t", url=URL)), teams),
    (build_channel(PagerDutyConfig(name="p", routing_key=SecretStr(SECRET))), pagerduty),
    (build_channel(WebhookConfig(name="w", url=URL)), webhook),
    (build_channel(EmailConfig(name="e", host="127.0.0.1", sender="a@b.example", recipients=("c@d.example",))), email),
]  # fmt: skip
EVERY = pytest.mark.parametrize(("channel", "complaints"), VENDORS, ids=lambda item: getattr(item, "kind", ""))


@EVERY
@pytest.mark.parametrize("step", list(Step))
def test_every_step_is_taken(channel: Channel, complaints: Callable[[str], list[str]], step: Step) -> None:
    """A plain message of every step passes the vendor's rules."""
    assert complaints(channel.render(message(step=step))) == []


@EVERY
@pytest.mark.parametrize("text", NASTY)
def test_whatever_users_type_is_harmless_and_fits(
    channel: Channel, complaints: Callable[[str], list[str]], text: str
) -> None:
    """Also where it stands everywhere and is far too long."""
    assert complaints(channel.render(nasty(text))) == []


@EVERY
@given(text=st.text(max_size=400))
def test_any_text_at_all_is_taken(channel: Channel, complaints: Callable[[str], list[str]], text: str) -> None:
    """Not only what somebody thought of."""
    assert complaints(channel.render(nasty(text))) == []


@pytest.mark.parametrize(
    ("channel", "complaints"),
    [vendor for vendor in VENDORS if vendor[0].digest_size],
    ids=["discord", "teams", "email"],
)
@pytest.mark.parametrize("headline", ["👩‍👩‍👧‍👦" * 100, "`<@everyone>`" * 100, "漢" * 500, "plain words " * 50])
def test_the_largest_digest_fits_and_names_every_alert(
    channel: Channel, complaints: Callable[[str], list[str]], headline: str
) -> None:
    """Cutting takes words, never an alert."""
    made = digest(channel, headline)
    body = channel.render(made)

    assert complaints(body) == []
    assert all(entry.alert_id in body for entry in made.entries)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://hooks.slack.com/services/T0/B0/x", "slack"),
        ("https://discord.com/api/webhooks/1/x", "discord"),
        ("https://discord.com/api/webhooks/1/x/slack", "slack"),
        ("https://contoso.webhook.office.com/webhookb2/x", "ms_teams"),
        ("https://prod-12.westus.logic.azure.com:443/workflows/x", "ms_teams"),
        ("https://abc.environment.api.powerplatform.com/powerautomate/x", "ms_teams"),
        ("https://evil-discord.com/api/webhooks/1/x", None),
        ("https://mattermost.example/hooks/x", None),
        ("not an address", None),
        ("https://[broken", None),
    ],
)
def test_an_address_tells_its_vendor(url: str, kind: str | None) -> None:
    """By its host, and not by what only looks like it."""
    assert recognize(url) == kind
