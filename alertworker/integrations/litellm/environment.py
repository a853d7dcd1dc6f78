"""What the operator set for the callback, from the proxy's environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

#: The keys of team and key metadata that may travel where nothing else is said.
_METADATA_KEYS: Final = "soft_budget_alerting_emails,alert_receiver"


@dataclass(frozen=True, slots=True)
class CallbackOptions:
    """How the callback behaves.

    ``threshold_seconds`` is ``None`` where LiteLLM's own ``alerting_threshold`` rules; ``metadata_keys`` names the keys
    of a team's and a key's metadata that may leave the proxy; ``show_messages`` lets the first characters of a request
    leave it.
    """

    threshold_seconds: float | None = None
    metadata_keys: tuple[str, ...] = ()
    show_messages: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> CallbackOptions:
        """Read ``ALERTWORKER_ALERTING_THRESHOLD``, ``ALERTWORKER_METADATA_KEYS`` and ``ALERTWORKER_SHOW_MESSAGES``."""
        keys = environment.get("ALERTWORKER_METADATA_KEYS", _METADATA_KEYS).split(",")
        return cls(
            threshold_seconds=seconds(environment.get("ALERTWORKER_ALERTING_THRESHOLD")),
            metadata_keys=tuple(key.strip() for key in keys if key.strip()),
            show_messages=environment.get("ALERTWORKER_SHOW_MESSAGES", "").strip().lower() in ("1", "true", "yes"),
        )


def seconds(value: object) -> float | None:
    """Give a positive number of seconds; ``None`` for what is not one, so that a typing error never stops a proxy."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 < number < float("inf") else None
