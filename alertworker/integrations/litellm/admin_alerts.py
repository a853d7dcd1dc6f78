"""What LiteLLM prints when a key, team or internal user was changed: who did what, and which fields. Pure.

Its text holds the arguments of the endpoint as Python prints them, raw keys included. Names of fields are taken from
them, a key is taken as its hash, and values only of fields that say nothing secret.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final

from alertworker.events import Action, Entity
from alertworker.integrations.litellm.coerce import key_hash, name

#: LiteLLM's alert types of management, with what each says.
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
#: For whom the actor says to have done it (the header ``litellm-changed-by``).
_CHANGED_BY: Final = re.compile(r"^litellm_changed_by: `([^`\n]*)`$", re.MULTILINE)
#: A text as Python prints it: in double quotes where it holds an apostrophe, with backslashes where it holds both.
_TEXT: Final = r"""(?:'(?:[^'\\\n]|\\.)*+'|"(?:[^"\\\n]|\\.)*+")"""
#: ``field=value`` in a printed model; a value that is a text, a number or a flat list. Only a text may hold a
#: backslash, so that at most three attempts read the same characters, and time grows with the length alone.
_ARGUMENT: Final = re.compile(
    rf"""(?<![\w.])([a-z_][a-z0-9_]{{0,63}})=({_TEXT}|\[(?:{_TEXT}|[^\[\]\n'"\\])*+\]|[\w.<:-]+)"""
)
_QUOTED: Final = re.compile(_TEXT)
_ESCAPED: Final = re.compile(r"""\\(['"\\])""")
#: Fields whose values may be seen.
SHOWN: Final = frozenset(
    ("budget_duration", "max_budget", "models", "rpm_limit", "soft_budget", "tpm_limit", "user_role")
)
_IDS: Final = {
    Entity.KEY: ("key", "keys", "key_hash"),
    Entity.TEAM: ("team_id", "team_ids"),
    Entity.INTERNAL_USER: ("user_id", "user_ids"),
}
#: Fields that hold the name by which people know it.
ALIASES: Final = {
    Entity.KEY: ("key_alias", "key_aliases"),
    Entity.TEAM: ("team_alias",),
    Entity.INTERNAL_USER: ("user_alias", "user_email"),
    Entity.MODEL: ("model_name",),
}
_NOT_GIVEN: Final = frozenset(("None", "[]", "''", "<"))


def entity_changed(kind: str, message: str, *, now: datetime, host: str | None) -> dict[str, Any]:
    """Return the fields of an `EntityChanged` for the message of a management alert; `leaving` must still treat them.

    ``kind`` is one of `MANAGEMENT`, ``host`` the proxy that sent it.
    """
    entity, action = MANAGEMENT[kind]
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
    """Give what the first of these fields holds that holds something: one value, or each of a list."""
    for field in fields:
        value = given.get(field, "")
        found = [_unquoted(text) for text in _QUOTED.findall(value)] or [value.strip("[]")]
        if any(found):
            return [shown for item in found if (shown := name(item))]
    return []


def _unquoted(value: str) -> str:
    """Give a printed text as it was, but for characters that Python spells out; anything else as it is."""
    return _ESCAPED.sub(r"\1", value[1:-1]) if _QUOTED.fullmatch(value) else value
