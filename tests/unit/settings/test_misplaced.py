"""A section or key that would be ignored is a warning with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.settings.test_settings import load, problems


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("general_setting: {alerting: [slack]}", "did you mean general_settings?"),
        ("alert_worker: {shadow: true}", "did you mean alertworker?"),
        ("time_zone: Europe/Berlin", "belongs under alertworker:"),
        ("route: {receiver: default}", "belongs under alertworker:"),
        ("alerting_threshold: 5", "belongs under general_settings: or alertworker:"),
    ],
)
def test_a_section_that_is_not_read_is_a_warning(tmp_path: Path, text: str, words: str) -> None:
    """Otherwise nothing would show why its settings have no effect."""
    (warning,) = load(tmp_path, text).warnings

    assert warning.startswith("config.yaml:1 ")
    assert words in warning


def test_litellms_own_sections_are_valid(tmp_path: Path) -> None:
    """LiteLLM has many, and some have names like ours."""
    names = (
        "model_list router_settings litellm_settings general_settings environment_variables guardrails mcp_servers "
        "credential_list callback_settings finetune_settings files_settings vector_store_registry assistant_settings "
        "prompts agents search_tools policies"
    )

    assert load(tmp_path, "".join(f"{name}:\n" for name in names.split())).warnings == ()


def test_our_alerting_args_override_litellms_key_by_key(tmp_path: Path) -> None:
    """A warning about LiteLLM's key has the place of LiteLLM's key."""
    text = """
general_settings:
  alerting_args:
    outage_alert_ttl: 0
    minor_outage_alert_threshold: 7
alertworker:
  alerting_args:
    minor_outage_alert_threshold: 3
"""
    settings = load(tmp_path, text)

    assert settings.alerting_args.minor_outage_alert_threshold == 3
    assert settings.alerting_args.outage_alert_ttl == 1
    assert settings.warnings[0].startswith("config.yaml:4 general_settings.alerting_args.outage_alert_ttl: ")
    assert problems(tmp_path, text.replace("ttl: 0", "ttl: many")).startswith(
        "config.yaml:4 general_settings.alerting_args.outage_alert_ttl: must be a number of seconds"
    )


def test_a_major_threshold_below_the_minor_one_is_a_warning(tmp_path: Path) -> None:
    """No outage would ever be minor."""
    (warning,) = load(tmp_path, "alertworker: {alerting_args: {major_outage_alert_threshold: 4}}").warnings

    assert "4 is less than minor_outage_alert_threshold, which is 5" in warning


def test_a_duplicate_key_is_a_warning_with_both_lines(tmp_path: Path) -> None:
    """YAML keeps the last one. A key that overrides an anchor's is none."""
    text = """
alertworker:
  annotations:
    budget_alerts: &note {note: a}
    outage_alerts: {<<: *note, note: b}
  http_port: 1
  http_port: 2
"""

    assert load(tmp_path, text).warnings == (
        "config.yaml:7 http_port: this key replaces the same key of line 6; keep one",
    )


def test_unknown_names_are_reported_beside_an_invalid_matcher(tmp_path: Path) -> None:
    """All mistakes of a tree are reported at once."""
    text = """
alertworker:
  receivers: [{name: oncall, chanels: []}]
  route:
    receiver: default
    routes:
      - matchers: [team]
      - receiver: oncal
        routes: [{receiver: oncall}, {mute_time_intervals: [nights]}]
"""
    reported = problems(tmp_path, text).splitlines()

    assert len(reported) == 4
    assert (
        "config.yaml:8 alertworker.route.routes[1].receiver: unknown receiver 'oncal'; did you mean oncall?" in reported
    )
    assert any(
        "routes[1].routes[1].mute_time_intervals[0]: unknown time interval 'nights'" in line for line in reported
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("group_interval: 5m", "must be a number of seconds, for example 300"),
        ("route: {receiver: default, group_interval: 5m}", "must be a number of seconds, for example 300"),
        ("alerting_args: {user_spend_check_interval: 5}", "must be greater than or equal to 60 seconds"),
        ("annotations: {outage_alerts: {note: Call: Bob}}", "put the text in quotes"),
    ],
)
def test_an_error_has_an_example(tmp_path: Path, text: str, words: str) -> None:
    """The example has the unit of a number. Invalid YAML has its column."""
    assert words in problems(tmp_path, f"alertworker:\n  {text}\n")


def test_the_column_of_invalid_yaml_is_reported(tmp_path: Path) -> None:
    """The remedy is about one character."""
    assert (
        "config.yaml:2: invalid YAML in column 13: mapping values are not allowed here; put the text in quotes"
        in problems(tmp_path, "alertworker:\n  note: Call: Bob\n")
    )
