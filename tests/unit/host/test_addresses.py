"""An address that cannot be used is an error with its place, the remedy and the host, and without its password."""

from __future__ import annotations

import logging
import runpy
import ssl
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from kombu import Connection
from kombu.transport.redis import Channel
from psycopg import pq
from redis.connection import SSLConnection

from alertworker.errors import BrokerUnavailable
from alertworker.events.batch import seal
from alertworker.host.address_options import OPTIONS, PRISMA, option_problem
from alertworker.host.addresses import (
    BROKER_SCHEMES,
    DATABASE_SCHEMES,
    address_problem,
    host_of,
    with_verified_tls,
)
from alertworker.host.paths import default_broker_url
from alertworker.publisher import BrokerTransport, Publisher, registry
from alertworker.settings import ConfigurationError, load_settings
from alertworker.store import make_engine

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
    "redis://db.internal/0?password=rest@canary",
    "redis://:rest@db.internal/0?x=1&password=rest@canary",
    "redis://",
    "redis+socket://:canary#rest@/tmp/db.sock",
    "redis+socket://:can[ary@/tmp/db.sock",
    "redis+socket://:canary/rest@/tmp/db.sock",
    "redis+socket:///tmp/canary#b.sock?virtual_host=0",
    "redis+socket://tmp/canary.sock",
    "redis+socket:///tmp/db.sock?virtual_host=canary",
    "redis+socket:///tmp/db.sock?password=canary",
    "redis+socket:///tmp/db.sock?socket_timeout=canary",
    "redis://db.internal/0?password=canary",
    "redis://db.internal/0?password=can%26ary&canary=1",
    "redis://db.internal/0?socket_timeout=canary",
    "redis://db.internal/0?ssl_cert_reqs=canary",
    "redis://db.internal/0?canary=x",
    "redis://db.internal/0?canary",
    "rediss://db.internal/0?ssl_check_hostname=canary",
    "rediss://db.internal/0?credential_provider=canary",
    "amqps://db.internal//?ssl_ca_certs=/canary.pem",
    "amqps://db.internal//?ssl=canary",
    "amqp://db.internal//?heartbeat=canary",
    "amqp://db.internal//?login_method=canary",
    "amqp://db.internal//?connect_timeout=canary",
    "redis://:canary%00@db.internal/0",
    "redis://:canary\n@db.internal/0",
    "redis://db.internal/99999999999999999999",
    "canary://db.internal",
    "canary+socket://db.internal",
    "redis://:canary@db.internal;amqp://db.internal",
    "redis+socket:///tmp/a.sock;redis+socket:///tmp/canary.sock",
    "redis+socket:///tmp/a;canary.sock",
    "redis://:x;canary@db.internal/0",
    "amqp://db.internal;",
    "redis+socket://",
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
    "canary://db.internal/alerts",
    "postgresql://db.internal/alerts?sslmode=canary",
    "postgresql://db.internal/alerts?connect_timeout=canary",
    "postgresql://db.internal/alerts?canary=1",
    "postgresql://db.internal/alerts?password=x&canary=1",
    "postgresql://user:canary%00@db.internal/alerts",
    "postgresql://user:canary@one:port,two/alerts",
    "postgresql://user:canary@one,,two/alerts",
    "postgresql://user:12,canary/x@db.internal/alerts",
    "postgresql://user:canary@one,two/alerts?host=three",
    "postgresql://user:canary@one/a;postgresql://user:canary@two/a",
    "sqlite:////tmp/alerts.db?canary=1",
    "sqlite:////tmp/alerts.db?timeout=canary",
    "sqlite:////tmp/alerts.db?mode=ro",
]
GOOD_BROKERS = [
    " redis://:p@db.internal ",
    "redis://db.internal",
    "redis://:p%23%2F%5B@db.internal:6379/0",
    "redis://user:p@ss@db.internal:6379/1",
    "redis:///0",
    "rediss://:x@db.internal:6380/1?ssl_cert_reqs=none",
    "rediss://db.internal/1?ssl_ca_certs=/etc/ca.pem&ssl_certfile=/c.pem&ssl_keyfile=/k.pem&ssl_check_hostname=false",
    "redis+socket:///tmp/a%23b.sock?virtual_host=0",
    "redis+socket://:p%23:q@/tmp/a.sock",
    "amqp://user:x@db.internal//?heartbeat=30&login_method=PLAIN",
    "redis://[2001:db8::1]:6379/0",
    "amqp://guest:guest@db.internal:5672/a%2Fb",
    "amqp://user:x@one;amqp://user:x@two",
    "pyamqp://db.internal//",
]
GOOD_DATABASES = [
    "sqlite:////tmp/a b#c.db",
    "sqlite:///alerts.db",
    "sqlite:///file:alerts.db?uri=true&cache=shared",
    "sqlite:////tmp/a.db?timeout=5",
    "sqlite:///file:/tmp/a.db?uri=true&mode=rwc",
    "postgresql:///alerts?host=/run/a&host=/run/b&target_session_attrs=read-write&connect_timeout=3",
    "postgresql:///alerts",
    "postgresql://user:x@db.internal/litellm?schema=proxy&connection_limit=10&pool_timeout=60&pgbouncer=true",
    "postgresql://user:x@one,two/alerts",
    "postgresql://user:x@one:5432,[::1]:5433,two/alerts?target_session_attrs=read-write",
    "postgresql+psycopg://user:x@%2Frun%2Fpostgresql:5433/alerts",
    "postgresql://user:p;q@db.internal/alerts",
    "postgresql:///alerts?host=one,two&port=,5433",
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
    """The error has the remedy, and no part of the password."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ={variable: address, "ALERTWORKER_CONFIG": "/dev/null"})

    problem = str(caught.value)
    assert variable in problem
    assert any(remedy in problem for remedy in ("percent-encode", "expected", "must", "remove it"))
    assert not any(part in problem for part in ("canary", "can[ary", "ary@", "rest@"))


@pytest.mark.parametrize("host", ["db..internal", f"{'a' * 64}.internal", "db internal", "db,internal"])
def test_a_host_name_that_cannot_be_looked_up_is_an_error(host: str) -> None:
    """Python raises UnicodeError for some of them, with a traceback that names no variable."""
    assert address_problem(f"redis://:p@{host}/0", BROKER_SCHEMES) is not None


def test_the_error_for_a_bad_address_in_the_file_names_the_line(tmp_path: Path) -> None:
    """Errors of all other settings do so, too."""
    file = tmp_path / "config.yaml"
    file.write_text("alertworker:\n  time_zone: UTC\n  broker_url: redis://:canary#rest@db.internal/0\n")
    with pytest.raises(ConfigurationError, match=r"config\.yaml:3") as caught:
        load_settings(environ={}, config=file)

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("address", GOOD_BROKERS)
def test_good_addresses_of_brokers(address: str) -> None:
    """Those that kombu takes."""
    assert address_problem(address, BROKER_SCHEMES) is None


@pytest.mark.parametrize("address", [address for address in GOOD_BROKERS if "redis" in address])
def test_kombu_and_redis_accept_good_addresses(address: str) -> None:
    """No address that `check` accepts ends in a traceback of the client."""
    connection = Connection(address.strip())
    channel: Any = Channel.__new__(Channel)
    channel.connection = SimpleNamespace(client=connection, default_port=6379)
    parameters = channel._connparams()
    client = parameters.pop("connection_class")(
        **{name: value for name, value in parameters.items() if name != "max_connections"}
    )
    assert client.db in (0, 1)


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_kombu_and_redis_accept_each_option_of_the_query(scheme: str) -> None:
    """An option that neither takes would be a TypeError in the worker."""
    samples = {"ssl_cert_reqs": "optional", "ssl_check_hostname": "true", "ssl_keyfile": "/k"}
    for name in set(OPTIONS[scheme]) - {"credential_provider"}:
        given: Any = Connection(f"{scheme}://db.internal/0?{name}={samples.get(name, '/x')}").ssl
        SSLConnection(host="db.internal", **given)


def test_libpq_knows_each_option_of_the_query() -> None:
    """Psycopg refuses any other name. Prisma's do not reach it. Those newer than this libpq are left out."""
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    newer = {"sslkeylogfile", "scram_client_key", "scram_server_key", "min_protocol_version", "max_protocol_version"}
    assert set(OPTIONS["postgresql"]) - newer - set(PRISMA) <= known


@pytest.mark.parametrize("scheme", OPTIONS)
@pytest.mark.parametrize("name", ["read_timeout", "ssl", "isolation_level"])
def test_an_option_that_a_client_does_not_take_is_named(scheme: str, name: str) -> None:
    """Its value is not repeated."""
    problem = option_problem(scheme, f"{name}=canary")
    assert problem is not None
    assert repr(name) in problem
    assert "canary" not in problem


@pytest.mark.parametrize(
    ("address", "verifies"),
    [
        ("rediss://db.internal", ssl.CERT_REQUIRED),
        ("rediss://db.internal/0?", ssl.CERT_REQUIRED),
        ("rediss://db.internal/0?ssl_ca_certs=/ca.pem", ssl.CERT_REQUIRED),
        ("rediss://db.internal/0?ssl_cert_reqs=optional", ssl.CERT_OPTIONAL),
        ("rediss://db.internal/0?ssl_cert_reqs=none", ssl.CERT_NONE),
    ],
)
def test_the_certificate_of_rediss_is_verified_unless_the_url_disables_it(
    address: str, verifies: ssl.VerifyMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The publisher verifies it, and so do the worker and beat, whose connection comes from Celery's settings."""
    monkeypatch.setenv("ALERTWORKER_BROKER_URL", address)
    monkeypatch.setenv("ALERTWORKER_CONFIG", "/dev/null")
    monkeypatch.delitem(sys.modules, "alertworker.worker.celery_config", raising=False)
    worker = runpy.run_module("alertworker.worker.celery_config")["broker_url"]
    for url in (worker, BrokerTransport(address)._url):
        options: Any = Connection(url).ssl
        assert options["ssl_cert_reqs"] is verifies
        assert options.get("ssl_check_hostname", False) is (verifies is not ssl.CERT_NONE)


def test_each_alternative_address_is_verified() -> None:
    """Kombu reads the options of an address when it switches to it."""
    url = with_verified_tls("rediss://one?ssl_cert_reqs=none;rediss://two")
    assert url == "rediss://one?ssl_cert_reqs=none;rediss://two?ssl_cert_reqs=required&ssl_check_hostname=true"
    assert with_verified_tls("redis://one;redis://two") == "redis://one;redis://two"


def test_the_embedded_broker_is_found_in_a_folder_of_any_name() -> None:
    """A reserved character in the path of the data folder ends neither the path nor the address."""
    address = default_broker_url(Path("/tmp/a#b?c%d@e"))
    assert address_problem(address, BROKER_SCHEMES) is None
    assert unquote(urlsplit(address).path) == "/tmp/a#b?c%d@e/valkey.sock"


@pytest.mark.parametrize(
    "address",
    [
        "sqlite://",
        "sqlite:///",
        "sqlite://?timeout=5",
        "sqlite:///:memory:",
        "sqlite:///:memory:?timeout=5",
        "sqlite:///file::memory:?uri=true&cache=shared",
        "sqlite:///file:?uri=true",
        "sqlite:///file:alerts?mode=memory&uri=true&cache=shared",
        "sqlite:///file:/alerts?uri=true&vfs=memdb",
    ],
)
def test_an_sqlite_database_in_memory_is_refused(address: str) -> None:
    """The worker, beat and the pages are processes, and none would see what another one wrote."""
    problem = address_problem(address, DATABASE_SCHEMES)
    assert problem is not None
    assert "name a file, for example sqlite:////" in problem


@pytest.mark.parametrize("address", GOOD_DATABASES)
def test_good_addresses_of_databases(address: str) -> None:
    """Those that SQLAlchemy takes."""
    assert address_problem(address, DATABASE_SCHEMES) is None


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("postgresql://one,two/alerts", "one,two", ","),
        ("postgresql://user:p%23@one,two/alerts", "one,two", ","),
        ("postgresql://user:p%23@one:5432,[::1]:5433,two/alerts?sslmode=require", "one,::1,two", "5432,5433,"),
        ("postgres://user:p%23@%2Frun%2Fa%20b:5433/alerts", "/run/a b", "5433"),
        ("postgresql://user:p%23@%2frun%2fa,%2Frun%2Fb/alerts", "/run/a,/run/b", ","),
        ("postgresql://user:p%23@/alerts?host=/run/a&host=/run/b", "/run/a,/run/b", ","),
        ("postgresql://user:p%23@one:5433/alerts", "one", 5433),
    ],
)
def test_libpq_gets_the_hosts_of_an_address(address: str, host: str, port: object) -> None:
    assert address_problem(address, DATABASE_SCHEMES) is None
    engine = make_engine(address)
    (_, given) = engine.dialect.create_connect_args(engine.url)
    assert (given["host"], given["dbname"]) == (host, "alerts")
    assert (given.get("user", "user"), given.get("password", "p#")) == ("user", "p#")
    assert given.get("port", ",") == port


