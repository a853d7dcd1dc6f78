"""LiteLLM's alerting page, row by row, and its examples of ``general_settings``: none can go missing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from alertworker.alerts import CATALOGUE, OURS
from alertworker.settings import load_settings
from alertworker.settings.model import AlertingArgs

#: The page's tables of alert types: name and whether it is on by default.
TYPES: Final = {
    "llm_exceptions": True,
    "llm_too_slow": True,
    "llm_requests_hanging": True,
    "cooldown_deployment": True,
    "new_model_added": True,
    "outage_alerts": True,
    "region_outage_alerts": True,
    "budget_alerts": True,
    "spend_reports": True,
    "failed_tracking_spend": True,
    "daily_reports": True,
    "fallback_reports": True,
    "db_exceptions": True,
    "new_virtual_key_created": False,
    "virtual_key_updated": False,
    "virtual_key_deleted": False,
    "new_team_created": False,
    "team_updated": False,
    "team_deleted": False,
    "new_internal_user_created": False,
    "internal_user_updated": False,
    "internal_user_deleted": False,
}
#: The page's table of ``alerting_args``; times in seconds.
ARGS: Final = {
    "daily_report_frequency": 43_200,
    "report_check_interval": 3_600,
    "budget_alert_ttl": 86_400,
    "outage_alert_ttl": 60,
    "region_outage_alert_ttl": 60,
    "minor_outage_alert_threshold": 5,
    "major_outage_alert_threshold": 10,
    "max_outage_alert_list_size": 1_000,
    "log_to_console": False,
}
NOW: Final = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
HOOK: Final = {"SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T000/B000/canary"}
QUICK_START: Final = """
general_settings:
  alerting: ["slack"]
  alerting_threshold: 300 # sends alerts if requests hang for 5min+ and responses take 5min+
  spend_report_frequency: "1d" # [Optional] set as 1d, 2d, 30d .... Specify how often you want a Spend Report to be sent

  # [OPTIONAL ALERTING ARGS]
  alerting_args:
    daily_report_frequency: 43200 # 12 hours in seconds
    report_check_interval: 3600 # 1 hour in seconds
    budget_alert_ttl: 86400 # 24 hours in seconds
    outage_alert_ttl: 60 # 1 minute in seconds
    region_outage_alert_ttl: 60 # 1 minute in seconds
    minor_outage_alert_threshold: 5
    major_outage_alert_threshold: 10
    max_outage_alert_list_size: 1000
    log_to_console: false
"""
REDACTED: Final = """
general_settings:
  alerting: ["slack"]
  alert_types: ["spend_reports"]

litellm_settings:
  redact_messages_in_exceptions: True
"""
CHOSEN: Final = """
general_settings:
  alerting: ["slack"]
  alert_types: [
    "llm_exceptions",
    "llm_too_slow",
    "llm_requests_hanging",
    "budget_alerts",
    "spend_reports",
    "db_exceptions",
    "daily_reports",
    "cooldown_deployment",
    "new_model_added",
  ]
"""
REGIONS: Final = """
general_settings:
  alerting: ["slack"]
  alert_types: ["region_outage_alerts"]
  alerting_args:
    region_outage_alert_ttl: 60 # time-window in seconds
    minor_outage_alert_threshold: 5 # number of errors to trigger a minor alert
    major_outage_alert_threshold: 10 # number of errors to trigger a major alert
"""


def test_every_type_of_the_page_has_its_default() -> None:
    """Under the page's name, on where the page says so."""
    known = {kind.value: spec.on_by_default for kind, spec in CATALOGUE.items()}

    assert {name: known.get(name) for name in TYPES} == TYPES


def test_every_row_of_alerting_args_has_its_default() -> None:
    """No row is missing, and we add none under LiteLLM's name."""
    assert AlertingArgs().model_dump(include=set(ARGS)) == ARGS


@pytest.mark.parametrize(
    ("text", "types"),
    [
        (QUICK_START, {name for name, on in TYPES.items() if on}),
        (REDACTED, {"spend_reports"}),
        (
            CHOSEN,
            {
                "llm_exceptions", "llm_too_slow", "llm_requests_hanging", "budget_alerts", "spend_reports",
                "db_exceptions", "daily_reports", "cooldown_deployment", "new_model_added",
            },
        ),
        (REGIONS, {"region_outage_alerts"}),
    ],
    ids=["quick start", "redacted", "chosen types", "regions"],
)  # fmt: skip
def test_an_example_of_the_page_loads(tmp_path: Path, text: str, types: set[str]) -> None:
    """Word for word; of the page's types exactly those are in force that the example asks for."""
    path = tmp_path / "config.yaml"
    path.write_text(text)

    settings = load_settings(environ=HOOK, config=path)

    asked = {kind.value for kind in settings.alert_types - OURS if kind.value in TYPES}
    assert asked == types
    assert settings.alerting_args.model_dump(include=set(ARGS)) == ARGS
    assert settings.router().decide(next(iter(settings.alert_types - OURS)), {}, now=NOW).channels == tuple(
        channel.name for channel in settings.channels
    )
