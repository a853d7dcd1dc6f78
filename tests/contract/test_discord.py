"""Discord: URLs in its own form, and answers that repeat the message."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from alertworker.channels import build_channel
from alertworker.channels.discord import DiscordConfig
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
