"""The budget webhook: the fields and values of LiteLLM's alerting page, or those that LiteLLM 1.106 sends."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from pydantic import SecretStr

from alertworker.alerts.budget_payload import BudgetEvent, BudgetFigures
from alertworker.alerts.catalogue import AlertType
from alertworker.alerts.message import Message, Step
from alertworker.channels import build_channel
from alertworker.channels.budget_webhook import BudgetWebhookConfig
from alertworker.channels.pagerduty import PagerDutyConfig
from alertworker.channels.slack import SlackConfig
from alertworker.delivery.channel import Channel
from alertworker.delivery.retry import DeliveryError
from alertworker.events import BudgetScope
from tests import seed_page
from tests.contract.cases import message
from tests.contract.corpus import CORPUS

DOLLAR = 1_000_000_000
URL = SecretStr("https://receiver.example/x")
#: The fields of the page's specification. ``user_id`` is only in its sample.
PAGE = {
    "spend", "max_budget", "token", "customer_id", "internal_user_id", "user_id", "team_id", "user_email", "key_alias",
    "projected_exceeded_date", "projected_spend", "event", "event_group", "event_message",
}  # fmt: skip
#: ``WebhookEvent`` of LiteLLM 1.106.
LITELLM = PAGE - {"internal_user_id"} | {
    "soft_budget", "team_alias", "organization_id", "alert_emails", "max_budget_alert_emails",
}  # fmt: skip


def figures(**more: Any) -> BudgetFigures:
    """Return a key's figures. A test changes some of them."""
    fields: dict[str, Any] = {
        "event": BudgetEvent.THRESHOLD_CROSSED,
        "scope": BudgetScope.KEY,
        "entity_id": "app",
        "spend_nanos": 86_120_000_000,
        "max_nanos": 100 * DOLLAR,
        "soft_nanos": 90 * DOLLAR,
        "crossed": 85,
        "projected_nanos": 172 * DOLLAR,
        "projected_exceeded_on": date(2026, 11, 18),
        "key_hash": "hash-1",
        "key_alias": "app",
        "team_id": "t1",
        "team_alias": "search",
        "user_id": "u1",
        "user_email": "u1@example.com",
    }
    return BudgetFigures(**fields | more)


def channel(form: str = "page") -> Channel:
    """Build a channel of one form."""
    return build_channel(BudgetWebhookConfig.model_validate({"name": "b", "url": URL, "format": form}))


def posted(form: str = "page", **more: Any) -> dict[str, Any]:
    """Return the object that a receiver gets."""
    about = message(type=AlertType.BUDGET_ALERTS, step=Step.FIRING, figures=figures(**more))
    return dict(json.loads(channel(form).render(about)))


def test_the_pages_form() -> None:
    """Each field of the specification, and no other. The user is there under both names."""
    assert posted() == {
        "spend": 86.12,
        "max_budget": 100.0,
        "token": "hash-1",
        "customer_id": None,
        "internal_user_id": "u1",
        "user_id": "u1",
        "team_id": "t1",
        "user_email": "u1@example.com",
        "key_alias": "app",
        "projected_exceeded_date": "2026-11-18",
        "projected_spend": 172.0,
        "event": "threshold_crossed",
        "event_group": "key",
        "event_message": "Key Budget: 15% or less of budget remaining",
    }
    assert set(posted()) == PAGE


def test_litellms_form() -> None:
    """The fields of 1.106, with its own words in the message."""
    crossed = posted("litellm", event=BudgetEvent.BUDGET_CROSSED, spend_nanos=100 * DOLLAR, crossed=100)

    assert set(crossed) == LITELLM
    assert crossed["event_message"] == "Key Budget: Budget Crossed\n Total Budget:`100.0`"
    assert (crossed["soft_budget"], crossed["team_alias"], crossed["alert_emails"]) == (90.0, "search", None)


@pytest.mark.parametrize(
    ("scope", "page", "litellm"),
    [
        (BudgetScope.CUSTOMER, "customer", "end_user"),
        (BudgetScope.USER, "internal_user", "user"),
        (BudgetScope.KEY, "key", "key"),
        (BudgetScope.TEAM, "team", "team"),
        (BudgetScope.PROXY, "proxy", "proxy"),
        (BudgetScope.ORGANIZATION, "organization", "organization"),
    ],
)
def test_groups_have_the_names_of_the_form(scope: BudgetScope, page: str, litellm: str) -> None:
    """The five of the page, LiteLLM's where they differ, and other groups by their own name."""
    assert (posted(scope=scope)["event_group"], posted("litellm", scope=scope)["event_group"]) == (page, litellm)


@pytest.mark.parametrize(
    ("event", "page", "text"),
    [
        (BudgetEvent.BUDGET_CROSSED, "budget_crossed", "Key Budget: Budget Crossed"),
        (BudgetEvent.THRESHOLD_CROSSED, "threshold_crossed", "Key Budget: 15% or less of budget remaining"),
        (BudgetEvent.SOFT_BUDGET_CROSSED, "threshold_crossed", "Soft Budget Crossed"),
        (BudgetEvent.PROJECTED_LIMIT_EXCEEDED, "projected_limit_exceeded", "Key Budget: Projected Limit Exceeded"),
    ],
)
def test_events_have_the_names_of_the_form(event: BudgetEvent, page: str, text: str) -> None:
    """The page has no event of a soft budget. There, crossing one is crossing a threshold."""
    read = posted(event=event)

    assert (read["event"], read["event_message"]) == (page, text)
    assert posted("litellm", event=event)["event"] == event.value


