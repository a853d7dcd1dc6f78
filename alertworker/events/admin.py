"""Changes of keys, teams, users and models, and the alerts of LiteLLM's own alerting. Neither contains a raw key."""

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
#: LiteLLM's virtual keys, and provider keys of the same form. LiteLLM's short form ("sk-...abcd") does not match. The
#: same holds for "sk-" within a word ("task-management"), unless a percent-encoded character precedes it.
_KEY: Final = re.compile(r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2}))sk-[A-Za-z0-9_*-]{6,}")


def without_raw_keys(text: str) -> str:
    """Return a text with each raw key replaced.

    >>> without_raw_keys("deleted sk-live1234567890, shown as sk-...7890")
    'deleted [removed], shown as sk-...7890'
    """
    return _KEY.sub("[removed]", text)


_Keyless = AfterValidator(without_raw_keys)
KeylessName = Annotated[Name, _Keyless]
KeylessText = Annotated[Text, _Keyless]
Details = Annotated[str, StringConstraints(max_length=MAX_DETAILS), Storable, _Keyless]
KeylessMetadata = Annotated[
    dict[Annotated[Label, _Keyless], Annotated[LabelText, _Keyless]], Field(max_length=MAX_ITEMS), PAIRS
]


class Entity(StrEnum):
    """The type of object that was changed."""

    KEY = "key"
    TEAM = "team"
    INTERNAL_USER = "internal_user"
    MODEL = "model"


class Action(StrEnum):
    """The change."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    REGENERATED = "regenerated"
    BLOCKED = "blocked"
    UNBLOCKED = "unblocked"
    MEMBER_ADDED = "member_added"
    MEMBER_REMOVED = "member_removed"


class EntityChanged(Event):
    """A key, team, internal user or model was changed.

    ``entity_id`` is a key's hash, never the key. ``changed`` names the fields of the change, without their values.
    ``details`` are values that are safe to show (budgets, models, limits). ``source_host`` is set if the event was read
    from the own alerting of the proxy on that host. The proxy's callback may publish the same change. For such an event
    ``count`` is the number of changes: repetitions of one, or all changes of this kind in a digest. A digest is of the
    time between ``digest_from`` and ``digest_until`` (the proxy's local time, taken as UTC), and names only the first.
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
    """An alert of a LiteLLM proxy's own alerting, read from the text of its message.

    ``alert_type`` is LiteLLM's name, or "unknown". ``level`` is LiteLLM's level, if the text has one. ``headline`` is
    the first line of the message, ``text`` the rest, and ``facts`` are its labelled lines. ``count`` is the number of
    occurrences, in a digest between ``digest_from`` and ``digest_until`` (the proxy's local time, taken as UTC).
    ``source_host`` is the proxy's host.
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
