"""Values that LiteLLM accepts are accepted. A value that we cannot obey is a warning with its remedy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from alertworker.alerts.catalogue import AlertType
from alertworker.settings import Settings
from alertworker.settings.channel_config import channel_name
from tests.unit.settings.test_settings import HOOK, NOW, OTHER, load, problems

SLACK = {"SLACK_WEBHOOK_URL": HOOK}


def section(tmp_path: Path, keys: str, environ: Mapping[str, str] | None = None) -> Settings:
    """Load general_settings with these keys, and Slack."""
    return load(tmp_path, f"general_settings: {{alerting: [slack], {keys}}}", {**SLACK, **(environ or {})})


@pytest.mark.parametrize(
    ("keys", "warning"),
    [
        ("alert_types: [llm_exceptions, failed_tracking]", "did you mean failed_tracking_spend?"),
        ("alert_types: [hanging_llm_responses]", "did you mean llm_requests_hanging?"),
        ("alert_type_config: {hanging_llm_responses: {digest: true}}", "did you mean llm_requests_hanging?"),
        ("alert_type_config: {llm_too_slow: {digest: true, note: x}}", "expected one of digest, digest_interval"),
        (f'alert_to_webhook_url: {{llm_to_slow: "{OTHER}"}}', "did you mean llm_too_slow?"),
        ("alerting_threshold: 0", "0.001 is used: every call is slow"),
        ("alerting_threshold: 99999999", "2,592,000 is used: the largest value"),
        ("alerting_args: {budget_alert_ttl: 0}", "1 is used: the smallest value"),
        ("alerting_args: {minor_outage_alert_threshold: 0}", "1 is used: the smallest value"),
        ("alerting_args: {daily_report_frequency: 0}", "the report is sent every hour"),
        ("alert_type_config: {llm_too_slow: {digest: true, digest_interval: 0}}", "1 is used: the smallest value"),
        ("alerting_args: {smtp_host: x}", "e-mail is set by the variable SMTP_HOST"),
        ("alerting_args: {budget_alert_tll: 5}", "did you mean budget_alert_ttl?"),
        ("alertting: [slack]", "did you mean alerting?"),
        ("alerting_treshold: 80", "did you mean alerting_threshold?"),
    ],
)
def test_a_value_that_litellm_accepts_is_a_warning(tmp_path: Path, keys: str, warning: str) -> None:
    """The warning has the file and the line."""
    [found] = section(tmp_path, keys).warnings

    assert found.startswith("config.yaml:1 general_settings.")
    assert warning in found


@pytest.mark.parametrize("keys", ['spend_report_frequency: "7D"', "alerting_threshold: 0.5", "master_key: sk-1234"])
def test_an_equivalent_value_has_no_warning(tmp_path: Path, keys: str) -> None:
    """LiteLLM reads the unit of the frequency in any case."""
    assert section(tmp_path, keys).warnings == ()


@pytest.mark.parametrize("zone", ["PST", "Mars/Olympus"])
def test_an_unknown_time_zone_of_litellm_is_utc(tmp_path: Path, zone: str) -> None:
    """LiteLLM resets budgets by UTC then."""
    settings = load(tmp_path, f"litellm_settings: {{timezone: {zone}}}\ngeneral_settings: {{alerting: [slack]}}", SLACK)

    assert settings.time_zone == "UTC"
    assert "UTC is used, as in LiteLLM" in settings.warnings[0]


def test_a_reference_is_resolved_in_any_value(tmp_path: Path) -> None:
    """Numbers and strings alike. A key that is not read may refer to a variable that is not set."""
    keys = """
      spend_report_frequency: os.environ/REPORT_EVERY, alerting_threshold: os.environ/SLOW,
      alerting_args: {budget_alert_ttl: os.environ/BUDGET_TTL, smtp_password: os.environ/NOT_SET}
    """
    settings = section(tmp_path, keys, {"REPORT_EVERY": "1d", "SLOW": "80", "BUDGET_TTL": "3600"})

    assert settings.spend_report_frequency == "1d"
    assert settings.alerting_threshold == 80
    assert settings.alerting_args.budget_alert_ttl == 3_600


def test_a_reference_to_a_variable_that_is_not_set_names_it(tmp_path: Path) -> None:
    """In a value, and in the variables that the file sets."""
    text = """
general_settings:
  alerting: [slack]
  alerting_args: {budget_alert_ttl: os.environ/BUDGET_TTL}