def test_a_customers_call_is_an_event_of_its_own() -> None:
    """Its spend is the cost of the call. Both forms have LiteLLM's words."""
    call: dict[str, Any] = {
        "event": BudgetEvent.SPEND_TRACKED,
        "scope": BudgetScope.CUSTOMER,
        "entity_id": "acme",
        "customer_id": "acme",
        "spend_nanos": 13_500,
        "soft_nanos": None,
        "crossed": None,
        "projected_nanos": None,
        "projected_exceeded_on": None,
    }
    page, litellm = posted(**call), posted("litellm", **call)

    assert {**page, **litellm} | {"event_group": "", "user_id": ""} == {
        "spend": 1.35e-05,
        "max_budget": 100.0,
        "soft_budget": None,
        "token": "hash-1",
        "customer_id": "acme",
        "internal_user_id": "u1",
        "user_id": "",
        "team_id": "t1",
        "team_alias": "search",
        "organization_id": None,
        "user_email": "u1@example.com",
        "key_alias": "app",
        "projected_exceeded_date": None,
        "projected_spend": None,
        "alert_emails": None,
        "max_budget_alert_emails": None,
        "event": "spend_tracked",
        "event_group": "",
        "event_message": "Customer spend tracked. Customer=acme, spend=1.35e-05",
    }
    assert (page["event_group"], litellm["event_group"]) == ("customer", "end_user")


@pytest.mark.parametrize("text", CORPUS.values(), ids=list(CORPUS))
def test_names_arrive_as_they_are(text: str) -> None:
    """A program reads them. Only halves of pairs cannot be sent."""
    assert posted(key_alias=text)["key_alias"] == text.encode(errors="replace").decode()


def test_amounts_of_a_nano_dollar_and_of_millions_are_exact_as_floats() -> None:
    """A receiver parses the exact amount."""
    assert posted(spend_nanos=1)["spend"] == 1e-9
    assert posted(spend_nanos=12_345_678_123_456_789)["spend"] == 12345678.123456789
    assert posted(max_nanos=None)["max_budget"] is None


@pytest.mark.parametrize("step", list(Step))
def test_it_takes_events_of_budgets_and_nothing_else(step: Step) -> None:
    """Each event once, and its reminders. No end, no summary, and no message without figures."""
    with_figures = message(step=step, type=AlertType.BUDGET_ALERTS, figures=figures())

    assert channel().takes(with_figures) == (step in (Step.NOTICE, Step.FIRING, Step.REMINDER, Step.TRACKED))
    assert not channel().takes(message(step=step))
    assert channel().digest_size == 0


def test_a_test_sends_the_pages_sample() -> None:
    """A receiver sees every field."""
    sample = json.loads(channel().render(message(step=Step.TEST)))

    assert set(sample) == PAGE
    assert [name for name, types in seed_page.FIELDS.items() if not isinstance(sample[name], types)] == []
    assert (sample["spend"], sample["max_budget"], sample["user_id"]) == (1.0, 0.0, "default_user_id")
    assert sample["event_message"] == "User Budget: Budget Crossed"


@pytest.mark.parametrize("form", ["page", "litellm"])
@pytest.mark.parametrize("step", [step for step in Step if step is not Step.TEST])
def test_nothing_but_a_test_sends_the_sample(step: Step, form: str) -> None:
    """A message without figures has no body."""
    with pytest.raises(DeliveryError, match="the message must have the figures of a budget"):
        channel(form).render(message(step=step))


def test_a_teams_soft_budget_names_the_addresses_of_the_team() -> None:
    """LiteLLM's form has a list, as LiteLLM sends it, with this event alone."""
    emails = {"alert_emails": "lead@example.com, ops@example.com,"}
    soft = {"event": BudgetEvent.SOFT_BUDGET_CROSSED, "scope": BudgetScope.TEAM}

    assert posted("litellm", **soft, **emails)["alert_emails"] == ["lead@example.com", "ops@example.com"]
    assert posted("litellm", **soft, alert_emails=" ")["alert_emails"] is None
    assert posted("litellm", **soft | {"scope": BudgetScope.KEY}, **emails)["alert_emails"] is None
    assert posted("litellm", scope=BudgetScope.TEAM, **emails)["alert_emails"] is None


def test_figures_travel_with_a_message() -> None:
    """They survive the row that the message waits in."""
    sent = message(figures=figures())

    assert Message.model_validate_json(sent.model_dump_json()) == sent


@pytest.mark.parametrize("alert_type", [AlertType.SPEND_REPORTS, AlertType.DAILY_REPORTS, AlertType.FALLBACK_REPORTS])
def test_a_report_does_not_page(alert_type: AlertType) -> None:
    """PagerDuty takes no report, even if a route leads there. A chat does."""
    pager = build_channel(PagerDutyConfig(name="p", routing_key=SecretStr("canaryRoutingKey")))

    assert not pager.takes(message(type=alert_type))
    assert pager.takes(message())
    assert build_channel(SlackConfig(name="s", url=URL)).takes(message(type=alert_type))
