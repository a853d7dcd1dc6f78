"""Every variable that the settings read may stand in a file: the same settings come of it, and trouble has its name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from alertworker import settings as package
from alertworker.host.secret_files import Variable, VariableError, read_variable
from alertworker.publisher import registry
from alertworker.settings import ConfigurationError, Settings, load_settings, sources, variables
from alertworker.settings.place import Place, Problem

HOOK = "https://receiver.example/canary"
#: Every variable that has a form in a file, with a value that makes a difference.
VALUES = {
    "ALERTWORKER_ALERTING_THRESHOLD": "7",
    "ALERTWORKER_API_KEY": "sk-canary",
    "ALERTWORKER_BROKER_URL": "redis://:canary@broker:6379/0",
    "ALERTWORKER_DATABASE_URL": "postgresql://u:canary@database/a",
    "ALERTWORKER_DATA_DIR": "/var/lib/canary",
    "ALERTWORKER_EMAIL_RECIPIENTS": "canary@example.com, b@example.com",
    "ALERTWORKER_GROUP_INTERVAL": "77",
    "ALERTWORKER_HEARTBEAT_URL": "https://hc.example/canary",
    "ALERTWORKER_HTTP_HOST": "canary.example",
    "ALERTWORKER_HTTP_HOSTS": "canary.example, b.example",
    "ALERTWORKER_HTTP_PORT": "4099",
    "ALERTWORKER_HTTP_EVENTS_PER_SECOND": "100",
    "ALERTWORKER_HTTP_NAMES_PER_HOUR": "100",
    "ALERTWORKER_LOG_FORMAT": "json",
    "ALERTWORKER_PUBLIC_URL": "https://alerts.example/canary",
    "ALERTWORKER_PUBLISH_KEY": "canary-publish",
    "ALERTWORKER_SHADOW": "true",
    "ALERTWORKER_SHOW_MESSAGES": "true",
    "ALERTWORKER_SLACK_WEBHOOK_URL": HOOK,
    "ALERTWORKER_TIME_ZONE": "Europe/Berlin",
    "ALERTWORKER_TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.7",
    "ALERTING_WEBHOOK_URL": HOOK,
    "DISCORD_WEBHOOK_URL": HOOK,
    "MS_TEAMS_WEBHOOK_URL": HOOK,
    "PAGERDUTY_API_KEY": "canary-key",
    "PAGERDUTY_ROUTING_KEY": "canary-key",
    "SLACK_DAILY_REPORT_FREQUENCY": "600",
    "SLACK_WEBHOOK_URL": HOOK,
    "SMTP_HOST": "canary.example",
    "SMTP_PASSWORD": "canary-password",
    "SMTP_PORT": "2525",
    "SMTP_SENDER_EMAIL": "canary@example.com",
    "SMTP_TLS": "false",
    "SMTP_USERNAME": "canary",
    "SMTP_USE_SSL": "true",
    "WEBHOOK_URL": HOOK,
}
#: Variables that are not secrets and cannot be set by a file: the path of the settings, a link for people, and those
#: that publishers read.
PLAIN = variables.PLAIN
#: A mail server that is complete, so that each of its other variables counts.
MAIL = {"SMTP_HOST": "localhost", "SMTP_SENDER_EMAIL": "a@b.example", "ALERTWORKER_EMAIL_RECIPIENTS": "c@d.example"}
CONFIG = "general_settings: {alerting: [slack, ms_teams, discord, webhook, email, pagerduty]}\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return a file in which everything is asked for."""
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


def load(config: Path, environ: Mapping[str, str]) -> Settings:
    """Load what is in force, without where it came from."""
    sources_of_values: dict[str, object] = {"origins": {}, "places": {}, "short_places": {}}
    return load_settings(environ=environ, config=config).model_copy(update=sources_of_values)


def around(variable: str) -> dict[str, str]:
    """Return the other variables that one needs to count."""
    return {name: value for name, value in MAIL.items() if name != variable}


def problems(config: Path, environ: Mapping[str, str]) -> str:
    """Return the report."""
    with pytest.raises(ConfigurationError) as caught:
        load(config, environ)
    assert "canary" not in str(caught.value)
    return str(caught.value)


