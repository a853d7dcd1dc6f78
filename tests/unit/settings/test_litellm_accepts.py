"""Every configuration that LiteLLM accepts is accepted. If no alert would be sent, one warning names the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from alertworker.alerts.catalogue import AlertType
from alertworker.cli import cli
from tests.unit.settings.test_settings import HOOK, load, problems

SLACK = {"SLACK_WEBHOOK_URL": HOOK}


@pytest.mark.parametrize(
    "written", ["slack", '["slack", null, 5]', "{slack: true}", "os.environ/SERVICES", "[os.environ/SERVICES]"]
)
def test_alerting_of_any_form_that_litellm_takes(tmp_path: Path, written: str) -> None:
    settings = load(tmp_path, f"general_settings: {{alerting: {written}}}", {**SLACK, "SERVICES": "slack"})
    assert [channel.kind for channel in settings.channels] == ["slack"]


def test_alert_types_as_a_string(tmp_path: Path) -> None:
    settings = load(tmp_path, "general_settings: {alerting: [slack], alert_types: budget_alerts}", SLACK)
    assert AlertType.BUDGET_ALERTS in settings.alert_types
    assert AlertType.LLM_EXCEPTIONS not in settings.alert_types


@pytest.mark.parametrize(
    ("alerting", "environ", "words"),
    [
        ("[webhook]", SLACK, ["webhook needs WEBHOOK_URL", "SLACK_WEBHOOK_URL is set, but slack is not named: add it"]),
        ("[webhook]", {}, ["webhook needs WEBHOOK_URL"]),
        ("[email]", {}, ["email needs SMTP_HOST, SMTP_SENDER_EMAIL, ALERTWORKER_EMAIL_RECIPIENTS"]),
        ("[]", SLACK, ["SLACK_WEBHOOK_URL is set, but slack is not named"]),
    ],
)
def test_no_channel_at_all_is_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alerting: str, environ: dict[str, str], words: list[str]
) -> None:
    """Not one for each service and alert type."""
    file = tmp_path / "config.yaml"
    file.write_text(f"general_settings:\n  alerting: {alerting}\n")
    monkeypatch.setenv("ALERTWORKER_CONFIG", str(file))
    for name in ("SLACK_WEBHOOK_URL", "WEBHOOK_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    output = CliRunner().invoke(cli, ["check"]).output
    (warning,) = [line for line in output.splitlines() if line.startswith("Warning: ")]
    assert warning.startswith("Warning: config.yaml:2 general_settings.alerting: no alert will be sent; ")
    assert all(word in warning for word in words)


@pytest.mark.parametrize("name", ["slak", "Slack", "SLACK"])
def test_an_unknown_service_is_named_with_the_nearest(tmp_path: Path, name: str) -> None:
    (warning, _) = load(tmp_path, f"general_settings: {{alerting: [{name}]}}", SLACK).warnings
    assert f"general_settings.alerting: unknown service '{name}'; did you mean slack?" in warning


def test_alerts_go_to_the_terminal_only_if_no_tree_says_otherwise(tmp_path: Path) -> None:
    receiver = f"{{name: x, channels: [{{kind: slack, url: '{HOOK}'}}]}}"
    text = f"""
general_settings: {{alerting: [slack]}}
alertworker: {{receivers: [{receiver}], route: {{receiver: x}}}}
"""
    assert not any("terminal" in warning for warning in load(tmp_path, text).warnings)
    assert any("terminal" in warning for warning in load(tmp_path, "general_settings: {alerting: [slack]}").warnings)


def test_a_reference_resolves_however_deep_it_is(tmp_path: Path) -> None:
    text = """
alertworker:
  time_intervals:
    - name: nights
      time_intervals: [{times: [{start_time: os.environ/NIGHT, end_time: "23:00"}]}]
"""
    found = problems(tmp_path, text)
    assert "time_intervals[0].time_intervals[0].times[0].start_time: the environment variable NIGHT is not set" in found
    load(tmp_path, text, {"NIGHT": "22:00"})


@pytest.mark.parametrize("section", ["litellm_settings", "router_settings"])
def test_alerting_in_another_section_of_litellms_is_warned_of(tmp_path: Path, section: str) -> None:
    (warning,) = load(tmp_path, f"{section}:\n  alerting: [slack]\n", SLACK).warnings
    assert warning == f"config.yaml:2 {section}.alerting: this key is not read here; it belongs under general_settings:"


def test_an_empty_value_is_called_empty(tmp_path: Path) -> None:
    text = "general_settings: {alerting: [slack], alert_to_webhook_url: {llm_too_slow: null}}"
    assert "alert_to_webhook_url.llm_too_slow: must be a list, not empty" in problems(tmp_path, text, SLACK)
