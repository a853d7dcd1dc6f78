"""Channels: one file a vendor, and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from alertworker.channels.config import ChannelConfig
from alertworker.channels.console import Console, ConsoleConfig
from alertworker.channels.slack import Slack, SlackConfig
from alertworker.ports import Channel

#: Which class speaks to which vendor.
CHANNELS: Final[Mapping[type[ChannelConfig], Callable[[Any], Channel]]] = {
    ConsoleConfig: Console,
    SlackConfig: Slack,
}

#: Every kind with its configuration.
KINDS: Final[Mapping[str, type[ChannelConfig]]] = {config.model_fields["kind"].default: config for config in CHANNELS}

#: Hosts whose addresses tell the kind.
_HOSTS: Final = (("hooks.slack.com", "slack"),)


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


__all__ = ["CHANNELS", "KINDS", "ChannelConfig", "ConsoleConfig", "SlackConfig", "build_channel", "recognize"]
