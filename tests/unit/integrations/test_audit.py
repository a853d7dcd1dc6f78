"""LiteLLM's audit log, as LiteLLM 1.106.2 hands it to callbacks: what was changed, and no secret."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertworker.events import EVENT, Action, EntityChanged
from alertworker.integrations.litellm.audit import entity_changed
from alertworker.integrations.litellm.options import CallbackOptions
from alertworker.integrations.litellm.recorder import Recorder
from tests.unit.integrations.recording import RecordingPublisher

HASH = "a" * 64
ROW = {
    "token": HASH, "key_name": "sk-.**7890", "key_alias": "prod*app1", "spend": 0.0, "max_budget": 10.0, "models": [],
    "aliases": {}, "config": {}, "team_id": "t1", "metadata": {"note": "of the board"}, "permissions": {},
}  # fmt: skip
GIVEN = {"models": ["gpt-4o"], "max_budget": 20.0, "config": {}, "permissions": {}, "key": "sk-R************7890"}
CREATED = ROW | {"key": "sk-R************7890", "token_id": HASH, "expires": "None"}
MEMBER = {"user_id": "u1", "user_email": "None", "role": "user"}


def entry(action: str, table: str = "LiteLLM_VerificationToken", object_id: str = HASH, **values: Any) -> Any:
    """Return an entry of the audit log; ``before`` and ``after`` are its values."""
    return {
        "id": "76563c9e-fa0c-44db-af66-57c1725b7e34",
        "updated_at": "2026-11-25T22:27:51.862868+00:00",
        "changed_by": "ada",
        "changed_by_api_key": "9" * 64,
        "action": action,
        "table_name": table,
        "object_id": object_id,
        "before_value": json.dumps(values["before"]) if "before" in values else None,
        "updated_values": json.dumps(values.get("after", {})),
    }


def change_of(raw: Any) -> EntityChanged:
    """Return the event that the callback publishes for an entry."""
    publisher = RecordingPublisher()
    Recorder(publisher, CallbackOptions()).changed(raw)
    (event,) = publisher.events
    assert isinstance(event, EntityChanged)
    return event


def test_a_keys_update_names_its_fields_and_shows_harmless_values() -> None:
    """Unchanged fields, absent fields and the key itself are not changes."""
    event = change_of(entry("updated", before=ROW, after=GIVEN))

    assert (event.entity, event.action, event.entity_id) == ("key", "updated", HASH)
    assert (event.entity_alias, event.team_id, event.actor_id) == ("prod*app1", "t1", "ada")
    assert event.changed == ("max_budget", "models")
    assert event.details == {"max_budget": "10.0 → 20.0", "models": "['gpt-4o']"}
    assert event.occurred_at.isoformat() == "2026-11-25T22:27:51.862868+00:00"


def test_only_safe_values_are_shown_and_other_fields_are_named() -> None:
    """A key's metadata may say anything."""
    event = change_of(entry("created", after=CREATED))

    assert event.changed == ("key_alias", "max_budget", "metadata")
    assert event.details == {"max_budget": "10.0"}
    assert "board" not in event.model_dump_json()


@pytest.mark.parametrize(
    ("raw", "action", "entity_id"),
    [
        (entry("rotated", before=ROW, after=CREATED), Action.REGENERATED, HASH),
        (entry("blocked", before=ROW), Action.BLOCKED, HASH),
        (entry("unblocked", before=ROW), Action.UNBLOCKED, HASH),
        (entry("deleted", before=ROW), Action.DELETED, HASH),
        (entry("deleted", "LiteLLM_UserTable", "u1", before={"user_email": "u@example.com"}), Action.DELETED, "u1"),
        (entry("created", "LiteLLM_ProxyModelTable", "m1", after={"model_name": "o3"}), Action.CREATED, "m1"),
        (
            entry("updated", "LiteLLM_TeamTable", "t1", before={"max_budget": 5.0}, after={"max_budget": 7}),
            Action.UPDATED,
            "t1",
        ),
    ],
)
def test_each_action_has_its_word(raw: Any, action: Action, entity_id: str) -> None:
    """The catalogue of types has the same."""
    event = change_of(raw)
    assert (event.action, event.entity_id) == (action, entity_id)


@pytest.mark.parametrize(
    ("before", "after", "action", "who"),
    [
        ([MEMBER], [MEMBER, MEMBER | {"user_id": "u2"}], Action.MEMBER_ADDED, "u2"),
        ([MEMBER], [], Action.MEMBER_REMOVED, "u1"),
        ([MEMBER], [MEMBER | {"role": "admin"}], Action.UPDATED, None),
    ],
)
def test_members_come_and_go(before: list[Any], after: list[Any], action: Action, who: str | None) -> None:
    """LiteLLM logs it as an update of the team, with both lists."""
    values = ({"team_alias": "Search", "members_with_roles": members} for members in (before, after))
    event = change_of(entry("updated", "LiteLLM_TeamTable", "t1", before=next(values), after=next(values)))

    assert (event.action, event.entity_alias, event.team_id) == (action, "Search", "t1")
    assert event.details.get("member") == who


def test_other_tables_are_passed_over() -> None:
    """Tools, files and settings of the proxy."""
    assert entity_changed(entry("created", "LiteLLM_ToolTable")) is None
    assert entity_changed(entry("kill_switch_fired", "LiteLLM_AgentsTable")) is None


@given(st.text(max_size=5), st.one_of(st.none(), st.text(), st.dictionaries(st.text(), st.integers() | st.text())))
def test_for_any_values_the_event_is_valid_and_shows_no_key(alias: str, values: Any) -> None:
    """LiteLLM's masking is not relied upon."""
    raw = "sk-live0123456789abcdef"
    log = entry("updated", object_id=raw, before={"key_alias": f"{alias} {raw}"}, after={"max_budget": raw, raw: raw})
    event = EVENT.validate_python(entity_changed(log))

    assert raw not in event.model_dump_json()
    EVENT.validate_python(entity_changed(log | {"before_value": values, "updated_values": values}))
