"""Slack's body: within Slack's limits, harmless whatever users typed, and with the lines that people filter by."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from alertworker.alerts import AlertType, Severity
from alertworker.channels import SlackConfig, build_channel
from alertworker.channels.slack import escape, plain
from alertworker.messages import Entry, Message, Step

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
SLACK = build_channel(SlackConfig(name="slack-test", url=SecretStr("https://hooks.example/x")))
NASTY = [
    "<!channel> look",
    "<@U123> <http://evil.example|click>",
    "@here @everyone @channel",
    "`code` ```block``` ``",
    "\u202egnirts\u202c \u2066x\u2069",
    "zero\u200bwidth\ufeff",
    "\x1b[31mred\x1b[0m \x00 \x07",
    "&amp; &lt; <b>",
    "👩‍👩‍👧‍👦" * 50,
    "line\nline\nline",
]


def message(**more: Any) -> Message:
    """Make a message; a test changes what it is about."""
    fields: dict[str, Any] = {
        "alert_id": "01a20a23-7752-7f27-b047-fa4b04cc253c",
        "type": AlertType.LLM_EXCEPTIONS,
        "severity": Severity.HIGH,
        "step": Step.NOTICE,
        "headline": "LLM API call failed: gpt-4o · APIError 500",
        "at": NOW,
        "since": NOW - timedelta(seconds=5),
        "facts": {"Request Model": "gpt-4o", "Team": "search"},
        "members": ("call-1 · search",),
    }
    return Message(**fields | more)


def body_of(made: Message) -> dict[str, Any]:
    """Render and read it as Slack does."""
    read: dict[str, Any] = json.loads(SLACK.render(made))
    return read


def complaints(body: dict[str, Any], longest_text: int = 4_000) -> list[str]:
    """Say what Slack would refuse: https://api.slack.com/reference/block-kit/blocks."""
    found = []
    if not 0 < len(body["text"]) <= longest_text:
        found.append(f"text of {len(body['text'])}")
    if len(body["blocks"]) > 50:
        found.append("more than 50 blocks")
    for block in body["blocks"]:
        if block["type"] not in ("section", "context"):
            found.append(f"unknown block {block['type']}")
        texts = [block["text"]] if "text" in block else []
        if any(not 0 < len(text["text"]) <= 3_000 for text in texts):
            found.append("section text")
        fields = block.get("fields", [])
        if len(fields) > 10 or any(not 0 < len(text["text"]) <= 2_000 for text in fields):
            found.append("fields")
        if len(block.get("elements", [])) > 10:
            found.append("elements")
    return found


def test_the_plain_form_keeps_the_lines_that_people_filter_by() -> None:
    """They are LiteLLM's, but for the date and the zone."""
    text = plain(message(metadata={"hello": "world"}, proxy_url="https://proxy.example"))

    assert text.startswith(
        "Alert type: `llm_exceptions`\nLevel: `High`\nTimestamp: `2026-11-23T14:02:11+00:00`\n\nMessage: "
    )
    assert "*Alerting Metadata*: \nhello: `world`" in text
    assert "Proxy URL: `https://proxy.example`" in text
    assert "Alert: `01a20a23-7752-7f27-b047-fa4b04cc253c`" in text


@pytest.mark.parametrize("step", list(Step))
def test_every_step_is_a_body_that_slack_takes(step: Step) -> None:
    """Text and blocks both carry the alert's id."""
    body = body_of(message(step=step, count=58, total=60, members_more=48))

    assert complaints(body) == []
    assert body["text"].count("01a20a23") == 1
    assert "01a20a23" in json.dumps(body["blocks"][-1])


def test_a_summary_says_how_often_and_how_often_in_all() -> None:
    """Both numbers and the rest that is not named are in the text."""
    text = plain(message(step=Step.SUMMARY, count=58, total=60, members_more=57))

    assert "58 more in 5 s; 60 in all" in text
    assert "… and 57 more" in text


@pytest.mark.parametrize("nasty", NASTY)
def test_what_users_type_is_harmless_wherever_it_stands(nasty: str) -> None:
    """No mention rings, no link is made, no code span is broken, nothing is turned around."""
    made = message(headline=nasty, facts={nasty: nasty}, members=(nasty,), metadata={nasty: nasty}, proxy_url=nasty)
    body = body_of(made)
    texts = [body["text"], *re.findall(r'"text": "((?:[^"\\]|\\.)*)"', json.dumps(body["blocks"], ensure_ascii=False))]

    assert complaints(body) == []
    for text in texts:
        assert not re.search(r"<[!@#h]", text)
        assert not re.search(r"@(channel|here|everyone)", text)
        assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\ufeff\x00\x07\x1b]", text)
        assert text.replace("```", "").count("`") % 2 == 0


@given(
    headline=st.text(max_size=3_000),
    facts=st.dictionaries(st.text(min_size=1, max_size=300), st.text(max_size=3_000), max_size=14),
    members=st.lists(st.text(max_size=400), max_size=10),
    metadata=st.dictionaries(st.text(max_size=300), st.text(max_size=2_000), max_size=8),
)
def test_nothing_over_a_limit_is_ever_made(
    headline: str, facts: dict[str, str], members: list[str], metadata: dict[str, str]
) -> None:
    """Whatever comes in, Slack takes the body, and the id is in it."""
    body = body_of(message(headline=headline, facts=facts, members=tuple(members), metadata=metadata))

    assert complaints(body) == []
    assert "01a20a23" in body["text"]


def test_cutting_is_visible_and_keeps_the_id() -> None:
    """A very long fact loses its end, not the message its foot."""
    text = plain(message(facts={f"Fact {number}": "x" * 2_000 for number in range(20)}))

    assert "… cut" in text
    assert text.rstrip().endswith("`01a20a23-7752-7f27-b047-fa4b04cc253c`")


@given(st.text(alphabet="&<>ab", max_size=60), st.integers(8, 40))
def test_no_entity_is_cut_in_two(text: str, limit: int) -> None:
    """Every ampersand begins a whole entity."""
    cut = escape(text, limit)

    assert len(cut) <= limit
    assert re.fullmatch(r"(&(amp|lt|gt);|[^&<>])*", cut)


def test_a_digest_names_every_message_and_stays_within_the_limits() -> None:
    """As many long headlines as a digest holds: all ids are there, in the text and in the blocks."""
    entries = tuple(
        Entry(
            alert_id=f"{number:036d}",
            type=AlertType.LLM_EXCEPTIONS,
            severity=Severity.HIGH,
            step=Step.NOTICE,
            headline="<!channel> & so on " * 40,
            count=1_000_000,
        )
        for number in range(SLACK.digest_size)
    )
    body = body_of(message(step=Step.DIGEST, entries=entries, facts={}, members=()))

    assert complaints(body, longest_text=40_000) == []
    for entry in entries:
        assert entry.alert_id in body["text"]
        assert entry.alert_id in json.dumps(body["blocks"])
    assert len(json.dumps(body["blocks"], ensure_ascii=False)) < 16_000
