"""How people see channels: by the operator's name, or by the variable or the line that configures the channel."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
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


def label_channels(kinds: Mapping[str, str], places: Mapping[str, str]) -> dict[str, str]:
    """Return the label of each channel, by its name, from its kind and the place that configures it.

    Channels of one line have the whole place, which has the path of the key: labels are distinct.

    >>> label_channels({"slack-1f2e3d4c": "slack"}, {"slack-1f2e3d4c": "environment SLACK_WEBHOOK_URL"})
    {'slack-1f2e3d4c': 'SLACK_WEBHOOK_URL'}
    """
    whole = {name: places[name] if is_hashed(name, kind) and name in places else name for name, kind in kinds.items()}
    short = {name: _short(place) if place != name else name for name, place in whole.items()}
    used = Counter(short.values())
    return {name: label if used[label] == 1 else whole[name] for name, label in short.items()}


def _short(place: str) -> str:
    """Return the variable or the line of a place.

    >>> _short("file of SLACK_WEBHOOK_URL_FILE"), _short("config.yaml:12 alert_to_webhook_url.llm_exceptions")
    ('SLACK_WEBHOOK_URL_FILE', 'config.yaml:12')
    """
    first, _, rest = place.removeprefix("environment ").removeprefix("file of ").partition(" ")
    return first if place.startswith(("environment ", "file of ")) or ":" in first else f"{first} {rest}".strip()
