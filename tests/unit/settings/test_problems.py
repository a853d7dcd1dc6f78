"""An error names the file and the line of the very value, what was expected, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from alertworker.settings import ConfigurationError, load_settings
from alertworker.settings.file_config import FileConfig
from alertworker.settings.model import Settings
from alertworker.settings.values import Values
from tests.unit.settings.test_settings import HOOK, load, problems

NESTED = """\
general_settings:
  alert_types:
    - llm_exceptions
    - llm_to_slow
  alert_to_webhook_url:
    budget_alerts:
      - os.environ/NOT_THERE
  alerting_args:
    outage_alert_ttl: 0
alertworker:
  reports:
    weekday: monday
    huor: 8
  retry:
    first: 1
    factor: many
  receivers:
    - name: chat
      channels:
        - name: one
          url: os.environ/ALSO_NOT_THERE
        - name: two
          kind: slakc
        - kind: webhook
          url: https://receiver.example/canary
          secrets: [whsec_canaryé]
        - kind: email
          host: mail.example
          sender: a@b.example
          port: 70000
  time_intervals:
    - name: nights
      time_intervals:
        - times:
            - start_time: "20:00"
              end_time: "08:00"
          months:
            - maytember
          location: Mars/Olympus
  route:
    receiver: chat
    routes:
      - matchers:
          - team="a"
          - team
        routes:
          - group_interval: 0
            continue: maybe
            annotations: {note: ""}
  inhibitions:
    - source: [team="a"]
      target: []
  budgets:
    - dimension: tag
      max: 5
      period: fortnight
  annotations:
    outage_alert:
      note: x
    budget_alerts:
      runbok_url: https://wiki.example
    llm_too_slow:
      runbook_url: wiki
"""


def test_every_nested_mistake_has_its_own_line(tmp_path: Path) -> None:
    """All of them are reported at once, each with the expected form, and no secret."""
    reported = problems(tmp_path, NESTED)
    places = {line.partition(": ")[0]: line.partition(": ")[2] for line in reported.splitlines()}

    expected = {
        "7 general_settings.alert_to_webhook_url.budget_alerts[0]": "the environment variable NOT_THERE is not set",
        "13 alertworker.reports.huor": "unknown key; did you mean hour?",
        "16 alertworker.retry.factor": "must be a number",
        "21 alertworker.receivers[0].channels[0].url": "the environment variable ALSO_NOT_THERE is not set",
        "23 alertworker.receivers[0].channels[1].kind": "unknown kind 'slakc'; did you mean slack?",
        "26 alertworker.receivers[0].channels[2].secrets": "invalid secret; make one with",
        "30 alertworker.receivers[0].channels[3].port": "must be less than 65536",
        "27 alertworker.receivers[0].channels[3].recipients": "this key is required. Addresses of the recipients.",
        "36 alertworker.time_intervals[0].time_intervals[0].times[0].end_time": "ends before it starts; write two",
        "38 alertworker.time_intervals[0].time_intervals[0].months[0]": "invalid months 'maytember'; expected",
        "39 alertworker.time_intervals[0].time_intervals[0].location": "unknown time zone 'Mars/Olympus'; expected",
        "45 alertworker.route.routes[0].matchers[1]": "invalid matcher 'team': expected, for example",
        "47 alertworker.route.routes[0].routes[0].group_interval": "must be greater than 0",
        "48 alertworker.route.routes[0].routes[0].continue": "must be true or false, not str",
        "49 alertworker.route.routes[0].routes[0].annotations.note": "must have at least 1 character",
        "52 alertworker.inhibitions[0].target": "needs at least one matcher; expected, for example",
        "56 alertworker.budgets[0].period": "the value has the wrong form; expected, for example, month",
        "58 alertworker.annotations.outage_alert": "unknown alert type 'outage_alert'; did you mean outage_alerts?",
        "61 alertworker.annotations.budget_alerts.runbok_url": "unknown key; did you mean runbook_url?",
        "63 alertworker.annotations.llm_too_slow.runbook_url": "the value has the wrong form; expected, for",
    }
    assert set(places) == {f"config.yaml:{place}" for place in expected}
    for place, words in expected.items():
        assert words in places[f"config.yaml:{place}"]
    assert "canary" not in reported


def test_names_are_checked_beside_other_mistakes(tmp_path: Path) -> None:
    """References in the valid part of a file are checked in the same run as its invalid part."""
    text = """
alertworker:
  http_port: many
  route:
    receiver: default
    routes:
      - receiver: oncal
        mute_time_intervals:
          - n
  receivers: [{name: oncall}]
  time_intervals: [{name: ns}]
