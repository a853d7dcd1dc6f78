"""What every channel's configuration has."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, SecretStr


class ChannelConfig(BaseModel):
    """``name`` is what rows, logs and pages carry: stable over restarts, and no secret."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str


class ConsoleConfig(ChannelConfig):
    """The terminal: for trying out, and where no webhook is configured."""

    kind: Literal["console"] = "console"
    name: str = "console"


class SlackConfig(ChannelConfig):
    """A Slack incoming webhook, or any receiver that takes Slack's body. Its address is a secret."""

    kind: Literal["slack"] = "slack"
    url: SecretStr
