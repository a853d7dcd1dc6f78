"""LiteLLM's alerting page, row by row and example by example: none can go missing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

import pytest

from alertworker.alerts.catalogue import CATALOGUE, OURS, AlertType
from alertworker.budgets.readings import SHARES
from alertworker.channels import build_channel
from alertworker.integrations.litellm.options import CallbackOptions
from alertworker.pipeline import Runtime, routed_channels
from alertworker.settings import Settings, load_settings
from alertworker.settings.values import AlertingArgs
from alertworker.web.services import SERVICES
from tests import seed_page

NOW: Final = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
ON: Final = {name for name, on in seed_page.TYPES.items() if on}
SLACK: Final = {"SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T000/B000/canary"}
NUMBERED: Final = {f"SLACK_WEBHOOK_URL_{number}": f"{SLACK['SLACK_WEBHOOK_URL']}{number}" for number in range(2, 21)}
MAPPED: Final = {
    "llm_exceptions", "llm_too_slow", "llm_requests_hanging", "budget_alerts", "db_exceptions", "daily_reports",
    "spend_reports", "cooldown_deployment", "new_model_added", "outage_alerts",
}  # fmt: skip
#: Each example with its environment, the types it turns on, the kinds of its channels, and the service that tests it.
EXAMPLES: Final[dict[str, tuple[str, dict[str, str], set[str], set[str], str]]] = {
    "quick start": (seed_page.QUICK_START, SLACK, ON, {"slack"}, "slack"),
    "redacted": (seed_page.REDACTED, SLACK, {"spend_reports"}, {"slack"}, "slack"),
    "chosen types": (seed_page.CHOSEN, SLACK, MAPPED - {"outage_alerts"}, {"slack"}, "slack"),
    "a channel each": (seed_page.ONE_CHANNEL_EACH, {}, ON, {"slack"}, "slack"),
    "channels each": (seed_page.SEVERAL_CHANNELS_EACH, SLACK | NUMBERED, ON, {"slack"}, "slack"),
    "teams": (seed_page.TEAMS, {"SLACK_WEBHOOK_URL": seed_page.TEAMS_URL}, ON, {"ms_teams"}, "slack"),
    "discord": (seed_page.DISCORD, {}, ON, {"discord"}, "slack"),
    "webhook": (seed_page.WEBHOOK, {"WEBHOOK_URL": seed_page.WEBHOOK_URL}, ON, {"budget_webhook"}, "webhook"),
    "regions": (seed_page.REGIONS, SLACK, {"region_outage_alerts"}, {"slack"}, "slack"),
    "regions, tuned": (seed_page.REGIONS_TUNED, SLACK, {"region_outage_alerts"}, {"slack"}, "slack"),
}


def load(tmp_path: Path, name: str) -> Settings:
    """Load an example, word for word."""
    text, environ, *_ = EXAMPLES[name]
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return load_settings(environ=environ, config=path)


def goes_to(settings: Settings, alert_type: str) -> set[str]:
    """Return the addresses that an alert of a type goes to."""
    names = settings.router().decide(AlertType(alert_type), {"alert_type": alert_type}, now=NOW).channels
    channels: list[Any] = [channel for channel in settings.channels if channel.name in names]
    return {channel.url.get_secret_value() for channel in channels}


def test_every_type_of_the_page_has_its_default() -> None:
    """Each type has the page's name and the page's default."""
    known = {alert_type.value: spec.on_by_default for alert_type, spec in CATALOGUE.items()}

    assert {name: known.get(name) for name in seed_page.TYPES} == seed_page.TYPES


def test_every_row_of_alerting_args_has_its_default() -> None:
    """No row is missing."""
    assert AlertingArgs().model_dump(include=set(seed_page.ARGS)) == seed_page.ARGS


def test_thresholds_and_services_are_the_pages() -> None:
    """When a share of a budget is notified, and what can be tested by name."""
    assert SHARES == seed_page.SHARES
    assert set(seed_page.SERVICES) <= set(SERVICES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_of_the_page_works(tmp_path: Path, name: str) -> None:
    """Exactly the types it asks for are on, by the page's arguments, and its channel can be tested."""
    _, _, types, kinds, service = EXAMPLES[name]
    settings = load(tmp_path, name)
    channels = {config.name: build_channel(config) for config in settings.channels}
    runtime = Runtime(cast("Any", None), cast("Any", None), channels, settings.router())

    assert {
        alert_type.value for alert_type in settings.alert_types - OURS if alert_type.value in seed_page.TYPES
    } == types
    assert settings.alerting_args.model_dump(include=set(seed_page.ARGS)) == seed_page.ARGS
    assert {channel.kind for channel in channels.values()} == kinds
    assert {kind for _, kind in routed_channels(service, settings.alert_types, runtime)}
    assert settings.warnings == ()


@pytest.mark.parametrize("name", ["quick start", "redacted", "chosen types", "teams", "discord", "regions"])
def test_all_that_is_on_goes_to_the_one_chat(tmp_path: Path, name: str) -> None:
    """The example has one URL."""
    settings = load(tmp_path, name)

    for alert_type in settings.alert_types:
        assert len(goes_to(settings, alert_type.value)) == 1


def test_each_type_goes_to_the_addresses_that_it_is_mapped_to(tmp_path: Path) -> None:
    """A type can have several URLs, in the file or in the environment."""
    one, several = load(tmp_path, "a channel each"), load(tmp_path, "channels each")
    environ = SLACK | NUMBERED

    for alert_type in MAPPED:
        assert goes_to(one, alert_type) == {
            "https://hooks.slack.com/services/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"
        }
        assert len(goes_to(several, alert_type)) == 2
    assert goes_to(several, "llm_exceptions") == {environ["SLACK_WEBHOOK_URL"], environ["SLACK_WEBHOOK_URL_2"]}
    assert goes_to(several, "outage_alerts") == {environ["SLACK_WEBHOOK_URL_19"], environ["SLACK_WEBHOOK_URL_20"]}


def test_thresholds_of_the_examples_are_in_force(tmp_path: Path) -> None:
    """Five minutes, or a tenth of a millisecond; and a report each day."""
    assert load(tmp_path, "quick start").alerting_threshold == load(tmp_path, "teams").alerting_threshold == 300
    assert load(tmp_path, "quick start").spend_report_frequency == "1d"
    assert load(tmp_path, "a channel each").alerting_threshold == 0.0001


def test_the_budget_webhook_gets_budgets_only(tmp_path: Path) -> None:
    """The page's webhook does the same."""
    settings = load(tmp_path, "webhook")

    assert {alert_type for alert_type in ON if goes_to(settings, alert_type)} == {"budget_alerts"}
    assert goes_to(settings, "budget_alerts") == {seed_page.WEBHOOK_URL}


def test_messages_are_suppressed_as_in_the_example() -> None:
    """The proxy's side reads it."""
    config = {"litellm_settings": {"redact_messages_in_exceptions": True}}

    assert CallbackOptions.read({}, config).show_messages is False
