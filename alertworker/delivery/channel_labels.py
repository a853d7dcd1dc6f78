"""How people see channels: by the operator's name, or by the variable or the line that configures the channel."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

#: The end of a name that is made of a hash.
_HASH = re.compile(r"-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class ChannelLabels:
    """The label of each configured channel, by its name. Rows hold names, and people see labels."""

    by_name: Mapping[str, str] = field(default_factory=dict)

    def of(self, name: str) -> str:
        """Return the label of a channel. Without a label, return its name: the configuration lacks the channel."""
        return self.by_name.get(name, name)

    def over(self, others: Mapping[str, str]) -> ChannelLabels:
        """Return these labels, with those of other channels added."""
        return ChannelLabels({**others, **self.by_name})

    def is_removed(self, name: str) -> bool:
        """Return whether no configured channel has this name."""
        return name not in self.by_name

    def name_of(self, label: str) -> str:
        """Return the name of the channel with this label. Any other string is returned unchanged."""
        return next((name for name, own in self.by_name.items() if own == label), label)


def is_hashed(name: str, kind: str) -> bool:
    """Return whether a channel's name is made of its kind and a hash, and not the operator's.

    >>> is_hashed("slack-1f2e3d4c", "slack"), is_hashed("slack-ops", "slack")
    (True, False)
    """
    return name.startswith(kind) and _HASH.fullmatch(name, len(kind)) is not None


def label_channels(names: Iterable[str], places: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Return the label of each channel, by its name. ``places`` are the short and the whole place of some of them.

    A channel without a place has its name. Channels with the same short place have the whole place, which has the path
    of the key: labels are distinct.

    >>> label_channels(["slack-1f2e3d4c", "ops"], {"slack-1f2e3d4c": ("config.yaml:4", "config.yaml:4 route.url")})
    {'slack-1f2e3d4c': 'config.yaml:4', 'ops': 'ops'}
    """
    found = {name: places.get(name, (name, name)) for name in names}
    used = Counter(short for short, _ in found.values())
    return {name: short if used[short] == 1 else whole for name, (short, whole) in found.items()}
