"""A channel as it is configured: read by the model that the registry has for its kind."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Final, Union

from pydantic import BeforeValidator, Field, ValidationInfo

from alertworker.channels import CHANNELS, CONFIGS, ChannelConfig, recognize
from alertworker.channels.config import NetworkConfig
from alertworker.settings.problems import key_error, nearest

#: The path of our own relay. An alert that is sent there comes back as another alert.
_RELAY: Final = "/integrations/litellm/"


def channel_name(kind: str, identity: str) -> str:
    """Return a name that is equal for equal URLs, also after a restart, and contains no secret."""
    return f"{kind}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"


def is_relay(url: object) -> bool:
    """Return whether a URL is our own relay."""
    return isinstance(url, str) and _RELAY in url


def complete(fields: Mapping[str, object], allowed: Mapping[str, object]) -> dict[str, object]:
    """Return a channel's fields with its kind, its name and the private networks that it can connect to.

    The kind is that of the URL if none is given. The name is made of the kind and the other fields, without ``pace``.

    Raises:
        PydanticCustomError: there is no such kind, or the URL belongs to none.
    """
    kind = fields.get("kind") or recognize(str(fields.get("url", "")))
    config = CONFIGS.get(kind) if isinstance(kind, str) else None
    if not kind and "url" in fields and not isinstance(fields["url"], str):
        raise key_error("url", f"must be a string, not {type(fields['url']).__name__}")
    if config is None:
        known = f"expected one of {', '.join(sorted(CONFIGS))}"
        unknown = f"unknown kind {kind!r}{nearest(str(kind), CONFIGS)}"
        raise key_error("kind", unknown if kind else f"this key is required, because no URL shows the kind; {known}")
    vendor = recognize(str(fields.get("url", "")))
    if CHANNELS[str(kind)].is_chat and vendor is not None and vendor != kind:
        raise key_error("kind", f"the URL belongs to another vendor; write kind: {vendor}")
    name = fields.get("name") or channel_name(str(kind), _identity(fields))
    return {**(allowed if issubclass(config, NetworkConfig) else {}), **fields, "kind": kind, "name": name}


def _identity(fields: Mapping[str, object]) -> str:
    """Return the text that an unnamed channel's name is made of; it must never change, since rows hold the names."""
    own = {str(key): value for key, value in fields.items() if key not in ("kind", "name", "pace")}
    return str(own["url"]) if set(own) == {"url"} else repr(sorted(own.items()))


def _completed(fields: object, info: ValidationInfo) -> object:
    if not isinstance(fields, Mapping):
        return fields
    if is_relay(fields.get("url")):
        raise key_error("url", "the URL is our own relay, so every alert would come back; use the URL of the chat")
    return complete(fields, info.context or {})


if TYPE_CHECKING:
    Channel = ChannelConfig
else:
    #: One of the registry's models, chosen by ``kind``. The context of the validation holds the private networks.
    Channel = Annotated[
        Union[tuple(CONFIGS.values())],  # noqa: UP007 - the registry knows the members
        Field(discriminator="kind"),
        BeforeValidator(_completed),
    ]
