"""Discord: URLs in its own form, and answers that repeat the message."""

from __future__ import annotations

import json

import pytest
from pydantic import SecretStr

from alertworker.channels import build_channel
from alertworker.channels.discord import DiscordConfig
from alertworker.text.shorten import CUT
from tests.contract.cases import CASES
from tests.contract.kinds import channel_of
from tests.contract.receiver import Server


@pytest.mark.parametrize(
    ("end", "wanted"),
    [
        ("", "?wait=true"),
        ("/slack", "?wait=true"),
        ("/slack/", "?wait=true"),
        ("?thread_id=7", "?thread_id=7&wait=true"),
        ("/slack?wait=false&thread_id=7", "?wait=true&thread_id=7"),
    ],
)
def test_a_url_is_of_discords_own_form_and_asks_for_a_confirmation(end: str, wanted: str) -> None:
    """The URL of Slack's form is the same webhook. A thread is kept. A message that is not saved is an error."""
    address = "https://discord.com/api/webhooks/1/slack-token"

    assert DiscordConfig(name="d", url=SecretStr(address + end)).url.get_secret_value() == address + wanted


def test_the_answer_does_not_repeat_the_message(server: Server) -> None:
    """Discord confirms with the whole message."""
    server.body = b'{"type": 0, "content": "", "embeds": [{"title": "x"}]}'
    channel = build_channel(DiscordConfig(name="d", url=SecretStr(server.url)))

    assert channel.send("{}", notification_id="n1").text == "200"


def test_facts_come_before_single_calls() -> None:
    """Ten ids of calls would push the number of lost calls out of sight."""
    (embed,) = json.loads(channel_of("discord").render(CASES["raised"]))["embeds"]

    assert embed["description"].count("\n") == 0
    names = [field["name"] for field in embed["fields"]]
    assert (names[0], names[-2:]) == ("Calls lost", ["What to do", "Occurrences"])


@pytest.mark.parametrize("kind", ["discord", "ms_teams"])
def test_a_small_digest_cuts_no_headline_that_fits(kind: str) -> None:
    """The limit of a headline is that of the largest digest."""
    body = channel_of(kind).render(CASES["digest"])

    assert "in eastus2" in body
    assert CUT not in body


def test_a_message_for_a_forum_has_the_title_of_its_post() -> None:
    """A forum channel refuses a message without a thread."""
    url = SecretStr("https://discord.com/api/webhooks/1/x")
    forum = build_channel(DiscordConfig(name="d", url=url, thread_name="LLM alerts"))

    assert json.loads(forum.render(CASES["raised"]))["thread_name"] == "LLM alerts"
    assert "thread_name" not in json.loads(build_channel(DiscordConfig(name="d", url=url)).render(CASES["raised"]))