@pytest.mark.parametrize(
    ("address", "remedy"),
    [
        ("redis+socket:///run/redis.sock?password=x", "redis+socket://:PASSWORD@/run/redis.sock"),
        ("redis://cache?password=x", "redis://:PASSWORD@HOST"),
        ("amqps://mq?password=x", "amqps://USER:PASSWORD@HOST"),
        ("redis://:a;b@cache", "; is %3B"),
        ("redis+socket:///run/a;b.sock", "; is %3B"),
        ("redis+socket://", "redis+socket:///run/redis.sock"),
        ("postgresql://one/a;postgresql://two/a", "postgresql://USER:PASSWORD@ONE,TWO/DATABASE"),
    ],
)
def test_the_remedy_is_an_address_that_works(address: str, remedy: str) -> None:
    schemes = DATABASE_SCHEMES if address.startswith("postgres") else BROKER_SCHEMES
    problem = address_problem(address, schemes)
    assert problem is not None
    assert remedy in problem


@pytest.mark.parametrize(
    "address",
    [
        "redis+socket://:PASSWORD@/run/redis.sock",
        "redis://:PASSWORD@HOST",
        "redis://:a%3Bb@cache",
        "redis+socket:///run/a%3Bb.sock",
    ],
)
def test_remedies_are_good_addresses(address: str) -> None:
    assert address_problem(address, BROKER_SCHEMES) is None
    assert Connection(address).alt == []


