"""Cuts LiteLLM's data to the bounds of the wire contract, so that one unexpected field never costs the event."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from urllib.parse import urlsplit

from alertworker.events.base import (
    MAX_COST,
    MAX_COUNT,
    MAX_ITEMS,
    MAX_MOMENT,
    MAX_NAME,
    MAX_NANOS,
    MAX_URL,
    MIN_MOMENT,
)
from alertworker.money import NANOS_PER_DOLLAR, nanos_from_dollars
from alertworker.text.ids import storable
from alertworker.text.redact import pseudonymous, within
from alertworker.text.shorten import CUT, DIGITS, ELLIPSIS, fingerprint, shorten

#: LiteLLM's own substitutes for a key: a hash, or a fixed name for an internal caller.
_HARMLESS_KEY: Final = re.compile(
    r"(?:hashed-jwt-)?[0-9a-f]{64}|litellm_proxy_master_key|litellm-dashboard|litellm[-_](?:internal|cli)[-_a-z]{0,40}"
)
_NOTHING: Final[Mapping[str, object]] = {}
#: The maximum length of an address that is read, in characters. It is read whole: a password may be anywhere in it.
_MAX_ADDRESS: Final = 16_384


def clip(value: object, limit: int, mark: str = CUT) -> str | None:
    """Return a string of at most ``limit`` characters without NUL and lone surrogates; ``None`` for any other type.

    A cut string ends with ``mark``. Remove secrets before cutting: half a secret has no format.
    """
    return storable(shorten(value, limit, mark)) if isinstance(value, str) and value else None


def as_mapping(value: object) -> Mapping[str, object]:
    """Return a mapping unchanged, and an empty one for any other type.

    The check for ``dict`` is first because it is fast.
    """
    return value if type(value) is dict or isinstance(value, Mapping) else _NOTHING


def name(value: object) -> str | None:
    """Return an id or a name; an integer becomes its digits.

    A string that is too long is cut by `short_id`.
    """
    if type(value) is int:
        value = str(value)
    if not isinstance(value, str) or not value:
        return None
    return storable(value if len(value) <= MAX_NAME else short_id(value))


def short_id(value: str, redact: Callable[[str], str] = pseudonymous) -> str:
    """Return an id or a name of at most `MAX_NAME` characters without secrets; a hash keeps cut ones distinct."""
    shown = within(value, MAX_NAME - DIGITS, redact, ELLIPSIS)
    return f"{shown}{fingerprint(value)}" if shown.endswith(ELLIPSIS) else shown


def url(value: object) -> str | None:
    """Return an address without user, password, query and fragment, which may hold keys."""
    if not isinstance(value, str) or len(value) > _MAX_ADDRESS:
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    host = parts.netloc.rpartition("@")[2]
    place = f"{parts.scheme}://{host}{parts.path}" if host else parts.path.rpartition("@")[2]
    return clip(within(place, MAX_URL), MAX_URL)


def credential(key: object) -> str | None:
    """Return what events name a deployment's API key by: the first 12 hex digits of its SHA-256."""
    if not isinstance(key, str) or not key:
        return None
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def key_hash(value: object) -> str | None:
    """Return LiteLLM's hash of a key, or the SHA-256 of any other string: custom authentication may pass raw keys."""
    if not isinstance(value, str) or not value:
        return None
    if _HARMLESS_KEY.fullmatch(value):
        return value
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def count(value: object) -> int:
    """Return a count of 0 or more, and 0 for anything that is not a number."""
    if not isinstance(value, (int, float)) or value != value:  # noqa: PLR0124 - only NaN differs from itself
        return 0
    return int(min(max(value, 0), MAX_COUNT))


def nanos(dollars: object) -> int | None:
    """Return the nano-dollars of an amount in USD, or ``None`` if it is not a number in range."""
    if isinstance(dollars, bool) or not isinstance(dollars, (int, float, Decimal)):
        return None
    if not -MAX_NANOS <= dollars * NANOS_PER_DOLLAR <= MAX_NANOS:  # also false for NaN
        return None
    return nanos_from_dollars(dollars)


def cost(dollars: object) -> int | None:
    """Return a call's cost in nano-dollars, ``None`` unless it is a number from 0 to `MAX_COST`."""
    amount = nanos(dollars)
    return amount if amount is not None and 0 <= amount <= MAX_COST else None


def moment(value: object) -> datetime | None:
    """Return an aware datetime for a POSIX time, a datetime or an ISO 8601 string.

    A naive datetime is local time, as LiteLLM makes them. Return ``None`` for anything else, and for a time outside
    this century: the wire contract refuses those.
    """
    found = _read_moment(value)
    return found if found is not None and MIN_MOMENT <= found < MAX_MOMENT else None


def _read_moment(value: object) -> datetime | None:
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0:
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def tags(value: object) -> tuple[str, ...]:
    """Return the tags that are strings, in order and without duplicates."""
    if not isinstance(value, (list, tuple)):
        return ()
    found = (name(tag) for tag in value[: 4 * MAX_ITEMS])
    return tuple(dict.fromkeys(tag for tag in found if tag))[:MAX_ITEMS]
