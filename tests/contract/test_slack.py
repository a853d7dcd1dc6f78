"""Slack's ``text``, which is complete by itself: the lines that people filter by, and the id of every alert."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from alertworker.alerts.message import Message, Step
from alertworker.channels import build_channel
from alertworker.channels.mrkdwn import escape
from alertworker.channels.slack import MAX_TEXT, SlackConfig
from tests.contract.cases import CASES, message
from tests.contract.corpus import CORPUS
from tests.contract.kinds import channel_of, complaints, sent
from tests.contract.receiver import Server
from tests.contract.test_limits import entry


def plain(sent_message: Message) -> str:
    """Return the text of a message's body."""
    text: str = json.loads(channel_of("slack").render(sent_message))["text"]
    return text


def test_the_plain_form_keeps_the_lines_that_people_filter_by() -> None:
    """They are LiteLLM's, except the date and the zone."""
    text = plain(message(metadata={"hello": "world"}, proxy_url="https://proxy.example"))

    assert text.startswith(
        "Alert type: `llm_exceptions`\nLevel: `High`\nTimestamp: `2026-11-23 14:02:11 UTC`\n\n"
        "Message: LLM API call failed: `"
    )
    assert "*Alerting Metadata*: \nhello: `world`" in text
    assert "Proxy URL: `https://proxy.example`" in text
    assert "Alert: `01a20a23-7752-7f27-b047-fa4b04cc253c`" in text


@pytest.mark.parametrize(
    ("headline", "line"),
    [
        ("Minor Service Outage: d1 (gpt-4o)", "Minor Service Outage: `d1 (gpt-4o)` 🔴"),
        ("DB read/write call failed: *x* : y", "DB read/write call failed: `*x* : y` 🔴"),
        ("Requests are hanging - 3s on x: y", "`Requests are hanging - 3s on x: y` 🔴"),
        ("@here now: x", "`@here now: x` 🔴"),
        ("nothing: ", "`nothing:` 🔴"),
        (": x", "`: x` 🔴"),
    ],
)
def test_litellms_text_follows_message_directly(headline: str, line: str) -> None:
    """Words before a colon are bare, where no chat has markup. The rest is code."""
    assert f"\nMessage: {line}\n" in plain(message(headline=headline)).replace("\u2060", "")


def test_a_summary_has_its_count_and_the_total() -> None:
    """Both numbers, and the number of calls that are not named, are in the text."""
    text = plain(message(step=Step.SUMMARY, count=58, total=60, members_more=57))

    assert "58 more in 5 s; 60 in all" in text
    assert "… and 57 more" in text


def test_cutting_is_visible_and_keeps_the_id() -> None:
    """A very long fact loses its end, but the message keeps its foot."""
    for made in (message(facts={f"Fact {number}": "x" * 2_000 for number in range(20)}), CASES["hostile"]):
        text = plain(made)

        assert len(text) <= MAX_TEXT
        assert "… cut" in text
        assert "Alert: `01a20a23-7752-7f27-b047-fa4b04cc253c`" in text.splitlines()


@given(st.text(alphabet="&<>ab", max_size=60), st.integers(8, 40))
def test_no_entity_is_cut_in_two(text: str, limit: int) -> None:
    """Every ampersand begins a whole entity."""
    cut = escape(text, limit)

    assert len(cut) <= limit
    assert re.fullmatch(r"(&(amp|lt|gt);|[^&<>])*", cut)


def test_the_text_of_a_digest_names_every_message() -> None:
    """The text and the blocks have room for as many long headlines as a digest holds."""
    entries = tuple(entry(number, "<!channel> & so on " * 40) for number in range(channel_of("slack").digest_size))
    posted = sent("slack", message(step=Step.DIGEST, entries=entries, facts={}, members=()))
    body = json.loads(posted.body)

    assert complaints("slack", posted) == []
    for one in entries:
        assert one.alert_id in body["text"]
        assert one.alert_id in json.dumps(body["blocks"])


def test_no_caller_can_forge_a_line() -> None:
    """In the text, as in the blocks."""
    forged = CORPUS["forged message"]
    text = plain(message(headline=forged, members=(forged,), facts={"Team": "search"}))

    assert "x 🔴 *Major outage: everything*" in text
    assert not re.search(r"^\s*(🔴 \*Major|Alert: `0000)", text, re.MULTILINE)


def test_times_are_in_the_messages_zone_and_name_it_once() -> None:
    """A row of the previous version names no zone, and a zone that this machine does not know is shown as UTC."""
    for zone, at, since in (
        ("Europe/Berlin", "2026-11-23 15:02:11 CET (Europe/Berlin)", "Since 2026-11-23 15:02:06 CET"),
        (
            "America/Sao_Paulo",
            "2026-11-23 11:02:11 UTC-03:00 (America/Sao_Paulo)",
            "Since 2026-11-23 11:02:06 UTC-03:00",
        ),
        ("Mars/Olympus", "2026-11-23 14:02:11 UTC", "Since 2026-11-23 14:02:06 UTC"),
    ):
        text = plain(message(zone=zone))
        assert f"Timestamp: `{at}`\n" in text
        assert f"\n{since}\n" in text


def test_a_long_list_of_teams_stays_before_the_next_line() -> None:
    """The harm to users comes first, however many teams there are."""
    teams = ", ".join(f"a team with a long name {number} ×9" for number in range(8))
    facts = {"Calls lost": f"72 ({teams})", "Calls saved": "3 by retry", "Attempts": "75 of 75", "Error": "x" * 200}
    blocks = json.dumps(json.loads(channel_of("slack").render(message(facts=facts)))["blocks"])

    places = [blocks.index(f"*{name}*") for name in facts]
    assert places == sorted(places)


def test_google_chat_gets_text_alone() -> None:
    """It refuses a body with ``blocks``, knows no entities, and reads ``<users/all>`` as a mention."""
    config = SlackConfig(name="g", url=SecretStr("https://chat.googleapis.com/v1/spaces/A/messages?key=k&token=t"))
    body = json.loads(build_channel(config).render(message(headline="latency > 5 & <users/all> waits")))

    assert set(body) == {"text"}
    assert len(body["text"]) <= MAX_TEXT
    assert "latency > 5 & <\u2060users/all> waits" in body["text"]
    assert "&amp;" not in body["text"]


@pytest.mark.parametrize(
    "answer", [b"ok", b'{"ok":true}', b'{"errcode":0,"errmsg":"ok"}', b'{"code":0,"msg":"success"}']
)
def test_a_confirmation_in_json_is_no_failure(server: Server, answer: bytes) -> None:
    server.body = answer
    channel = build_channel(SlackConfig(name="s", url=SecretStr(server.url)))

    assert channel.send("{}", notification_id="n1").text.startswith("200")


def test_another_receivers_code_of_success_is_no_failure(server: Server) -> None:
    server.body = b'{"code":200,"msg":"accepted"}'
    channel = build_channel(SlackConfig(name="s", url=SecretStr(server.url)))

    assert channel.send("{}", notification_id="n1").text.startswith("200")
