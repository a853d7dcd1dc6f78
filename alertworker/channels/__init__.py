"""Channels: one file a vendor, and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

from pydantic import Field

from alertworker.channels.config import ChannelConfig
from alertworker.channels.console import Console, ConsoleConfig
from alertworker.channels.slack import Slack, SlackConfig
from alertworker.ports import Channel

#: Which class speaks to which vendor.
CHANNELS: Final[Mapping[type[ChannelConfig], Callable[[Any], Channel]]] = {
    ConsoleConfig: Console,
    SlackConfig: Slack,
}

#: Every channel's configuration, told apart by ``kind``.
AnyChannelConfig = Annotated[ConsoleConfig | SlackConfig, Field(discriminator="kind")]


def build_channel(config: ChannelConfig) -> Channel:
    """Give the channel that a configuration describes."""
    return CHANNELS[type(config)](config)


__all__ = ["CHANNELS", "AnyChannelConfig", "ChannelConfig", "ConsoleConfig", "SlackConfig", "build_channel"]
