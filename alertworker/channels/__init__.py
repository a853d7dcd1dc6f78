"""The registry of channels: one module and one line for each kind."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final
from urllib.parse import urlsplit

from alertworker.channels.base import BaseChannel
from alertworker.channels.config import ChannelConfig
from alertworker.delivery.channel import Channel

#: Where the class of each kind is: module and class, both within this package. A new channel adds one line.
_CLASSES: Final[Mapping[str, str]] = {
    "apprise": "apprise:AppriseChannel",
    "budget_webhook": "budget_webhook:BudgetWebhook",
    "console": "console:Console",
    "discord": "discord:Discord",
    "email": "email.channel:Email",
    "ms_teams": "ms_teams:Teams",
    "pagerduty": "pagerduty:PagerDuty",
    "slack": "slack:Slack",
    "webhook": "webhook:Webhook",
}


def _load(path: str) -> type[BaseChannel[Any]]:
    module, _, name = path.partition(":")
    found: type[BaseChannel[Any]] = getattr(import_module(f"{__name__}.{module}"), name)
    return found


#: The class of each kind.
CHANNELS: Final[Mapping[str, type[BaseChannel[Any]]]] = {kind: _load(path) for kind, path in _CLASSES.items()}
#: The model of each kind's configuration.
CONFIGS: Final[Mapping[str, type[ChannelConfig]]] = {kind: channel.config_class for kind, channel in CHANNELS.items()}


def recognize(url: str) -> str | None:
    """Return the kind of channel that a URL belongs to, or ``None`` if its host does not show it."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return None
    suffixes = ((suffix, kind) for kind, channel in CHANNELS.items() for suffix in channel.hosts)
    return next((kind for suffix, kind in suffixes if host == suffix or host.endswith(f".{suffix}")), None)


def build_channel(config: ChannelConfig) -> Channel:
    """Return the channel that a configuration describes."""
    return CHANNELS[config.kind](config)


__all__ = ["CHANNELS", "CONFIGS", "ChannelConfig", "build_channel", "recognize"]
