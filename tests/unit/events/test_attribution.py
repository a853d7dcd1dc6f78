"""Attribution: whose call it is, as labels, as ledger entities and as a budget's owner."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from alertworker.alerts.budget_payload import BudgetFigures, owner_names
from alertworker.events import Attribution, BudgetReported, BudgetScope, RequestSucceeded
from alertworker.events.attribution import NO_TEAM, OWNER_LABELS, TARGET_LABELS
from alertworker.ledger.rows import DIMENSIONS

NOW = datetime(2026, 11, 23, tzinfo=UTC)
NAMES = {
    "team_id": "t1", "team_alias": "search", "key_hash": "hash", "key_alias": "app", "user_id": "u1",
    "user_email": "ann@example.com", "customer_id": "c1", "organization_id": "o1", "organization_alias": "org",
}  # fmt: skip


def call(**more: Any) -> RequestSucceeded:
    """Make a call of everybody, on everything."""
    facts = {
        "call_id": "c", "started_at": NOW, "ended_at": NOW, "model": "gpt-4o-2024", "model_group": "gpt-4o",
        "provider": "azure", "region": "eu", "deployment_id": "d1", "tags": ("a", "b", "a"),
        "team_metadata": {"alert_receiver": "team-chat", "soft_budget_alerting_emails": "a@x.io"},
        "key_metadata": {"alert_receiver": "key-chat"},
    }  # fmt: skip
    return RequestSucceeded(**(facts | NAMES | more))


def test_a_call_has_every_label_that_routes_can_ask_about() -> None:
    """A label is the name if there is one."""
    assert call().attribution.labels() == {
        "model": "gpt-4o",
        "provider": "azure",
        "region": "eu",
        "deployment": "d1",
        "team": "search",
        "key": "app",
        "user": "u1",
        "organization": "org",
        "tag": "a,b,a",
        "alert_receiver": "key-chat",
    }
    assert set(call().attribution.labels()) == {*OWNER_LABELS, *TARGET_LABELS}


def test_a_call_without_names_has_no_labels() -> None:
    """An unknown label is absent, not empty."""
    bare = RequestSucceeded(call_id="c", started_at=NOW, ended_at=NOW)

    assert bare.attribution == Attribution()
    assert bare.attribution.labels() == {}
    assert bare.attribution.team == NO_TEAM


def test_a_call_is_in_every_dimension_of_the_ledger() -> None:
    """An entity is identified by its id, and each distinct tag counts once."""
    entities = list(call().attribution.ledger_entities())

    assert [entity for dimension, entity, _ in entities if dimension == "tag"] == ["a", "b"]
    assert {dimension for dimension, _, _ in entities} == set(DIMENSIONS)
    assert ("user/key", "u1", "hash") in entities


@pytest.mark.parametrize(("tags", "expected"), [((), [("team", "", ""), ("tag", "", "")]), (None, [("team", "", "")])])
def test_no_tag_is_an_entity_and_unknown_tags_are_not(
    tags: tuple[str, ...] | None, expected: list[tuple[str, str, str]]
) -> None:
    """A source that does not know the tags adds none."""
    assert list(Attribution(tags=tags).ledger_entities()) == expected


def test_a_teams_budget_is_not_the_keys_and_goes_to_the_teams_receiver() -> None:
    """The key that happened to call names neither the owner nor the receiver."""
    whose = call().attribution

    assert whose.only("team") == Attribution(
        team_id="t1", team_alias="search", alert_receiver="team-chat", alert_emails="a@x.io"
    )
    assert whose.only("key", "team").alert_receiver == "key-chat"
    assert whose.only() == Attribution()


def test_a_later_attribution_keeps_known_values() -> None:
    """A renamed team has its new name and its old id."""
    known = Attribution(team_id="t1", team_alias="search", tags=("a",))

    assert known.updated(Attribution(team_alias="find")) == Attribution(team_id="t1", team_alias="find", tags=("a",))


def test_a_report_of_litellms_alerting_names_the_same_people() -> None:
    """It knows no models, deployments and tags."""
    names: dict[str, Any] = {name: value for name, value in NAMES.items() if name != "organization_alias"}
    facts: dict[str, Any] = {"event": "spend_tracked", "scope": BudgetScope.TEAM, "entity_id": "t1"}

    assert BudgetReported(**facts, **names).attribution == Attribution(**names)


def test_a_budgets_payload_names_its_whole_owner() -> None:
    """Every name that the payload has a field for; an unknown one is null."""
    names = owner_names(call().attribution)

    assert names == {name: value for name, value in NAMES.items() if name != "organization_alias"} | {
        "alert_emails": "a@x.io"
    }
    assert set(owner_names(Attribution()).values()) == {None}
    assert BudgetFigures(event="budget_crossed", scope="team", entity_id="t1", spend_nanos=1, **names).team_id == "t1"
