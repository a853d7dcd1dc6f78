"""An address that cannot be used is told with its place, the remedy and the host, and never with its password."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alertworker.errors import LineUnavailable
from alertworker.events.batch import seal
from alertworker.host.addresses import BROKER_SCHEMES, DATABASE_SCHEMES, address_problem, host_of
from alertworker.publisher import BrokerTransport, Publisher, registry
from alertworker.settings import ConfigurationError, load_settings

BAD_BROKERS = [
    "redis://:canary#rest@db.internal:6379/0",
    "redis://:canary/rest@db.internal/0",
    "redis://:12/canary@db.internal",
    "redis://user:can[ary@db.internal/0",
    "redis://user:canary?rest@db.internal/0",
    "redis://user:12?canary@db.internal/0",
    "amqp://user:canary/rest@db.internal//",
    "amqp://user:canary@db.internal:port//",
    "http://user:canary@db.internal",
    "redis://:canary@db.internal/database",
    "canary@db.internal:6379",
    "redis://",
]
BAD_DATABASES = [
    "postgresql://user:can@ary@db.internal/alerts",
    "PostgreSQL://user:canary@db.internal/alerts",
    "postgresql://db.internal:/alerts",
    "sqlite://db.internal/alerts",
    "mysql://user:canary@db.internal/alerts",
    "postgresql://user:canary#rest@db.internal/alerts",
    "postgresql://user:canary/rest@db.internal/alerts",
    "postgresql://user:can[ary@db.internal/alerts",
    "user=canary host=db.internal",
]
GOOD_BROKERS = [
    " redis://:p@db.internal ",
    "redis://db.internal",
    "redis://:p%23%2F%5B@db.internal:6379/0",
    "redis://user:p@ss@db.internal:6379/1",
    "redis:///0",
    "rediss://:x@db.internal:6380/1?ssl_cert_reqs=none",
    "redis+socket:///tmp/a#b.sock?virtual_host=0",
    "amqp://guest:guest@db.internal:5672/a%2Fb",
    "amqp://user:x@one;amqp://user:x@two",
    "pyamqp://db.internal//",
]
GOOD_DATABASES = [
    "sqlite:////tmp/a b#c.db",
    "sqlite://",
    "postgresql:///alerts",
    "postgresql://user:p%23@db.internal:5432/alerts?sslmode=require&application_name=a@b",
    "postgresql+psycopg://user:x@/alerts?host=/var/run/postgresql",
]


@pytest.mark.parametrize(
    ("variable", "address"),
    [
        *(("ALERTWORKER_BROKER_URL", address) for address in BAD_BROKERS),
        *(("ALERTWORKER_DATABASE_URL", address) for address in BAD_DATABASES),
    ],
)
def test_a_bad_address_is_an_error_that_names_the_variable(variable: str, address: str) -> None:
    """And what to do, and no part of the password."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ={variable: address, "ALERTWORKER_CONFIG": "/dev/null"})

    problem = str(caught.value)
    assert variable in problem
    assert any(remedy in problem for remedy in ("percent-encode", "expected", "must be"))
    assert not any(part in problem for part in ("canary", "can[ary", "ary@", "rest@"))


def test_a_bad_address_in_the_file_is_told_with_its_line(tmp_path: Path) -> None:
    """As every other setting is."""
    file = tmp_path / "config.yaml"
    file.write_text("alertworker:\n  time_zone: UTC\n  broker_url: redis://:canary#rest@db.internal/0\n")
    with pytest.raises(ConfigurationError, match=r"config\.yaml:3") as caught:
        load_settings(environ={}, config=file)

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("address", GOOD_BROKERS)
def test_good_addresses_of_brokers(address: str) -> None:
    """Those that kombu takes."""
    assert address_problem(address, BROKER_SCHEMES) is None


@pytest.mark.parametrize("address", GOOD_DATABASES)
def test_good_addresses_of_databases(address: str) -> None:
    """Those that SQLAlchemy takes."""
    assert address_problem(address, DATABASE_SCHEMES) is None


@pytest.mark.parametrize("address", BAD_BROKERS)
def test_a_host_of_an_address_is_never_its_password(address: str) -> None:
    """Whatever ended the password early."""
    assert host_of(address) in ("db.internal", "an unknown host")


@pytest.mark.parametrize("address", BAD_BROKERS)
def test_a_publisher_whose_transport_cannot_be_built_spools_and_says_so(
    address: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The proxy goes on, and its log names the product, the variable and the host."""
    publisher = Publisher(registry.broker_transport(address), tmp_path, batch_seconds=0.01)
    with caplog.at_level(logging.WARNING):
        publisher.publish({"type": "system.canary"})
        publisher.close()

    assert publisher.stats().spooled >= 1
    (record,) = [record.getMessage() for record in caplog.records if "ALERTWORKER_BROKER_URL" in record.getMessage()]
    assert record.startswith("alertworker: ALERTWORKER_BROKER_URL (host ")
    assert "canary" not in record


def test_blanks_around_an_address_are_no_part_of_it() -> None:
    """As a file or a copied line brings them."""
    settings = load_settings(environ={"ALERTWORKER_BROKER_URL": " redis://:p@h\n", "ALERTWORKER_CONFIG": "/dev/null"})

    assert settings.broker_url is not None
    assert settings.broker_url.get_secret_value() == "redis://:p@h"


def test_what_a_client_raises_reaches_neither_the_host_nor_its_log(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The batch is spooled, whatever kombu makes of the address when it connects."""

    def refuse(*_args: object, **_options: object) -> None:
        raise ValueError("Database is int between 0 and limit - 1, not :canary@h")

    monkeypatch.setattr(BrokerTransport, "_publish", refuse)
    publisher = Publisher(BrokerTransport("redis://db.internal"), tmp_path, batch_seconds=0.01)
    with caplog.at_level(logging.WARNING):
        publisher.publish({"type": "system.canary"})
        publisher.close()

    assert publisher.stats().spooled >= 1
    assert "ValueError" in caplog.text
    assert "canary@" not in caplog.text


def test_a_client_that_cannot_be_made_does_not_reach_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever kombu, or the client of the broker, refuses."""

    def refuse(_url: str) -> BrokerTransport:
        raise KeyError("canary")

    monkeypatch.setattr(registry, "BrokerTransport", refuse)
    transport = registry.broker_transport("redis://db.internal")
    with pytest.raises(LineUnavailable, match=r"host db\.internal.*KeyError"):
        transport.send(seal([b"{}"], batch_id="b", producer="p", sealed_at=datetime.now(UTC)))