def test_the_list_names_the_variables_that_the_settings_read(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each variable can be in a file, and each one in the list is read."""
    read: set[str] = set()

    def recorded(variable: str, environ: Mapping[str, str], problems: list[Problem]) -> tuple[str | None, Place]:
        read.add(variable)
        return secret(variable, environ, problems)

    secret = sources.secret
    monkeypatch.setattr(sources, "secret", recorded)
    load(config, MAIL)
    named = {name for path in _files() for name in re.findall(r'"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"', path.read_text())}

    assert read == set(VALUES)
    assert named <= set(VALUES) | PLAIN
    assert set(variables.VARIABLES) == set(VALUES) | PLAIN


def _files() -> Iterator[Path]:
    return Path(package.__file__).parent.glob("*.py")


@pytest.mark.parametrize("variable", VALUES)
def test_a_variable_may_stand_in_a_file(variable: str, config: Path, tmp_path: Path) -> None:
    """An editor may add a line end. The value is used."""
    file = tmp_path / "secret"
    file.write_text(f"{VALUES[variable]}\n")
    by_file = load(config, {**around(variable), f"{variable}_FILE": str(file)})

    assert by_file == load(config, {**around(variable), variable: VALUES[variable]})
    assert by_file != load(config, around(variable))


@pytest.mark.parametrize("variable", VALUES)
def test_trouble_with_a_variable_has_its_name(variable: str, config: Path, tmp_path: Path) -> None:
    """A file that is not there, is empty or no text, and both forms at once; never its value."""
    empty, binary, good = (tmp_path / name for name in ("empty", "binary", "good"))
    empty.write_text(" \n")
    binary.write_bytes(b"\xff\xfe")
    good.write_text(VALUES[variable])
    result = {
        str(tmp_path / "nowhere"): "cannot be read (No such file or directory)",
        str(tmp_path): "cannot be read (Is a directory)",
        str(empty): "is empty",
        str(binary): "is not UTF-8 text",
    }
    for path, words in result.items():
        assert f"{variable}_FILE: the file {words}" in problems(config, {**around(variable), f"{variable}_FILE": path})
    both = {**around(variable), variable: VALUES[variable], f"{variable}_FILE": str(good)}
    assert f"{variable} and {variable}_FILE are both set" in problems(config, both)


def test_a_reference_may_stand_in_a_file(config: Path, tmp_path: Path) -> None:
    """The reference may have any name. A missing file differs from a variable that is not set."""
    own = "alertworker: {receivers: [{name: r, channels: [{kind: slack, url: os.environ/TEAM_HOOK}]}]}\n"
    config.write_text(own)
    (tmp_path / "hook").write_text(f"{HOOK}\n")

    assert load(config, {"TEAM_HOOK_FILE": str(tmp_path / "hook")}) == load(config, {"TEAM_HOOK": HOOK})
    result = problems(config, {"TEAM_HOOK_FILE": "/nowhere/canary"})
    assert "TEAM_HOOK_FILE: the file cannot be read" in result
    assert "not set" not in result


def test_the_files_variables_beat_the_environment_in_either_form(config: Path, tmp_path: Path) -> None:
    """They are one variable. The value in the file wins, as in LiteLLM, and does not count as a second setting."""
    (tmp_path / "hook").write_text("https://other.example/x")
    config.write_text(f"{CONFIG}environment_variables: {{SLACK_WEBHOOK_URL: '{HOOK}'}}\n")
    alone = load(config, MAIL)

    assert load(config, {**MAIL, "SLACK_WEBHOOK_URL_FILE": str(tmp_path / "hook")}) == alone
    assert load(config, {**MAIL, "SLACK_WEBHOOK_URL": "https://other.example/x"}) == alone


def test_a_proxys_variables_are_read_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The publisher reads them without the settings."""
    (tmp_path / "key").write_text("canary\n")

    assert read_variable("A", {"A_FILE": str(tmp_path / "key")}) == Variable("canary", "A_FILE", in_file=True)
    monkeypatch.setenv("ALERTWORKER_PUBLISH_URL", HOOK)
    monkeypatch.setenv("ALERTWORKER_PUBLISH_URL_FILE", str(tmp_path / "key"))
    with pytest.raises(VariableError, match="both set"):
        registry._transport(tmp_path)
