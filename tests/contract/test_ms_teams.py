"""Teams: answers that mean something else than their status."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from alertworker.channels import build_channel
from alertworker.channels.ms_teams import TeamsConfig
from alertworker.delivery.retry import DeliveryError, Reason
from tests.contract.receiver import Server


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Microsoft Teams endpoint returned HTTP error 429 with ContextId tcid=0,server=x,cv=y", Reason.RATE_LIMITED),
        ("Microsoft Teams endpoint returned HTTP error 413 with ContextId tcid=0", Reason.PAYLOAD_TOO_LARGE),
        ("Microsoft Teams endpoint returned HTTP error 403 with ContextId tcid=0", Reason.AUTH_ERROR),
        ("Microsoft Teams endpoint returned HTTP error 503 with ContextId tcid=0", Reason.SERVER_ERROR),
        ("Error contacting Microsoft Teams endpoint", Reason.SERVER_ERROR),
    ],
)
def test_a_connectors_200_may_be_a_refusal(server: Server, said: str, reason: Reason) -> None:
    """The text contains Teams' own status. Any other text means that the message was accepted."""
    channel = build_channel(TeamsConfig(name="t", url=SecretStr(server.url)))
    server.body = f"Webhook message delivery failed with error: {said}".encode()
    with pytest.raises(DeliveryError) as caught:
        channel.send("{}", notification_id="n1")
    assert caught.value.reason is reason

    server.body = b"1"
    assert channel.send("{}", notification_id="n1").text == "200 1"