@pytest.mark.parametrize("address", [*BAD_BROKERS, "sqlite://PASSWORD", "PASSWORD://PASSWORD", "http://PASSWORD"])
def test_a_host_of_an_address_is_never_its_password(address: str) -> None:
    """The password may end early for any reason."""
    assert host_of(address) in ("db.internal", "an unknown host", "a Unix socket")


@pytest.mark.parametrize("address", BAD_BROKERS)
def test_a_publisher_without_a_transport_spools_and_logs_it(
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
    """A file or a copied line may have them."""
    settings = load_settings(environ={"ALERTWORKER_BROKER_URL": " redis://:p@h\n", "ALERTWORKER_CONFIG": "/dev/null"})

    assert settings.broker_url is not None
    assert settings.broker_url.get_secret_value() == "redis://:p@h"


def test_an_error_of_a_client_reaches_neither_the_host_nor_its_log(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The batch is spooled, for every error that kombu raises about the address when it connects."""

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
    """The broker's client may raise any error."""

    def refuse(_url: str) -> BrokerTransport:
        raise KeyError("canary")

    monkeypatch.setattr(registry, "BrokerTransport", refuse)
    transport = registry.broker_transport("redis://db.internal")
    with pytest.raises(BrokerUnavailable, match=r"host db\.internal.*KeyError"):
        transport.send(seal([b"{}"], batch_id="b", producer="p", sealed_at=datetime.now(UTC)))
