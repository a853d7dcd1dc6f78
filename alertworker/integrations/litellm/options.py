"""The operator's settings for the callback, from the proxy's environment and from LiteLLM's own file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

#: The start of a value of LiteLLM's file that names a variable.
REFERENCE: Final = "os.environ/"
_FLAGS: Final = {"true": True, "false": False}
#: The default keys of team and key metadata that may leave the proxy.
_METADATA_KEYS: Final = "soft_budget_alerting_emails,alert_receiver"


@dataclass(frozen=True, slots=True)
class CallbackOptions:
    """How the callback behaves.

    ``threshold_seconds`` is ``None`` if LiteLLM's own ``alerting_threshold`` applies. ``metadata_keys`` lists the
    keys of a team's and a key's metadata that may leave the proxy. ``show_messages`` allows the first characters of
    a request to leave the proxy.
    """

    threshold_seconds: float | None = None
    metadata_keys: tuple[str, ...] = ()
    show_messages: bool = False

    @classmethod
    def read(cls, environ: Mapping[str, str], config: Mapping[str, object]) -> CallbackOptions:
        """Read the environment, then the ``alertworker:`` section of LiteLLM's own file, ``config``.

        The keys are ``alerting_threshold``, ``metadata_keys`` (a list; comma-separated in the environment) and
        ``show_messages``. LiteLLM's ``redact_messages_in_exceptions: false`` also shows messages, but only if it is
        set explicitly. It is LiteLLM's default, so without it messages are not allowed to leave the proxy.
        """
        own, litellm = _mapping(config.get("alertworker")), _mapping(config.get("litellm_settings"))
        keys = environ.get("ALERTWORKER_METADATA_KEYS") or own.get("metadata_keys", _METADATA_KEYS)
        shown = environ.get("ALERTWORKER_SHOW_MESSAGES") or own.get("show_messages")
        if shown is None:
            shown = flag(litellm.get("redact_messages_in_exceptions"), environ.get) is False
        return cls(
            threshold_seconds=seconds(environ.get("ALERTWORKER_ALERTING_THRESHOLD") or own.get("alerting_threshold")),
            metadata_keys=tuple(_words(keys)),
            show_messages=str(shown).strip().lower() in ("1", "true", "yes")
            and not hides(litellm.get("turn_off_message_logging"), environ.get),
        )


def flag(value: object, read: Callable[[str], str | None]) -> object:
    """Return a flag of LiteLLM's file. ``os.environ/NAME`` is true or false as its variable says, as in LiteLLM.

    >>> flag("os.environ/OFF", {"OFF": "True"}.get), flag("os.environ/OFF", {}.get), flag(False, {}.get)
    (True, None, False)
    """
    if not isinstance(value, str) or not value.startswith(REFERENCE):
        return value
    return _FLAGS.get((read(value.removeprefix(REFERENCE)) or "").strip().lower())


def hides(value: object, read: Callable[[str], str | None]) -> bool:
    """Return whether ``turn_off_message_logging`` hides messages. LiteLLM ignores a quoted "true"; we obey it."""
    return str(flag(value, read)).strip().lower() == "true"


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _words(value: object) -> list[str]:
    words = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else []
    return [word.strip() for word in words if isinstance(word, str) and word.strip()]


def seconds(value: object) -> float | None:
    """Return a positive number of seconds, or ``None`` for anything else: a typing error never stops a proxy."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 < number < float("inf") else None
