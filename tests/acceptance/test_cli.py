"""The command line as its users see it: real processes, clear texts, exit codes, whole ids and no secrets."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.acceptance.command import GOOD, SECRET, alertworker
from tests.acceptance.receiver import Receiver
from tests.acceptance.stack import Stack


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("alertworker: [", "config.yaml:1: invalid YAML"),
        ("alertworker: {alert_treshold: 3}", "config.yaml:1 alertworker.alert_treshold: unknown key; did you mean"),
        ("general_settings: {alerting_threshold: soon}", "config.yaml:1 general_settings.alerting_threshold"),
        (
            "alertworker: {retry: {frist: 3}}",
            "config.yaml:1 alertworker.retry.frist: unknown key; did you mean first",
        ),
        ("alertworker: {alert_types: [llm_exeptions]}", "did you mean llm_exceptions"),
        (
            "general_settings: {alert_to_webhook_url: {llm_exceptions: os.environ/NOWHERE}}",
            "the environment variable NOWHERE is not set",
        ),
    ],
)
def test_a_mistake_in_the_configuration_is_named_with_its_place(tmp_path: Path, config: str, said: str) -> None:
    """`check` names file, line and field, and what to do, and fails."""
    (tmp_path / "config.yaml").write_text(config)
    done = alertworker(tmp_path, "check")

    assert done.returncode == 1
    assert said in done.stderr


def test_check_prints_settings_and_sources_as_json(tmp_path: Path) -> None:
    """Its JSON is valid, with the origin of each value, and without the webhook."""
    url = f"https://hooks.slack.com/services/T0/B0/{SECRET}"
    config = f"general_settings:\n  alerting_threshold: 7\nenvironment_variables: {{SLACK_WEBHOOK_URL: '{url}'}}\n"
    (tmp_path / "config.yaml").write_text(config)
    done = alertworker(tmp_path, "check", "--json", environ={"ALERTWORKER_TIME_ZONE": "Europe/Berlin"})

    said = json.loads(done.stdout)
    assert done.returncode == 0
    assert said["values"]["alerting_threshold"] == 7
    assert said["origins"]["alerting_threshold"] == "config.yaml:2 general_settings.alerting_threshold"
    assert said["origins"]["time_zone"] == "environment ALERTWORKER_TIME_ZONE"
    assert said["routes"]["llm_exceptions"] == ["config.yaml:3"]
    assert list(said["channels"].values()) == ["slack"]
    assert "new_virtual_key_created" in said["off"]
    assert said["warnings"] == []


def test_check_names_types_that_go_nowhere_and_probable_misspellings(tmp_path: Path) -> None:
    """A type with a route for some of its alerts is not listed. None of this is an error."""
    config = """
general_settings:
  alerting_args: {minor_outage_alert_treshold: 3}
alertworker:
  receivers: [{name: a, channels: [{kind: console, name: desk}]}]
  route:
    receiver: ""
    routes: [{matchers: [alert_type="outage_alerts", team="search"], receiver: a}]
"""
    (tmp_path / "config.yaml").write_text(config)
    said = json.loads(alertworker(tmp_path, "check", "--json").stdout)

    assert said["routes"]["outage_alerts"] == ["desk"]
    assert said["conditions"]["outage_alerts"] == {"desk": [['team="search"']]}
    assert 'desk if team="search"' in alertworker(tmp_path, "check").stdout
    [unreached] = [warning for warning in said["warnings"] if "reach no channel" in warning]
    assert "llm_exceptions" in unreached
    assert " outage_alerts" not in unreached
    assert any("did you mean minor_outage_alert_threshold?" in warning for warning in said["warnings"])


def test_check_lists_the_alerts_that_page(tmp_path: Path) -> None:
    """For each pager the types, each with the severities at which it pages; also those that its own routes add."""
    (tmp_path / "config.yaml").write_text("general_settings: {alerting: [slack, pagerduty]}\n")
    environ = {"SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T0/B0/x", "PAGERDUTY_ROUTING_KEY": "k"}
    [pages] = json.loads(alertworker(tmp_path, "check", "--json", environ=environ).stdout)["pages"].values()
    high = ["High"]
    urgent = {"outage_alerts": high, "region_outage_alerts": high, "channel_broken": high, "store_away": high}
    assert pages == urgent
    assert "Pages by PAGERDUTY_ROUTING_KEY" in alertworker(tmp_path, "check", environ=environ).stdout

    routes = """alertworker:
  alerting: [slack, pagerduty]
  route:
    receiver: default
    routes: [{matchers: ['alert_type=~".*exceptions|.*_reports"'], receiver: pagerduty}]
