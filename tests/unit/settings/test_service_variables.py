"""Variables that Kubernetes sets for services: their names may be ours or LiteLLM's, and their values are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from alertworker.host.secret_files import Variable, read_variable
from tests.unit.settings.test_settings import load

SERVICE = {
    "ALERTWORKER_PORT": "tcp://10.0.0.1:4010",
    "ALERTWORKER_PORT_4010_TCP": "tcp://10.0.0.1:4010",
    "ALERTWORKER_PORT_4010_TCP_PORT": "4010",
    "ALERTWORKER_PORT_4010_TCP_ADDR": "10.0.0.1",
    "ALERTWORKER_SERVICE_HOST": "10.0.0.1",
    "ALERTWORKER_SERVICE_PORT": "4010",
    "ALERTWORKER_SERVICE_PORT_HTTP": "4010",
}


def test_the_variables_of_a_service_called_alertworker_are_no_misspelt_ones(tmp_path: Path) -> None:
    assert load(tmp_path, "{}", SERVICE).warnings == ()


@pytest.mark.parametrize("value", ["tcp://10.0.0.1:4010", "udp://[fd00::1]:53"])
def test_our_port_is_not_that_of_a_service(tmp_path: Path, value: str) -> None:
    """A service called alertworker-http would set it."""
    settings = load(tmp_path, "{}", {"ALERTWORKER_HTTP_PORT": value})
    assert settings.http_port == 4010
    (warning,) = settings.warnings
    assert warning.startswith("environment ALERTWORKER_HTTP_PORT: is ignored, because Kubernetes set it")


def test_the_port_of_a_service_called_smtp_is_not_that_of_the_mail_server(tmp_path: Path) -> None:
    mail = {
        "SMTP_HOST": "smtp.example.com",
        "SMTP_PORT": "tcp://10.0.0.1:25",
        "SMTP_SENDER_EMAIL": "a@example.com",
        "ALERTWORKER_EMAIL_RECIPIENTS": "b@example.com",
    }
    settings = load(tmp_path, "general_settings: {alerting: [email]}", mail)
    assert [getattr(channel, "port", None) for channel in settings.channels] == [587]
    assert any("environment SMTP_PORT: is ignored" in warning for warning in settings.warnings)


def test_a_port_that_a_person_sets_counts() -> None:
    assert read_variable("SMTP_PORT", {"SMTP_PORT": "465"}) == Variable("465", "SMTP_PORT")
