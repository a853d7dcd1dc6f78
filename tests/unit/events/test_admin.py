"""Events of administration and of the relay of any producer hold no raw key."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from alertworker.events import EVENT, AlertRelayed, BudgetReported, EntityChanged

_KEYS = st.from_regex(r"sk-[A-Za-z0-9]{16,40}", fullmatch=True)


@given(_KEYS)
def test_no_field_keeps_a_raw_key(key: str) -> None:
    """This holds for names, texts, lists and mappings."""
    changed = {
        "type": "admin.entity.changed",
        "entity": "key",
        "action": "deleted",
        "entity_id": key,
        "entity_alias": f"alias {key}",
        "changed": [key],
        "details": {"keys": f"['{key}']", key: "1"},
    }
    relayed = {
        "type": "litellm.alert.relayed",
        "alert_type": "virtual_key_deleted",
        "headline": f"Deleted {key}",
        "text": f"data: keys=['{key}']",
        "facts": {"data": key},
        "metadata": {"key": key},
    }
    reported = {
        "type": "litellm.budget.reported",
        "event": "budget_crossed",
        "scope": "key",
        "entity_id": key,
        "message": key,
    }

    for raw in (changed, relayed, reported):
        event = EVENT.validate_json(json.dumps(raw))
        assert isinstance(event, EntityChanged | AlertRelayed | BudgetReported)
        assert key not in event.model_dump_json()


def test_litellms_short_form_of_a_key_stays() -> None:
    """The text distinguishes keys and gives no access."""
    event = AlertRelayed(alert_type="virtual_key_updated", headline="sk-...7890 was updated")

    assert event.headline == "sk-...7890 was updated"