"""
    (tmp_path / "config.yaml").write_text(routes)
    [pages] = json.loads(alertworker(tmp_path, "check", "--json", environ=environ).stdout)["pages"].values()
    assert pages == {"llm_exceptions": ["Low", "Medium", "High"], "db_exceptions": high}


@pytest.mark.parametrize(("status", "code"), [(200, 0), (400, 1), (500, 1)])
def test_a_channel_test_prints_the_receivers_answer(tmp_path: Path, slack: Receiver, status: int, code: int) -> None:
    """Success and failure differ in text and exit code."""
    slack.answer = lambda _number, _path: (status, {}, 0.0)
    url = f"{slack.url}/services/T0/B0/{SECRET}"
    done = alertworker(tmp_path, "test", "slack", environ={"SLACK_WEBHOOK_URL": url})

    assert done.returncode == code
    assert str(status) in done.stdout
    assert ("failed" in done.stdout) == (status != 200)
    assert len(slack.posts) == 1
    [row] = alertworker(
        tmp_path, "notifications", "list", "--json", environ={"SLACK_WEBHOOK_URL": url}
    ).stdout.splitlines()
    assert json.loads(row)["status"] == ("sent" if status == 200 else "dead")
    assert alertworker(tmp_path, "deadletters", "list").stdout == "No dead letters.\n"


def test_a_channel_test_in_shadow_sends_nothing_and_prints_it(tmp_path: Path, slack: Receiver) -> None:
    environ = {"SLACK_WEBHOOK_URL": f"{slack.url}/services/T0/B0/{SECRET}", "ALERTWORKER_SHADOW": "true"}
    done = alertworker(tmp_path, "test", "slack", "--json", environ=environ)

    assert done.returncode == 0
    assert json.loads(done.stdout)["status"] == "shadow"
    assert slack.posts == []


def test_a_test_of_one_type_goes_where_that_type_goes(stack: Stack, slack: Receiver) -> None:
    """Two equal tests are two messages, also while a worker works on the lane.

    The workers and the command share its pace.
    """
    for _ in range(2):
        done = alertworker(stack.folder, "test", "slack", "--alert-type", "daily_reports", environ=stack.env)
        assert done.returncode == 0, done.stdout

    assert len(slack.taken("sent as daily_reports")) == 2
    assert len({post.notification_id for post in slack.posts}) == 2


def test_a_command_without_its_broker_or_database_names_it(tmp_path: Path) -> None:
    """Nothing is running, and no command hangs or shows an address."""
    published = alertworker(tmp_path, "publish", given=json.dumps(GOOD))
    listed = alertworker(tmp_path, "alerts")

    assert published.returncode == listed.returncode == 1
    assert "the broker cannot be reached" in published.stderr
    assert "run `alertworker db upgrade`" in listed.stderr


def test_events_go_in_and_alerts_and_dead_letters_come_out(stack: Stack, slack: Receiver) -> None:
    """Bad events are named by place and field, the good ones are applied, and ids are whole in a narrow terminal."""
    lines = "\n".join(json.dumps(event) for event in (GOOD, {"type": "no.such"}, GOOD | {"call_id": 5}))
    done = alertworker(stack.folder, "publish", environ=stack.env, given=lines)
    assert done.returncode == 1
    assert "1 published, 2 refused" in done.stdout
    assert "event 1: event: unknown type" in done.stderr
    assert "event 2: llm.request.failed.call_id" in done.stderr
    slack.wait_for("Timeout 504", seconds=15)

    listed = alertworker(stack.folder, "alerts", environ=stack.env).stdout
    assert re.search(r"^[0-9a-f-]{36}  (open|closed) +Medium    llm_exceptions      1  ", listed, re.MULTILINE)
    printed = alertworker(stack.folder, "alerts", "list", "--json", environ=stack.env).stdout
    headlines = [json.loads(line)["headline"] for line in printed.splitlines()]
    assert "LLM API call failed: gpt-4o · Timeout 504" in headlines  # a report may be due besides
    assert alertworker(stack.folder, "deadletters", "list", environ=stack.env).stdout == "No dead letters.\n"
    missing = alertworker(stack.folder, "deadletters", "show", "nobody", environ=stack.env)
    assert missing.returncode == 1
    assert "unknown dead letter nobody" in missing.stderr


def test_explain_prints_all_outcomes_and_changes_nothing(tmp_path: Path, slack: Receiver) -> None:
    """Nothing was started before.

    The output has alert, route and body, from the configuration alone; no file, no post.
    """
    environ = {"SLACK_WEBHOOK_URL": f"{slack.url}/services/T0/B0/{SECRET}"}
    done = alertworker(tmp_path, "explain", environ=environ, given=json.dumps(GOOD))
    as_json = alertworker(tmp_path, "explain", "--json", environ=environ, given=json.dumps([GOOD, GOOD, {"type": "x"}]))

    assert done.returncode == 0
    assert "llm_exceptions [Medium] LLM API call failed: gpt-4o" in done.stdout
    assert "channel SLACK_WEBHOOK_URL (slack), lane: 0 waiting" in done.stdout
    assert "Alert type: `llm_exceptions`" in done.stdout
    assert as_json.returncode == 1
    first, second, bad = (json.loads(line) for line in as_json.stdout.splitlines())
    assert json.loads(first["alerts"][0]["channels"][0]["body"])["text"].startswith("Alert type")
    assert second["alerts"][0]["outcome"].startswith("counted in the open alert")
    assert bad["refused"]
    assert slack.posts == []
    assert list(tmp_path.iterdir()) == []

    alertworker(tmp_path, "alerts", environ=environ)  # leaves an empty database
    assert alertworker(tmp_path, "explain", environ=environ, given=json.dumps(GOOD)).returncode == 0


def test_explain_knows_the_silences_of_now(stack: Stack, slack: Receiver) -> None:
    """The output has the author and the reason. Without the database the message would be sent."""
    silence = ("silences", "add", 'team="search"', "--reason", "moving house", "--by", "ops")
    assert alertworker(stack.folder, *silence, environ=stack.env).returncode == 0
    done = alertworker(stack.folder, "explain", environ=stack.env, given=json.dumps(GOOD))
    fresh = alertworker(stack.folder, "explain", "--fresh", environ=stack.env, given=json.dumps(GOOD))

    assert re.search(r"notice: muted until .+ by silence \S+ of ops: moving house", done.stdout)
    assert "notice: sent" in fresh.stdout
    assert alertworker(stack.folder, "alerts", environ=stack.env).stdout == "No alerts.\n"
    assert slack.posts == []


def test_the_schema_is_one_and_names_every_event(tmp_path: Path) -> None:
    """A producer in another language can validate events with it."""
    schema = json.loads(alertworker(tmp_path, "schema").stdout)

    assert "llm.request.failed" in json.dumps(schema)
