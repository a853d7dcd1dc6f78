"""What was done to keys, teams, users and models, and what a LiteLLM proxy's own alerting said. No raw key is in it."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints

from alertworker.events.base import (
    FIRST_FAULT,
    MAX_ITEMS,
    PAIRS,
    Count,
    Event,
    Label,
    LabelText,
    Moment,
    Name,
    Storable,
    Text,
)

#: The longest text of a relayed alert, in characters: LiteLLM's reports list every team.
MAX_DETAILS: Final = 8_000
#: LiteLLM's virtual keys, and the provider keys that look like them; its own short form ("sk-...abcd") is no key.
#: Not within a word ("task-management"), but for a percent-encoded character before it.
_KEY: Final = re.compile(r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2}))sk-[A-Za-z0-9_*-]{6,}")


def keyless(text: str) -> str:
    """Take raw keys out of a text.

    >>> keyless("deleted sk-live1234567890, shown as sk-...7890")
    'deleted [removed], shown as sk-...7890'
    """
    return _KEY.sub("[removed]", text)


_Keyless = AfterValidator(keyless)
KeylessName = Annotated[Name, _Keyless]
KeylessText = Annotated[Text, _Keyless]
Details = Annotated[str, StringConstraints(max_length=MAX_DETAILS), Storable, _Keyless]
KeylessMetadata = Annotated[
    dict[Annotated[Label, _Keyless], Annotated[LabelText, _Keyless]], Field(max_length=MAX_ITEMS), PAIRS
]


class Entity(StrEnum):
    """What was changed."""

    KEY = "key"
    TEAM = "team"
    INTERNAL_USER = "internal_user"
    MODEL = "model"


class Action(StrEnum):
    """What was done to it."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    REGENERATED = "regenerated"
    BLOCKED = "blocked"
    UNBLOCKED = "unblocked"
    MEMBER_ADDED = "member_added"
    MEMBER_REMOVED = "member_removed"


class EntityChanged(Event):
    """Somebody changed a key, team, internal user or model.

    ``entity_id`` is a key's hash, never the key; ``changed`` names the fields that were given, without their values;
    ``details`` are values that may be seen (budgets, models, limits). ``source_host`` is the proxy whose own alerting
    said so, where it was read back from that; it may be a copy of what the proxy's callback tells. Then ``count`` is
    how many changes it tells of: one that was said so often, or, of a digest between ``digest_from`` and
    ``digest_until`` (the proxy's local time, taken as UTC), changes of this kind of which it names only the first.
    """

    type: Literal["admin.entity.changed"] = "admin.entity.changed"
    entity: Entity
    action: Action
    entity_id: KeylessName | None = None
    entity_alias: KeylessName | None = None
    team_id: KeylessName | None = None
    actor_id: KeylessName | None = None
    actor_role: KeylessName | None = None
    actor_key_alias: KeylessName | None = None
    changed: Annotated[tuple[KeylessName, ...], FIRST_FAULT, Field(max_length=64)] = ()
    details: KeylessMetadata = Field(default_factory=dict)
    source_host: KeylessName | None = None
    count: Annotated[Count, Field(ge=1)] = 1
    digest_from: Moment | None = None
    digest_until: Moment | None = None


class AlertRelayed(Event):
    """A LiteLLM proxy's own alerting said something, and its text was read back.

    ``alert_type`` is LiteLLM's word, or "unknown"; ``level`` its level, where the text has one; ``headline`` the first
    line of the message and ``text`` the rest; ``facts`` are the labelled lines in it. ``count`` is how often it says
    that it happened, for a digest between ``digest_from`` and ``digest_until`` (the proxy's local time, taken as UTC).
    ``source_host`` is the proxy that sent it.
    """

    type: Literal["litellm.alert.relayed"] = "litellm.alert.relayed"
    alert_type: KeylessName
    level: Literal["Low", "Medium", "High"] | None = None
    headline: KeylessText
    text: Details = ""
    facts: KeylessMetadata = Field(default_factory=dict)
    metadata: KeylessMetadata = Field(default_factory=dict)
    count: Annotated[Count, Field(ge=1)] = 1
    source_host: KeylessName | None = None
    digest_from: Moment | None = None
    digest_until: Moment | None = None
