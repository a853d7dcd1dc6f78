"""A destination that is our own relay: refused, with what helps against it."""

from __future__ import annotations

from pathlib import Path

import pytest

from alertworker.alerts.catalogue import AlertType
from alertworker.settings.channel_config import channel_name
from tests.unit.settings.test_settings import HOOK, load, problems, route

RELAY = "http://127.0.0.1:4010/integrations/litellm/slack"
OURS = {"ALERTWORKER_SLACK_WEBHOOK_URL": HOOK}


@pytest.mark.parametrize("variable", ["SLACK_WEBHOOK_URL", "MS_TEAMS_WEBHOOK_URL", "ALERTWORKER_SLACK_WEBHOOK_URL"])
def test_a_destination_that_is_our_own_relay_is_refused(tmp_path: Path, variable: str) -> None:
    """Every alert would come back as an alert; the variable is named, and what to do."""
    relay = "http://127.0.0.1:4010/integrations/litellm/slack/db_exceptions?key=canary"

    text = problems(tmp_path, "", {variable: relay})
    assert f"environment {variable}: the URL is our own relay" in text
    assert "canary" not in text
    mapped = f"general_settings: {{alert_to_webhook_url: {{db_exceptions: '{relay}'}}}}"
    assert "alert_to_webhook_url.db_exceptions: the URL is our own relay" in problems(tmp_path, mapped)
    receiver = f"alertworker: {{receivers: [{{name: a, channels: [{{kind: slack, url: '{relay}'}}]}}]}}"
    assert "channels[0].url: the URL is our own relay" in problems(tmp_path, receiver)


@pytest.mark.parametrize(
    ("variable", "litellms", "remedy", "own"),
    [
        ("SLACK_WEBHOOK_URL", "{}", "leave it to the proxy and set ALERTWORKER_SLACK_WEBHOOK_URL", "{}"),
        ("ALERTING_WEBHOOK_URL", "{}", "leave it to the proxy and set ALERTWORKER_SLACK_WEBHOOK_URL", "{}"),
        ("ALERTWORKER_SLACK_WEBHOOK_URL", "{}", "come back; use the URL of the chat", "{}"),
        ("WEBHOOK_URL", "{alerting: [slack, webhook]}", 'alerting: ["slack"]', '{alerting: ["slack"]}'),
        ("DISCORD_WEBHOOK_URL", "{alerting: [slack, discord]}", 'alerting: ["slack"]', '{alerting: ["slack"]}'),
        ("MS_TEAMS_WEBHOOK_URL", "{}", 'alerting: ["slack", "discord"]', '{alerting: ["slack", "discord"]}'),
    ],
)
def test_the_remedy_is_the_variables_own_and_works(
    tmp_path: Path, variable: str, litellms: str, remedy: str, own: str
) -> None:
    """Each URL has one problem, and the remedy removes the loop."""
    litellms = f"general_settings: {litellms}\n"
    (problem,) = problems(tmp_path, litellms, {variable: RELAY}).splitlines()
    assert problem.startswith(f"environment {variable}: the URL is our own relay")
    assert remedy in problem

    settings = load(tmp_path, f"{litellms}alertworker: {own}\n", {variable: RELAY} | OURS)
    assert route(settings, AlertType.DB_EXCEPTIONS) == (channel_name("slack", HOOK),)
    assert settings.warnings == ()


def test_both_of_the_proxys_variables_may_point_at_the_relay(tmp_path: Path) -> None:
    """The one variable is not checked in place of the other. Ours comes first."""
    shared = {"SLACK_WEBHOOK_URL": RELAY, "WEBHOOK_URL": RELAY.replace("slack", "webhook")} | OURS
    litellms = "general_settings: {alerting: [slack, webhook]}\n"
    (problem,) = problems(tmp_path, litellms, shared).splitlines()
    assert "environment WEBHOOK_URL" in problem
    assert "ALERTWORKER_SLACK_WEBHOOK_URL" not in problem

    assert load(tmp_path, litellms + "alertworker: {alerting: [slack]}", shared).warnings == ()


def test_addresses_per_type_can_be_ours_alone(tmp_path: Path) -> None:
    """LiteLLM's stay as they are."""
    litellms = f"general_settings: {{alert_to_webhook_url: {{db_exceptions: '{RELAY}'}}}}\n"
    assert "use the URL of the chat, under alertworker:" in problems(tmp_path, litellms)
    own = f"alertworker: {{alert_to_webhook_url: {{db_exceptions: '{HOOK}'}}}}"
    assert route(load(tmp_path, litellms + own), AlertType.DB_EXCEPTIONS) == (channel_name("slack", HOOK),)


def test_the_proxys_variable_may_point_at_the_relay_where_ours_is_set(tmp_path: Path) -> None:
    """Both read the same environment, and nothing goes round."""
    environ = {
        "SLACK_WEBHOOK_URL": "http://127.0.0.1:4010/integrations/litellm/slack",
        "ALERTWORKER_SLACK_WEBHOOK_URL": HOOK,
    }

    settings = load(tmp_path, "", environ)

    assert [channel.kind for channel in settings.channels] == ["slack"]
    assert route(settings, AlertType.DB_EXCEPTIONS) == (settings.channels[0].name,)
