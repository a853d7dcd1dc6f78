"""The budget webhook sends the fields and values of LiteLLM's alerting page: each row of its tables."""

from __future__ import annotations

import json
from datetime import date
from itertools import product
from typing import Any, Final

from alertworker.alerts.budget_payload import BudgetEvent, BudgetFigures
from alertworker.alerts.catalogue import AlertType
from alertworker.alerts.message import Step
from alertworker.channels import build_channel
from alertworker.channels.budget_webhook import BudgetWebhookConfig
from alertworker.events import BudgetScope
from tests import seed_page
from tests.contract.cases import message

#: Everything that can be known of a budget.
KNOWN: Final[dict[str, Any]] = {
    "entity_id": "app",
    "spend_nanos": 86_120_000_000,
    "max_nanos": 100_000_000_000,
    "projected_nanos": 172_000_000_000,
    "projected_exceeded_on": date(2026, 11, 18),
    "key_hash": "hash-1",
    "key_alias": "app",
    "team_id": "t1",
    "user_id": "u1",
    "user_email": "u1@example.com",
    "customer_id": "c1",
}
#: Fields of the page that are never null.
NEVER_NULL: Final = {name for name, types in seed_page.FIELDS.items() if type(None) not in types}


def posted(event: BudgetEvent, scope: BudgetScope, **known: Any) -> dict[str, Any]:
    """Return the object that a receiver gets."""
    channel = build_channel(BudgetWebhookConfig.model_validate({"name": "b", "url": seed_page.WEBHOOK_URL}))
    figures = BudgetFigures(event=event, scope=scope, **known)
    about = message(type=AlertType.BUDGET_ALERTS, step=Step.FIRING, figures=figures)
    return dict(json.loads(channel.render(about)))


def test_every_field_and_value_of_the_page_is_sent_and_no_other() -> None:
    """Each field has the type of the page's specification."""
    events, groups = set(), set()
    for event, scope in product(BudgetEvent, BudgetScope):
        read = posted(event, scope, **KNOWN)
        events.add(read["event"])
        groups.add(read["event_group"])
        assert set(read) == set(seed_page.FIELDS) | seed_page.SAMPLE_FIELDS
        assert [name for name, types in seed_page.FIELDS.items() if not isinstance(read[name], types)] == []

    assert events == set(seed_page.EVENTS)
    assert set(seed_page.GROUPS) <= groups


def test_unknown_fields_are_null_where_the_page_allows_it() -> None:
    """Every field except the spend, the key and the event."""
    read = posted(BudgetEvent.BUDGET_CROSSED, BudgetScope.KEY, entity_id="app", spend_nanos=1, key_hash="hash-1")

    assert {name for name in seed_page.FIELDS if read[name] is not None} == NEVER_NULL
