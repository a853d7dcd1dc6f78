"""Takes secrets out of every field of an event before the event leaves the proxy.

The publisher calls `outgoing` for each event in its own thread, so no request waits for it. The relay calls it for the
alerts that it reads, and `POST /v1/events` for the events of other programs. Each field is treated in this one place,
whichever code made the event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from functools import lru_cache
from types import NoneType
from typing import Any, Final, NamedTuple, get_args
from uuid import UUID

from pydantic_core import to_json

from alertworker.events import AnyEvent, Budget, Event, FailedOn, Failure, Origin, PublisherCounters
from alertworker.events.admin import MAX_DETAILS
from alertworker.events.base import MAX_NAME, MAX_TEXT, MAX_URL
from alertworker.integrations.litellm.coerce import short_id
from alertworker.integrations.litellm.excerpts import MAX_EXCERPT
from alertworker.integrations.litellm.metadata import to_strings
from alertworker.text.redact import pseudonym, within, without_secrets
from alertworker.text.shorten import CUT, ELLIPSIS


class Treatment(Enum):
    """How a field is treated."""

    #: Free text: everything that looks like a secret is removed.
    SCRUBBED = "scrubbed"
    #: Names an entity of the ledger: only certain secrets are replaced, by a pseudonym, so entities stay distinct.
    IDENTITY = "identity"
    #: Any JSON from a caller: printed as strings and scrubbed.
    METADATA = "metadata"
    #: Metadata under names that an operator or this package chose. Routes match its values, so they are identities.
    ALLOWED = "allowed"
    #: Made by this package, or from a closed set of LiteLLM's: no caller can write into it.
    OURS = "ours"


class Field(NamedTuple):
    """The treatment of a field and its maximum length in characters."""

    treatment: Treatment
    limit: int = MAX_NAME


_TEXT: Final = Field(Treatment.SCRUBBED, MAX_TEXT)
_IDENTITY: Final = Field(Treatment.IDENTITY)
_OURS: Final = Field(Treatment.OURS)

#: Every event field that holds strings, by name. A name has the same meaning in all events.
FIELDS: Final[Mapping[str, Field]] = {
    # Free text of callers, providers and LiteLLM.
    "message": _TEXT,
    "cost_failure": _TEXT,
    "headline": _TEXT,
    "text": Field(Treatment.SCRUBBED, MAX_DETAILS),
    "messages_excerpt": Field(Treatment.SCRUBBED, MAX_EXCERPT),
    "api_base": Field(Treatment.SCRUBBED, MAX_URL),
    "changed": Field(Treatment.SCRUBBED),
    # Mappings.
    "alerting_metadata": Field(Treatment.METADATA),
    "metadata": Field(Treatment.METADATA),
    "facts": Field(Treatment.METADATA),
    "details": Field(Treatment.ALLOWED),
    "team_metadata": Field(Treatment.ALLOWED),
    "key_metadata": Field(Treatment.ALLOWED),
    # Entities.
    **dict.fromkeys(
        (
            "actor_id", "actor_key_alias", "actor_role", "alert_emails", "alert_type", "call_id", "customer_id",
            "deployment_id", "duration", "entity_alias", "entity_id", "event", "key_alias", "model", "model_group",
            "organization_alias", "organization_id", "original_model_group", "part", "projected_exceeded_date",
            "provider", "region", "source_host", "tags", "team_alias", "team_id", "trace_id", "user_email", "user_id",
        ),
        _IDENTITY,
    ),
    # Hashes, classes, processes and members of closed sets.
    **dict.fromkeys(
        (
            "action", "boot_id", "call_type", "credential", "dropped", "entity", "error_class", "host", "integration",
            "key_hash", "level", "origin", "reason", "scope", "type", "version",
        ),
        _OURS,
    ),
}  # fmt: skip
#: How the values of metadata are treated.
_REDACT: Final[Mapping[Treatment, Callable[[str], str]]] = {
    Treatment.METADATA: without_secrets,
    Treatment.ALLOWED: pseudonym,
}
#: The field names of the wire contract; only a nested mapping of a caller's has other names.
_NAMES: Final = frozenset(
    name
    for model in (*get_args(get_args(AnyEvent)[0]), Failure, Budget, FailedOn, PublisherCounters)
    for name in model.model_fields
)
#: Values without strings.
_PLAIN: Final = frozenset((bool, int, float, datetime, UUID, NoneType))


def outgoing(event: Mapping[str, Any], *, ours: bool = True) -> dict[str, Any]:
    """Return an event's fields without secrets; a field that `FIELDS` does not list is scrubbed as free text.

    Without ``ours`` another program made the event, so strings that this package would make are treated as identities.
    """
    treated: dict[str, Any] = {}
    for field, value in event.items():
        known = FIELDS.get(field, _TEXT)
        if not ours and known.treatment is Treatment.OURS:
            known = _IDENTITY
        if known.treatment is not Treatment.OURS and (type(value) not in _PLAIN or known.treatment in _REDACT):
            value = _treated(known, value, ours=ours)  # noqa: PLW2901 - the loop is the hottest of the callback
        treated[field if field in _NAMES else identity(field)] = value
    return treated


def outgoing_json(event: Event) -> bytes:
    """Return an event of another program as JSON without secrets, ready for `alertworker.events.batch.seal`."""
    return to_json(outgoing(event.model_dump(exclude_none=True), ours=False))


def can_alert(event: Mapping[str, Any], threshold_seconds: float) -> bool:
    """Return whether an alert may show this call's end; only then the caller's metadata leaves the proxy.

    No alert shows a caller's own error, an abandoned call, or an answer that is fast and has a price.
    """
    if event["type"] == "llm.request.succeeded":
        unpriced = event.get("cost_failure") is not None or event.get("cost_nanos") is None
        slow = (event["ended_at"] - event["started_at"]).total_seconds() >= threshold_seconds
        return slow or (unpriced and not event.get("cache_hit"))
    return event["type"] == "llm.request.failed" and event["failure"]["origin"] is not Origin.CALLER


def _treated(field: Field, value: object, *, ours: bool) -> object:
    if field.treatment in _REDACT:
        return _metadata(value, _REDACT[field.treatment])
    if isinstance(value, str):
        return _scrubbed(value, field.limit) if field.treatment is Treatment.SCRUBBED else identity(value)
    if isinstance(value, (list, tuple)):
        return tuple(_treated(field, item, ours=ours) for item in value)
    return outgoing(value, ours=ours) if isinstance(value, Mapping) else value


def _scrubbed(text: str, limit: int) -> str:
    return (_remembered if len(text) <= MAX_TEXT else _within)(text, limit)


def _within(text: str, limit: int) -> str:
    return within(text, limit, mark=CUT if limit > MAX_NAME else ELLIPSIS)


#: The same errors occur again and again during an outage.
_remembered: Final = lru_cache(1_000)(_within)


def identity(name: str) -> str:
    """Return the name of an entity as the ledger keeps it: without certain secrets, and at most `MAX_NAME` long."""
    safe = pseudonym(name)
    return safe if len(safe) <= MAX_NAME else short_id(safe)


def _metadata(value: object, redact: Callable[[str], str]) -> dict[str, str]:
    """Return metadata as strings, or nothing for a mapping that raises or changes while it is read."""
    try:
        return to_strings(value, redact)
    except Exception:  # noqa: BLE001 - a caller's object may raise anything, and must not cost the event
        return {}
