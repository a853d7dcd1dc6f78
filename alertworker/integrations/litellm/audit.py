"""Reads LiteLLM's audit log: which actor changed which key, team, internal user or model.

LiteLLM masks every value that looks like a key before it passes an entry on, also key aliases ("prod*app1"). Only
the values of the fields in `SHOWN` are read. Of all other fields, only the names are.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, Final

from alertworker.events import Action, Entity
from alertworker.events.base import MAX_ITEMS
from alertworker.integrations.litellm.admin_alerts import ALIASES, SHOWN
from alertworker.integrations.litellm.coerce import as_mapping, key_hash, moment, name

#: LiteLLM's tables whose changes are published, with the entity that each holds.
_ENTITIES: Final = {
    "LiteLLM_VerificationToken": Entity.KEY,
    "LiteLLM_TeamTable": Entity.TEAM,
    "LiteLLM_UserTable": Entity.INTERNAL_USER,
    "LiteLLM_ProxyModelTable": Entity.MODEL,
}
_ACTIONS: Final = {
    "created": Action.CREATED,
    "updated": Action.UPDATED,
    "deleted": Action.DELETED,
    "rotated": Action.REGENERATED,
    "blocked": Action.BLOCKED,
    "unblocked": Action.UNBLOCKED,
}
_MEMBERS: Final = "members_with_roles"
#: Fields that identify the entity, or hold a time. A new value in them is not a change.
_NO_CHANGE: Final = frozenset(
    ("created_at", "key", "key_name", "model_id", "spend", "team_id", "token", "token_id", "updated_at", "user_id")
)
#: The maximum length of a value that is read, in characters: a team's row names all its members.
_MAX_VALUE: Final = 1_000_000


def entity_changed(entry: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return an `EntityChanged`'s fields for LiteLLM's ``StandardAuditLogPayload``; ``None`` for other tables."""
    entity, action = _ENTITIES.get(entry.get("table_name") or ""), _ACTIONS.get(entry.get("action") or "")
    if entity is None or action is None:
        return None
    before, after = _values(entry.get("before_value")), _values(entry.get("updated_values"))
    known = {field: value for values in (before, after) for field, value in values.items() if _given(value)}
    identity = entry.get("object_id")
    changed: list[str] = []
    if action in {Action.CREATED, Action.UPDATED}:
        changed = sorted(field for field in after if _differs(field, before, after))
    details = {field: _step(field, before, after) for field in changed if field in SHOWN}
    if entity is Entity.TEAM and changed == [_MEMBERS]:
        action, member = _of_members(before, after)
        details |= {"member": member} if member else {}
    return {
        "type": "admin.entity.changed",
        "occurred_at": moment(entry.get("updated_at")) or moment(time.time()),
        "entity": entity,
        "action": action,
        "entity_id": key_hash(identity) if entity is Entity.KEY else name(identity),
        "entity_alias": next((found for field in ALIASES[entity] if (found := name(known.get(field)))), None),
        "team_id": name(known.get("team_id")) if entity is not Entity.TEAM else name(identity),
        "actor_id": name(entry.get("changed_by")),
        "changed": tuple(changed)[: 2 * MAX_ITEMS],
        "details": details,
    }


def _values(text: object) -> dict[str, object]:
    """Return the mapping in one of the entry's two JSON strings, or an empty mapping for anything else."""
    try:
        values = json.loads(text) if isinstance(text, str) and len(text) <= _MAX_VALUE else text
    except (ValueError, RecursionError):
        return {}
    return dict(values) if isinstance(values, Mapping) else {}


def _given(value: object) -> bool:
    return bool(value) and value != "None"  # LiteLLM's masking writes None as a string


def _differs(field: str, before: Mapping[str, object], after: Mapping[str, object]) -> bool:
    old, new = before.get(field), after[field]
    return field not in _NO_CHANGE and new != old and (_given(new) or _given(old))


def _of_members(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[Action, str]:
    """Return the action that a new list of members stands for, and the members concerned.

    A changed role is an update.
    """
    listed = (values.get(_MEMBERS) for values in (before, after))
    old, new = (set(map(_member, members)) if isinstance(members, list) else set() for members in listed)
    if new > old:
        return Action.MEMBER_ADDED, _names(new - old)
    return (Action.MEMBER_REMOVED, _names(old - new)) if new < old else (Action.UPDATED, "")


def _member(member: object) -> str:
    fields = as_mapping(member)
    return next((str(fields[key]) for key in ("user_id", "user_email") if _given(fields.get(key))), "unknown")


def _names(members: set[str]) -> str:
    return ", ".join(sorted(members))


def _step(field: str, before: Mapping[str, object], after: Mapping[str, object]) -> str:
    old, new = before.get(field), after[field]
    return f"{old} → {new}" if _given(old) else f"{new}"
