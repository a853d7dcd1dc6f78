"""Channels: one module per vendor, registered here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from alertworker.channels.apprise import AppriseChannel, AppriseConfig
from alertworker.channels.budget_webhook import BudgetForm, BudgetWebhook, BudgetWebhookConfig
from alertworker.channels.config import ChannelConfig
from alertworker.channels.console import Console, ConsoleConfig
from alertworker.channels.discord import Discord, DiscordConfig
from alertworker.channels.email.channel import Email, EmailConfig
from alertworker.channels.owner_mail import OwnerMail, domains
from alertworker.channels.pagerduty import PagerDuty, PagerDutyConfig
from alertworker.channels.slack import Slack, SlackConfig
from alertworker.channels.teams import Teams, TeamsConfig
from alertworker.channels.webhook import Webhook, WebhookConfig
from alertworker.delivery.channel import Channel

#: Which class speaks to which vendor.
CHANNELS: Final[Mapping[type[ChannelConfig], Callable[[Any], Channel]]] = {
    AppriseConfig: AppriseChannel,
    BudgetWebhookConfig: BudgetWebhook,
    ConsoleConfig: Console,
    DiscordConfig: Discord,
    EmailConfig: Email,
    PagerDutyConfig: PagerDuty,
    SlackConfig: Slack,
    TeamsConfig: Teams,
    WebhookConfig: Webhook,
}

#: Every kind with its configuration.
KINDS: Final[Mapping[str, type[ChannelConfig]]] = {config.model_fields["kind"].default: config for config in CHANNELS}

#: Hosts whose addresses tell the kind. Workflows' are those of Azure Logic Apps and of Power Automate.
_HOSTS: Final = (
    ("hooks.slack.com", "slack"),
    ("discord.com", "discord"),
    ("discordapp.com", "discord"),
    ("webhook.office.com", "ms_teams"),
    ("logic.azure.com", "ms_teams"),
    ("api.powerplatform.com", "ms_teams"),
    ("events.pagerduty.com", "pagerduty"),
)


def recognize(url: str) -> str | None:
    """Give the kind of channel that an address belongs to, where the address tells."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return None
    return next((kind for suffix, kind in _HOSTS if host == suffix or host.endswith(f".{suffix}")), None)


def build_channel(config: ChannelConfig) -> Channel:
    """Give the channel that a configuration describes."""
    return CHANNELS[type(config)](config)


def build_owner_mail(configs: Iterable[ChannelConfig]) -> OwnerMail | None:
    """Give what writes to owners of budgets: over the first mail channel that may."""
    mail = (config for config in configs if isinstance(config, EmailConfig) and domains(config))
    return next(map(OwnerMail, mail), None)


__all__ = [
    "CHANNELS",
    "KINDS",
    "AppriseConfig",
    "BudgetForm",
    "BudgetWebhookConfig",
    "ChannelConfig",
    "ConsoleConfig",
    "DiscordConfig",
    "EmailConfig",
    "PagerDutyConfig",
    "SlackConfig",
    "TeamsConfig",
    "WebhookConfig",
    "build_channel",
    "build_owner_mail",
    "recognize",
]
