"""Channels, receivers and the routing tree while they are compiled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from alertworker.channels import ChannelConfig
from alertworker.channels.config import PacedConfig
from alertworker.errors import AlertWorkerError
from alertworker.routing.router import Route
from alertworker.settings.place import Place

#: The receiver of what no route takes.
DEFAULT: Final = "default"


class NameTaken(AlertWorkerError):
    """Another channel has the name. The error names the fields that differ, and no value."""


@dataclass(slots=True)
class Destinations:
    """Channels by name, receivers with the names of their channels, the routing tree, places and warnings."""

    channels: dict[str, ChannelConfig] = field(default_factory=dict)
    receivers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    #: The receivers that tenants may choose.
    selectable: set[str] = field(default_factory=set)
    route: Route = field(default_factory=lambda: Route(receiver=DEFAULT))
    warnings: list[str] = field(default_factory=list)
    #: Where each channel is configured, by its name.
    places: dict[str, Place] = field(default_factory=dict)

    def add(self, channel: ChannelConfig, place: Place) -> str:
        """Add a channel, configured at this place, and return its name.

        Equal channels are one; a pace that is given once is the channel's.

        Raises:
            NameTaken: a channel with other fields has the name.
        """
        name = channel.name
        known, new = self.channels.get(name, channel), channel
        if isinstance(known, PacedConfig) and isinstance(new, PacedConfig):
            if "pace" not in new.model_fields_set:
                new = new.model_copy(update={"pace": known.pace}) if "pace" in known.model_fields_set else new
            elif "pace" not in known.model_fields_set:
                known = known.model_copy(update={"pace": new.pace})
        fields = dict.fromkeys([*type(known).model_fields, *type(new).model_fields])
        if other := [key for key in fields if getattr(known, key, None) != getattr(new, key, None)]:
            raise NameTaken(
                f"there is another channel {name!r}, with another {' and '.join(other)}; rename one of them, or give "
                "both the same fields"
            )
        self.channels[name] = known
        self.places.setdefault(name, place)
        return name
