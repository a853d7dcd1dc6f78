"""How people see channels."""

from __future__ import annotations

from pathlib import Path

import pytest

from alertworker.settings import load_settings

URL = "https://hooks.slack.com/services/T0/B0/"


@pytest.mark.parametrize(
    ("environ", "label"),
    [
        ({"SLACK_WEBHOOK_URL": f"{URL}a"}, "SLACK_WEBHOOK_URL"),
        ({"SLACK_WEBHOOK_URL_FILE": "url"}, "SLACK_WEBHOOK_URL_FILE"),
    ],
)
def test_a_channel_is_named_by_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], label: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("url").write_text(f"{URL}a\n")
    settings = load_settings(environ=environ)
    [config] = settings.channels

    assert settings.channel_labels.of(config.name) == label
    assert settings.channel_labels.name_of(label) == config.name


def test_channels_of_a_file_are_named_by_their_lines(tmp_path: Path) -> None:
    """Two of one line have the whole place, because a metric with two equal series is invalid."""
    file = tmp_path / "config.yaml"
    file.write_text(
        "general_settings:\n"
        "  alerting: [slack]\n"
        "  alert_to_webhook_url:\n"
        f"    llm_exceptions: {URL}a\n"
        f"    llm_too_slow: [{URL}b, {URL}c]\n"
        "alertworker:\n"
        "  receivers:\n"
        "    - name: desk\n"
        "      channels:\n"
        f"        - {{name: desk, url: {URL}d}}\n"
    )
    settings = load_settings(environ={}, config=file)
    labels = sorted(settings.channel_labels.by_name.values())
    path = "general_settings.alert_to_webhook_url.llm_too_slow"

    assert labels == ["config.yaml:4", f"config.yaml:5 {path}[0]", f"config.yaml:5 {path}[1]", "desk"]


def test_the_channel_to_owners_is_named_by_the_mail_channel(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("general_settings: {alerting: [email]}\n")
    environ = {
        "SMTP_HOST": "mail.example.com",
        "SMTP_SENDER_EMAIL": "a@example.com",
        "ALERTWORKER_EMAIL_RECIPIENTS": "b@example.com",
    }
    labels = load_settings(environ=environ, config=file).channel_labels.by_name

    assert sorted(labels.values()) == ["SMTP_HOST", "SMTP_HOST-owners"]
