"""Configured receivers and trees: one name is one channel, and unreached channels are warnings."""

from __future__ import annotations

from pathlib import Path

from alertworker.alerts.catalogue import AlertType
from tests.unit.settings.test_settings import HOOK, OTHER, load, problems, route

LITELLMS = f"""
general_settings:
  alerting: [slack, webhook]
  alert_to_webhook_url: {{llm_exceptions: "{OTHER}"}}
"""
WEBHOOK = "https://receiver.example/x"


def test_a_name_is_one_channels(tmp_path: Path) -> None:
    """Two that share it would go to the first one's address; equal ones are one, also in two receivers."""
    text = """
alertworker:
  receivers:
    - {name: x, channels: [{kind: slack, name: chat, url: "https://hooks.slack.com/services/T0/B0/canary"}]}
    - {name: y, channels: [{kind: %s, name: chat, url: "https://%s"}]}
  route: {receiver: x, routes: [{receiver: y}]}
"""
    problem = problems(tmp_path, text % ("ms_teams", "contoso.webhook.office.com/canary2"))
    assert "receivers[1].channels[0].name: there is another channel 'chat', with another kind and url" in problem
    assert "rename one of them" in problem
    assert "canary" not in problem
    assert route(
        load(tmp_path, text % ("slack", "hooks.slack.com/services/T0/B0/canary")), AlertType.LLM_EXCEPTIONS
    ) == ("chat",)


def test_a_root_with_an_empty_receiver_sends_nothing(tmp_path: Path) -> None:
    """An empty string is not a mistake."""
    assert route(load(tmp_path, 'alertworker: {route: {receiver: ""}}'), AlertType.LLM_EXCEPTIONS) == ()


def test_channels_that_no_route_leads_to_are_warned_of(tmp_path: Path) -> None:
    """A tree of one's own leaves out LiteLLM's words, but for the default chats."""
    environ = {"SLACK_WEBHOOK_URL": HOOK, "WEBHOOK_URL": WEBHOOK}
    assert load(tmp_path, LITELLMS, environ).warnings == ()

    settings = load(tmp_path, LITELLMS + "alertworker: {route: {receiver: default}}\n", environ)
    left = {
        "config.yaml:4 general_settings.alert_to_webhook_url.llm_exceptions": "llm_exceptions",
        "environment WEBHOOK_URL": "budget_alerts",
    }
    assert set(settings.warnings) == {
        f"{place}: no route leads to this channel; name its receiver ({receiver}) there"
        for place, receiver in left.items()
    }


def test_channels_of_litellms_keys_can_be_named_in_routes(tmp_path: Path) -> None:
    """Then nothing is left out; a receiver that takes such a name is an error."""
    environ = {"SLACK_WEBHOOK_URL": HOOK, "WEBHOOK_URL": WEBHOOK}
    tree = "{receiver: default, routes: [{receiver: llm_exceptions, continue: true}, {receiver: budget_alerts}]}"
    assert load(tmp_path, f"{LITELLMS}alertworker: {{route: {tree}}}\n", environ).warnings == ()

    taken = f"alertworker: {{receivers: [{{name: default, channels: [{{url: '{OTHER}'}}]}}]}}"
    (warning,) = load(tmp_path, taken, {"SLACK_WEBHOOK_URL": HOOK}).warnings
    assert warning.endswith("one of your receivers has the name of its receiver; rename yours")


def test_only_a_receiver_that_is_marked_can_be_chosen_by_tenants(tmp_path: Path) -> None:
    """A channel that only they can reach is not a mistake."""
    theirs = f"{{name: theirs, selectable: true, channels: [{{kind: slack, url: '{OTHER}'}}]}}"
    receivers = f"[{theirs}, {{name: ours, channels: []}}]"
    settings = load(tmp_path, f"alertworker: {{receivers: {receivers}, route: {{receiver: ours}}}}\n")

    assert settings.router().selectable == {"theirs"}
    assert settings.warnings == ()
