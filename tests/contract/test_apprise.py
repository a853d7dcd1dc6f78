"""Apprise, with one of its generic services on loopback: what arrives, and that no URL is shown."""

from __future__ import annotations

import json
import logging

import pytest
from pydantic import SecretStr, ValidationError

from alertworker.alerts.message import Step
from alertworker.channels.apprise import AppriseConfig
from alertworker.delivery.retry import DeliveryError, Reason
from tests.contract.cases import message
from tests.contract.corpus import CORPUS
from tests.contract.kinds import SECRET, channel_to, config_to
from tests.contract.receiver import Server


@pytest.mark.parametrize("step", list(Step))
def test_title_and_text_arrive(server: Server, step: Step) -> None:
    """They have the parts that every message has."""
    channel = channel_to("apprise", server.url)
    assert channel.send(channel.render(message(step=step)), notification_id="n1").text == "taken by Apprise"

    [body] = [json.loads(post) for post in server.received]
    assert body["title"].endswith("[High]")
    assert "Team: search" in body["message"]
    assert message().alert_id in body["message"]


@pytest.mark.parametrize("text", CORPUS.values(), ids=list(CORPUS))
def test_every_input_of_users_stays_on_its_line(server: Server, text: str) -> None:
    """The body has no invisible character and no control sequence, and the title has one line."""
    channel = channel_to("apprise", server.url)
    parts = json.loads(channel.render(message(headline=text, facts={text: text}, members=(text,))))
    assert "\n" not in parts["title"]
    assert not set("\x00\x07\x1b\u202e\u200b") & set(parts["title"] + parts["body"])
    channel.send(json.dumps(parts), notification_id="n1")


def test_a_refused_message_is_retried_and_the_error_names_no_address(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the error nor the log contains it."""
    server.status = 500
    with caplog.at_level(logging.DEBUG), pytest.raises(DeliveryError) as caught:
        channel_to("apprise", server.url).send('{"title": "t", "body": "b"}', notification_id="n1")

    assert caught.value.reason is Reason.UNREACHABLE
    assert SECRET not in f"{caught.value} {caplog.text} {config_to('apprise', server.url)!r}"


def test_an_address_that_apprise_does_not_know_is_refused() -> None:
    """When it is configured."""
    with pytest.raises(ValidationError, match="Apprise does not know this URL") as caught:
        AppriseConfig(name="a", url=SecretStr(f"nosuch://{SECRET}"))
    assert SECRET not in str(caught.value)
