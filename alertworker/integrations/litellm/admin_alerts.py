"""Reads LiteLLM's alerts about changed keys, teams and internal users: the actor and the changed fields. Pure.

The alert's text holds the arguments of the endpoint as Python prints them, raw keys included. Only the fields'
names, the hash of each key, and the values of the fields in `SHOWN` are taken from it.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from alertworker.events import Action, Entity
from alertworker.integrations.litellm.coerce import key_hash, name

#: LiteLLM's alert types of management, with the entity and the action of each.
MANAGEMENT: Final = {
    "new_virtual_key_created": (Entity.KEY, Action.CREATED),
    "virtual_key_updated": (Entity.KEY, Action.UPDATED),
    "virtual_key_deleted": (Entity.KEY, Action.DELETED),
    "new_team_created": (Entity.TEAM, Action.CREATED),
    "team_updated": (Entity.TEAM, Action.UPDATED),
    "team_deleted": (Entity.TEAM, Action.DELETED),
    "new_internal_user_created": (Entity.INTERNAL_USER, Action.CREATED),
    "internal_user_updated": (Entity.INTERNAL_USER, Action.UPDATED),
    "internal_user_deleted": (Entity.INTERNAL_USER, Action.DELETED),
}
_ACTOR: Final = re.compile(r"^created_by_(user_id|user_role|key_alias): `([^`\n]*)`$", re.MULTILINE)
#: The person on whose behalf the actor made the change (the header ``litellm-changed-by``).
_CHANGED_BY: Final = re.compile(r"^litellm_changed_by: `([^`\n]*)`$", re.MULTILINE)
#: A string as Python prints it: in double quotes if it holds an apostrophe, with backslashes if it holds both.
_TEXT: Final = r"""(?:'(?:[^'\\\n]|\\.)*+'|"(?:[^"\\\n]|\\.)*+")"""
#: ``field=value`` in a printed model, where the value is a string, a number or a flat list. Only a string may hold a
#: backslash, so at most three attempts read the same characters, and the time grows with the length alone.
_ARGUMENT: Final = re.compile(
    rf"""(?<![\w.])([a-z_][a-z0-9_]{{0,63}})=({_TEXT}|\[(?:{_TEXT}|[^\[\]\n'"\\])*+\]|[\w.<:-]+)"""
)
_QUOTED: Final = re.compile(_TEXT)
_ESCAPED: Final = re.compile(r"""\\(['"\\])""")
#: Fields whose values may leave the proxy.
SHOWN: Final = frozenset(
    ("budget_duration", "max_budget", "models", "rpm_limit", "soft_budget", "tpm_limit", "user_role")
)
_IDS: Final = {
    Entity.KEY: ("key", "keys", "key_hash"),
    Entity.TEAM: ("team_id", "team_ids"),
    Entity.INTERNAL_USER: ("user_id", "user_ids"),
}
#: Fields that hold the entity's display name.
ALIASES: Final = {
    Entity.KEY: ("key_alias", "key_aliases"),
    Entity.TEAM: ("team_alias",),
    Entity.INTERNAL_USER: ("user_alias", "user_email"),
    Entity.MODEL: ("model_name",),
}
_NOT_GIVEN: Final = frozenset(("None", "[]", "''", "<"))


def entity_changed(alert_type: str, message: str, *, now: datetime, host: str | None) -> dict[str, object]:
    """Return the fields of an `EntityChanged` for a management alert. The caller must still pass them to `outgoing`.

    ``alert_type`` is a key of `MANAGEMENT`, and ``host`` the proxy that sent the alert.
    """
    entity, action = MANAGEMENT[alert_type]
    who, _, arguments = message.partition("*Arguments passed:*")
    actor = {label: value for label, value in _ACTOR.findall(who) if value != "None"}
    given = {field: value for field, value in _ARGUMENT.findall(arguments) if value not in _NOT_GIVEN}
    ids = _values(given, _IDS[entity])
    ids = [key_hash(found) or "" for found in ids] if entity is Entity.KEY else ids
    aliases = _values(given, ALIASES[entity])
    on_behalf = _CHANGED_BY.search(arguments)
    more = {"and": ", ".join(ids[1:] or aliases[1:])} if len(ids) > 1 or len(aliases) > 1 else {}
    more |= {"changed by": on_behalf[1]} if on_behalf and on_behalf[1] not in ("None", "") else {}
    more |= {field: _unquoted(given[field]) for field in sorted(given) if field in SHOWN}
    return {
        "occurred_at": now,
        "entity": entity,
        "action": action,
        "entity_id": ids[0] if ids else None,
        "entity_alias": aliases[0] if aliases else None,
        "team_id": next(iter(_values(given, ("team_id",))), None),
        "actor_id": name(actor.get("user_id")),
        "actor_role": name(actor.get("user_role")),
        "actor_key_alias": name(actor.get("key_alias")),
        "changed": tuple(sorted(given))[:64],
        "details": more,
        "source_host": name(host or "unknown"),
    }


def _values(given: dict[str, str], fields: tuple[str, ...]) -> list[str]:
    """Return the values of the first of these fields that is not empty: one value, or each item of a list."""
    for field in fields:
        value = given.get(field, "")
        found = [_unquoted(text) for text in _QUOTED.findall(value)] or [value.strip("[]")]
        if any(found):
            return [shown for item in found if (shown := name(item))]
    return []


def _unquoted(value: str) -> str:
    """Return a printed string without its quotes and escapes, and any other value unchanged."""
    return _ESCAPED.sub(r"\1", value[1:-1]) if _QUOTED.fullmatch(value) else value