"""
    assert problems(tmp_path, text).splitlines() == [
        "config.yaml:3 alertworker.http_port: must be a whole number",
        "config.yaml:7 alertworker.route.routes[0].receiver: unknown receiver 'oncal'; did you mean oncall?",
        "config.yaml:9 alertworker.route.routes[0].mute_time_intervals[0]: unknown time interval 'n'; did you mean ns?",
    ]


def test_a_name_is_not_unknown_only_because_its_list_is_invalid(tmp_path: Path) -> None:
    """Each mistake is one error."""
    text = "alertworker: {receivers: [{name: oncall, chanels: []}], route: {receiver: oncall}}"

    (line,) = problems(tmp_path, text).splitlines()
    assert "receivers[0].chanels: unknown key; did you mean channels?" in line


def test_lines_are_those_of_anchors_and_merged_keys(tmp_path: Path) -> None:
    """The line is that of the value itself."""
    text = """
alertworker:
  receivers:
    - name: one
      channels:
        - &chat
          kind: slack
          pace:
            burst: 0
          url: https://hooks.slack.com/services/T0/B0/canary
    - name: two
      channels:
        - <<: *chat
          name: other
"""
    assert [line.partition(": ")[0] for line in problems(tmp_path, text).splitlines()] == [
        "config.yaml:9 alertworker.receivers[0].channels[0].pace.burst",
        "config.yaml:9 alertworker.receivers[1].channels[0].pace.burst",
    ]


def test_a_nested_mistake_in_an_included_file_has_that_files_line(tmp_path: Path) -> None:
    """The line is not that of the including file."""
    (tmp_path / "more.yaml").write_text("\n\nalertworker:\n  retry:\n    deadline: never\n")

    assert problems(tmp_path, "include: [more.yaml]\n").startswith("more.yaml:5 alertworker.retry.deadline: ")


def test_a_mistake_in_the_environment_has_the_variables_name() -> None:
    """If several variables make one channel, the error names that of the invalid field."""
    mail = {
        "SMTP_HOST": "mail.example",
        "SMTP_SENDER_EMAIL": "a@b.example",
        "ALERTWORKER_EMAIL_RECIPIENTS": "c@d.example",
    }
    environ = {"ALERTWORKER_HTTP_PORT": "http", "SLACK_WEBHOOK_URL": "ftp://canary", "SMTP_PORT": "0", **mail}
    environ |= {"ALERTWORKER_CONFIG": "/dev/null"}
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ=environ)
    assert [line.partition(": ")[0] for line in str(caught.value).splitlines()] == [
        "environment ALERTWORKER_HTTP_PORT",
        "environment SLACK_WEBHOOK_URL",
    ]
    assert "canary" not in str(caught.value)


def test_a_mistake_in_one_of_mails_variables_has_its_name(tmp_path: Path) -> None:
    """Several variables make one channel."""
    mail = {
        "SMTP_HOST": "mail.example",
        "SMTP_SENDER_EMAIL": "a@b.example",
        "ALERTWORKER_EMAIL_RECIPIENTS": "c@d.example",
    }
    reported = problems(tmp_path, "general_settings: {alerting: [email]}", {**mail, "SMTP_PORT": "0"})

    assert reported == "environment SMTP_PORT: must be greater than 0"


def test_a_key_without_a_value_is_as_if_left_out(tmp_path: Path) -> None:
    """Everything below it may be commented out. Only for ``inhibitions`` it means that there are none."""
    names = [name for name in FileConfig.model_fields if name != "inhibitions"]
    text = "alertworker:\n" + "".join(f"  {name}:\n" for name in names)
    unset, settings = load(tmp_path, "{}"), load(tmp_path, text)

    assert settings.model_copy(update={"origins": {}, "warnings": ()}) == unset
    assert unset.inhibitions
    assert load(tmp_path, "alertworker:\n  inhibitions:\n").inhibitions == ()


def test_keys_that_litellm_ignores_are_ignored(tmp_path: Path) -> None:
    """URLs by type without slack in ``alerting``; and a string in place of a list is taken as LiteLLM takes it."""
    text = "general_settings: {alerting: webhook, alert_to_webhook_url: {no_type: os.environ/NOT_THERE}}"
    settings = load(tmp_path, text, {"WEBHOOK_URL": "https://receiver.example/x", "SLACK_WEBHOOK_URL": HOOK})

    assert [channel.kind for channel in settings.channels] == ["budget_webhook"]


def bomb(levels: int) -> str:
    """Return a file in which each line has the one before ten times."""
    lines = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(["a0: &a0 [x, x, x, x, x, x, x, x, x, x]", *lines])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("alertworker: {receivers: &a [*a]}", "config.yaml:1: invalid YAML in column 30: *a is a part of itself"),
        (bomb(9), "config.yaml:6: invalid YAML in column 45: more than 1,000,000 values"),
        (f"{bomb(9)}\nenvironment_variables: {{X: *a8}}", "config.yaml:6: invalid YAML"),
        (
            "\n".join(["m0: &m0 {a: 1}", *(f"m{n}: &m{n} {{<<: [*m{n - 1}, *m{n - 1}]}}" for n in range(1, 40))]),
            "config.yaml:18: invalid YAML in column 17: more than 1,000,000 values",
        ),
        (f"alertworker: {'[' * 5_000}{']' * 5_000}", "config.yaml:1: invalid YAML in column 63: nested more than 50"),
        (
            "alertworker:\n" + "\n".join(" " * n + "- " for n in range(1, 3_000)),
            "config.yaml:51: invalid YAML in column 51: nested more than 50 deep; remove levels",
        ),
        (f"alertworker: {{alerting_threshold: {'9' * 5_000}}}", "not a valid value of its type, int"),
        ("general_settings:\n  since: 2026-13-45", "config.yaml:2: invalid YAML in column 10: not a valid value"),
        ("x: !!timestamp soon", "config.yaml:1: invalid YAML in column 4: not a valid value of its type, timestamp"),
        ("x: !!int ''", "config.yaml:1: invalid YAML in column 4: not a valid value of its type, int"),
        ("x: !!bool soon", "config.yaml:1: invalid YAML in column 4: not a valid value of its type, bool"),
    ],
)
def test_yaml_that_grows_nests_or_has_no_value_is_an_error(tmp_path: Path, text: str, words: str) -> None:
    """With file, line and column; in a moment, and without a traceback."""
    assert words in problems(tmp_path, text)


@pytest.mark.parametrize("character", ["\\0", "\\ud800"])
def test_a_name_that_no_database_stores_is_an_error(tmp_path: Path, character: str) -> None:
    """A channel with such a name would stop every sweep on PostgreSQL."""
    receivers = f'[{{name: all, channels: [{{kind: console, name: "a{character}"}}]}}]'
    deep = f'{{receiver: all, routes: [{{routes: [{{annotations: {{note: "n{character}"}}}}]}}]}}'
    reported = problems(tmp_path, f"alertworker:\n  receivers: {receivers}\n  route: {deep}\n")

    assert "config.yaml:2 alertworker.receivers[0].channels[0].name: character 2 is " in reported
    assert "config.yaml:3 alertworker.route.routes[0].routes[0].annotations.note: character 2 is " in reported


@pytest.mark.parametrize("place", ["", "route: {", "route: {annotations: {"])
def test_a_key_that_no_database_stores_is_an_error(tmp_path: Path, place: str) -> None:
    """At the top of the section it was a traceback."""
    reported = problems(tmp_path, f'alertworker: {{{place}"ro\\udfffute": 1{"}" * place.count("{")}}}\n')

    assert "config.yaml:1 alertworker." in reported
    assert "character 3 is not valid Unicode" in reported


@pytest.mark.parametrize("variable", ["SLACK_WEBHOOK_URL", "ALERTWORKER_API_KEY", "ALERTWORKER_TIME_ZONE"])
def test_a_variable_that_is_not_text_is_named(tmp_path: Path, variable: str) -> None:
    """Linux takes any bytes. The value is not shown."""
    reported = problems(tmp_path, "", {variable: "https://receiver.example/canary\udcff"})

    assert reported == f"{variable}: character 32 is not valid Unicode; write the text in UTF-8"


def test_a_key_stands_once() -> None:
    """A value in force that equals its written form is inherited. The rest of the file's keys are compiled."""
    own = {
        name for name in FileConfig.model_fields if name in Settings.model_fields and name not in Values.model_fields
    }

    assert own == {"alert_types", "receivers", "inhibitions"}


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("hc.example/canary", "must be a URL that begins with https://"),
        ("http://hc.example/canary", "the address must begin with https://"),
        ("https://10.0.0.7/canary", "the address is not public"),
    ],
)
def test_a_heartbeat_url_that_cannot_work_is_an_error(tmp_path: Path, url: str, words: str) -> None:
    """Otherwise nothing would be sent, without a warning."""
    reported = problems(tmp_path, f"alertworker: {{heartbeat_url: '{url}'}}")

    assert reported.startswith(f"config.yaml:1 alertworker.heartbeat_url: {words}")
    assert "canary" not in reported
    assert "environment ALERTWORKER_HEARTBEAT_URL: " in problems(tmp_path, "", {"ALERTWORKER_HEARTBEAT_URL": url})
