"""The web server's settings from the environment: keys that cannot be guessed, names and trusted proxies."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from alertworker.cli.check import _short_keys
from alertworker.settings import ConfigurationError, Settings, load_settings

LONG = "a-key-of-16-char"


def load(tmp_path: Path, text: str = "", **environ: str) -> Settings:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return load_settings(environ=environ, config=path)


@pytest.mark.parametrize(
    ("text", "environ", "places"),
    [
        ("", {"ALERTWORKER_API_KEY": "x" * 15}, ["ALERTWORKER_API_KEY"]),
        ("", {"ALERTWORKER_PUBLISH_KEY": "hunter2", "ALERTWORKER_API_KEY": LONG}, ["ALERTWORKER_PUBLISH_KEY"]),
        ("general_settings: {master_key: sk-1234}", {}, ["general_settings.master_key"]),
        ("general_settings: {master_key: sk-1234}", {"ALERTWORKER_API_KEY": LONG}, []),
        ("", {"ALERTWORKER_API_KEY": LONG, "ALERTWORKER_PUBLISH_KEY": LONG}, []),
        ("", {}, []),
    ],
)
def test_a_key_that_can_be_guessed_is_a_warning(
    tmp_path: Path, text: str, environ: dict[str, str], places: list[str]
) -> None:
    """Only a key that is in force matters. The warning does not repeat it."""
    warnings = list(_short_keys(load(tmp_path, text, **environ)))

    assert [warning.partition(": ")[0].removeprefix("environment ") for warning in warnings] == places
    assert all("16 characters" in warning and "hunter2" not in warning for warning in warnings)


def test_names_and_proxies_of_the_environment_are_lists_with_commas(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        "alertworker: {http_hosts: [old.example], trusted_proxies: [192.0.2.0/24]}",
        ALERTWORKER_HTTP_HOSTS="alerts.example, *.corp.example",
        ALERTWORKER_TRUSTED_PROXIES="127.0.0.1,10.0.0.0/8,fd00::/8",
    )
    assert settings.http_hosts == ("alerts.example", "*.corp.example")
    assert settings.trusted_proxies == tuple(map(ip_network, ("127.0.0.1/32", "10.0.0.0/8", "fd00::/8")))


def test_no_proxy_is_trusted_by_default(tmp_path: Path) -> None:
    assert load(tmp_path).trusted_proxies == ()


def test_a_wrong_network_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="ALERTWORKER_TRUSTED_PROXIES"):
        load(tmp_path, ALERTWORKER_TRUSTED_PROXIES="everybody")