environment_variables:
  SLACK_WEBHOOK_URL: os.environ/TEAM_CHAT_HOOK
  REDIS_PASSWORD: os.environ/NOT_OURS
"""
    remedy = "is not set; set it, or remove this line"
    ttl, hook = problems(tmp_path, text).splitlines()
    assert ttl == (
        f"config.yaml:4 general_settings.alerting_args.budget_alert_ttl: the environment variable BUDGET_TTL {remedy}"
    )
    assert hook == (
        f"config.yaml:6 environment_variables.SLACK_WEBHOOK_URL: the environment variable TEAM_CHAT_HOOK {remedy}"
    )


@pytest.mark.parametrize("variable", ["TEAM_CHAT_HOOK", "SLACK_WEBHOOK_URL"])
def test_the_files_variable_can_be_a_reference(tmp_path: Path, variable: str) -> None:
    """Also to the variable of its own name."""
    text = (
        f"environment_variables: {{SLACK_WEBHOOK_URL: os.environ/{variable}}}\ngeneral_settings: {{alerting: [slack]}}"
    )
    [channel] = load(tmp_path, text, {variable: HOOK}).channels

    assert channel.name == channel_name("slack", HOOK)


def test_the_daily_reports_frequency_can_be_a_variable(tmp_path: Path) -> None:
    """The key in the file overrides it."""
    environ = {"SLACK_DAILY_REPORT_FREQUENCY": "86400"}

    assert section(tmp_path, "alert_types: []", environ).alerting_args.daily_report_frequency == 86_400
    args = "alerting_args: {daily_report_frequency: 600}"
    assert section(tmp_path, args, environ).alerting_args.daily_report_frequency == 600


def test_a_misspelt_variable_is_a_warning(tmp_path: Path) -> None:
    """Variables that resemble none of ours are somebody else's."""
    environ = {"ALERTWORKER_BROKER_ULR": "redis://x", "ALERTWORKER_API_KEY_FILE": "", "ALERTWORKER_X": "1"}

    assert section(tmp_path, "alert_types: []", environ).warnings == (
        "environment ALERTWORKER_BROKER_ULR: this variable is not read; did you mean ALERTWORKER_BROKER_URL?",
    )


def test_an_unknown_channel_of_alerting_is_a_warning(tmp_path: Path) -> None:
    """The channels beside it get alerts."""
    settings = load(tmp_path, "general_settings: {alerting: [slack, slak]}", SLACK)

    assert settings.warnings == (
        "config.yaml:1 general_settings.alerting: unknown service 'slak'; did you mean slack?",
    )


@pytest.mark.parametrize(
    ("patterns", "scope", "alias", "is_sent"),
    [
        ("null", "team", "", True),
        ("[]", "key", "github-example-api", False),
        ('["github-example-*"]', "key", "github-example-api", True),
        ('["github-example-*"]', "own key month", "github-example-api", True),
        ('["github-example-*"]', "key", "GitHub-example-api", False),
        ('["github-example-*"]', "key", "", False),
        ('["github-example-*"]', "user", "github-example-api", False),
        ('["*"]', "key", "", False),
        ('["other-*", "a.[bc]?"]', "key", "a.bx", True),
        ('["other-*", "a.[!bc]?"]', "key", "a.bx", False),
        ('["a.b"]', "key", "axb", False),
    ],
)
def test_slack_gets_budgets_of_some_keys_only(
    tmp_path: Path, patterns: str, scope: str, alias: str, is_sent: bool
) -> None:
    """Other channels, and other alerts, are as without the setting."""
    text = f"""
general_settings:
  alerting: [slack, discord]
  alerting_args: {{slack_budget_alert_key_aliases: {patterns}}}
"""
    discord = "https://discord.com/api/webhooks/1/x"
    settings = load(tmp_path, text, {**SLACK, "DISCORD_WEBHOOK_URL": discord})
    kinds = {channel.name: channel.kind for channel in settings.channels}
    labels = {"alert_type": "budget_alerts", "budget": scope, "key": alias}
    decide = settings.router().decide

    budget = decide(AlertType.BUDGET_ALERTS, labels, now=NOW).channels
    assert {kinds[name] for name in budget} == ({"slack", "discord"} if is_sent else {"discord"})
    other = decide(AlertType.LLM_EXCEPTIONS, {**labels, "alert_type": "llm_exceptions"}, now=NOW).channels
    assert {kinds[name] for name in other} == {"slack", "discord"}
