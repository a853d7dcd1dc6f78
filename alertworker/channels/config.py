"""The parts that the configurations of channels share."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from alertworker.channels import address_guard
from alertworker.channels.foreign import foreign_problem
from alertworker.delivery.channel import Pace

_HOST: Final = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*")


def _host_name(text: str) -> str:
    try:
        ip_address(text)
    except ValueError:
        name = text.lower()
        if _HOST.fullmatch(name):
            return name
        raise ValueError(
            'invalid host name; expected, for example, "alerts.corp.example" or "*.corp.example"'
        ) from None
    raise ValueError("must be a host name, not an address; add the network of the address to allowed_networks")


Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], Field(max_length=100)]
Hosts = Annotated[tuple[Annotated[str, AfterValidator(_host_name)], ...], Field(max_length=100)]


class ChannelConfig(BaseModel):
    """The configuration of a channel. Rows, logs and pages carry its ``name``: stable over restarts, and no secret.

    A vendor's file adds the vendor's own fields, and a ``kind`` that identifies the model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)

    kind: str
    name: str
    """Name of the channel in rows, logs and pages. Made of the kind and a hash of the other fields if not set."""

    def paced(self, vendor: Pace) -> Pace:
        """Return the pace of the channel, which is the vendor's."""
        return vendor


class PaceConfig(BaseModel):
    """How fast a receiver takes messages: one each ``interval`` seconds, after ``burst`` at once.

    A field that is not set is the vendor's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)

    interval: Annotated[float, Field(ge=0, le=3_600)] | None = None
    """Seconds between two messages."""
    burst: Annotated[int, Field(ge=1, le=1_000)] | None = None
    """Number of messages that can be sent at once."""


class PacedConfig(ChannelConfig):
    """A channel whose receiver may have another pace than its vendor."""

    pace: PaceConfig = PaceConfig()
    """How fast messages are sent, in place of the vendor's pace."""

    def paced(self, vendor: Pace) -> Pace:
        """Return the vendor's pace, with the configured fields in place of its own."""
        return replace(vendor, **self.pace.model_dump(exclude_none=True))


class NetworkConfig(PacedConfig):
    """A channel that opens connections. ``allowed_networks`` and ``allowed_hosts`` are the operator's own."""

    allowed_networks: Networks = ()
    """Private networks that this channel can connect to, in place of the general ones."""
    allowed_hosts: Hosts = ()
    """Host names whose private addresses this channel can connect to, in place of the general ones."""

    @property
    def allowed(self) -> address_guard.AllowedAddresses:
        """The private networks and hosts that the channel may connect to."""
        return address_guard.AllowedAddresses(self.allowed_networks, self.allowed_hosts)


class UrlConfig(NetworkConfig):
    """A channel whose receiver has a URL, which is a secret."""

    url: SecretStr
    """URL of the receiver. It is a secret; `os.environ/NAME` is the variable NAME."""

    @field_validator("url")
    @classmethod
    def _admitted(cls, url: SecretStr, info: ValidationInfo) -> SecretStr:
        allowed = address_guard.AllowedAddresses(
            info.data.get("allowed_networks", ()), info.data.get("allowed_hosts", ())
        )
        refuse(url.get_secret_value(), allowed)
        if (problem := foreign_problem(url.get_secret_value())) is not None:
            raise ValueError(problem)
        return url


def refuse(url: str, allowed: address_guard.AllowedAddresses) -> None:
    """Raise an error if the text of a URL shows that nothing may be sent to it.

    Raises:
        ValueError: the reason, which never repeats the URL.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise ValueError("must be a URL that begins with https://")
    reason = address_guard.refusal(host, tls=parts.scheme == "https", allowed=allowed)
    if reason is not None:
        raise ValueError(reason)
