"""What every channel's configuration has."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from alertworker.channels import guard

Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], Field(max_length=100)]


class ChannelConfig(BaseModel):
    """``name`` is what rows, logs and pages carry: stable over restarts, and no secret.

    Each vendor's own stands in the vendor's file, with a ``kind`` that tells them apart.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: str
    name: str


class NetworkConfig(ChannelConfig):
    """A channel that connects to somewhere. ``allowed_networks`` are private ones that are ours."""

    allowed_networks: Networks = ()


class UrlConfig(NetworkConfig):
    """A channel whose receiver has an address, which is a secret."""

    url: SecretStr

    @field_validator("url")
    @classmethod
    def _admitted(cls, url: SecretStr, info: ValidationInfo) -> SecretStr:
        refuse(url.get_secret_value(), info.data.get("allowed_networks", ()))
        return url


def refuse(url: str, allowed: Networks) -> None:
    """Refuse an address that can be told by its text to be one we do not send to.

    Raises:
        ValueError: says why, and never repeats the address.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise ValueError("must be an address that begins with https://")
    reason = guard.refusal(host, tls=parts.scheme == "https", allowed=allowed)
    if reason is not None:
        raise ValueError(reason)
