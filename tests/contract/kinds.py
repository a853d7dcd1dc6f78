"""A channel of every kind, and what it would really send: the body after whatever is added at the last moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from unittest.mock import patch

from pydantic import SecretStr

from alertworker.alerts.message import Message, Step
from alertworker.channels import (
    AppriseConfig,
    BudgetWebhookConfig,
    ConsoleConfig,
    DiscordConfig,
    EmailConfig,
    PagerDutyConfig,
    SlackConfig,
    TeamsConfig,
    WebhookConfig,
    build_channel,
    http,
)
from alertworker.channels.email.channel import compose
from alertworker.delivery.channel import Answer, Channel

URL: Final = SecretStr("https://receiver.example/x")
ROUTING_KEY: Final = "canary0routing0key0of0pagerduty0"
MAIL: Final = EmailConfig(
    name="email", host="127.0.0.1", sender="alerts@example.com", recipients=("ops@example.com", "team@example.com")
)
#: By kind; a kind that is missing here fails `test_golden`.
CHANNELS: Final[Mapping[str, Channel]] = {
    channel.kind: channel
    for channel in map(
        build_channel,
        (
            AppriseConfig(name="apprise", url=SecretStr("json://localhost/x")),
            BudgetWebhookConfig(name="budget_webhook", url=URL, spend_tracked=True),
            ConsoleConfig(),
            DiscordConfig(name="discord", url=URL),
            MAIL,
            PagerDutyConfig(name="pagerduty", routing_key=SecretStr(ROUTING_KEY)),
            SlackConfig(name="slack", url=URL),
            TeamsConfig(name="ms_teams", url=URL),
            WebhookConfig(name="webhook", url=URL, secrets=(SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),)),
        ),
    )
}
HTTP_KINDS: Final = ("budget_webhook", "discord", "ms_teams", "pagerduty", "slack", "webhook")


@dataclass(frozen=True)
class Sent:
    """What goes over the wire: for HTTP the body and its headers, for mail its bytes, else what `render` gave."""

    body: str
    headers: Mapping[str, str]


def sent(kind: str, message: Message) -> Sent:
    """Render a message, and send it as far as to the wire."""
    channel = CHANNELS[kind]
    body = channel.render(message)
    if kind == "email":
        return Sent(compose(body, "n-1", MAIL).as_bytes().decode("ascii"), {})
    if kind not in HTTP_KINDS:
        return Sent(body, {})
    with patch.object(http, "post", return_value=Answer("200")) as post:
        channel.send(body, notification_id="n-1")
    _, posted, headers = post.call_args.args
    return Sent(posted, headers)


def wants(kind: str, message: Message) -> bool:
    """Tell whether such a message can get to such a channel at all."""
    channel = CHANNELS[kind]
    if message.step is Step.TEST:  # whoever asks for one, of whatever channel
        return True
    if message.step is Step.TRACKED:
        return channel.tracks_spend
    return channel.takes(message) and (not message.entries or channel.digest_size > 0)
