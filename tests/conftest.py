"""Rules for all tests: continuous integration needs all services, and unit tests open no sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from pytest_socket import disable_socket, enable_socket

from alertworker.store import make_engine
from alertworker.store.migrations import upgrade
from tests.databases import Database
from tests.services import lacking
from tests.virtual_hosts import VirtualHosts, delete_host

# A machine that is busy must not fail a test: neither an example nor its making is timed.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
_PORTS = {"redis": 6379, "rabbitmq": 5672, "postgresql": 5432}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a person renew the bodies in tests/contract/golden."""
    parser.addoption("--golden-update", action="store_true", help="write the golden bodies anew, and show what changed")


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(autouse=True)
def _sockets_and_services(request: pytest.FixtureRequest) -> None:
    """Forbid sockets in unit tests; elsewhere a missing service fails in CI and skips on a laptop."""
    if "unit" in Path(str(request.node.path)).relative_to(Path(__file__).parent).parts:
        disable_socket(allow_unix_socket=True)
        return
    enable_socket()
    for service, port in _PORTS.items():
        if request.node.get_closest_marker(service) and not _answers(port):
            lacking(f"{service} does not answer on port {port}; start it, or leave its tests out: -m 'not {service}'")


@pytest.fixture(scope="session")
def virtual_hosts() -> Iterator[VirtualHosts]:
    hosts = VirtualHosts()
    yield hosts
    hosts.delete_unused()


@pytest.fixture
def rabbitmq_url(virtual_hosts: VirtualHosts) -> Iterator[str]:
    """Return the address of a new virtual host, deleted after the test."""
    host = virtual_hosts.new()
    yield f"amqp://guest:guest@127.0.0.1:5672/{host}"
    delete_host(host)


@pytest.fixture(scope="session")
def empty_database() -> Iterator[Database]:
    yield from _created(Database(migrated=False))


@pytest.fixture(scope="session")
def migrated_database() -> Iterator[Database]:
    yield from _created(Database(migrated=True))


def _created(database: Database) -> Iterator[Database]:
    database.create()
    yield database
    database.drop()


@pytest.fixture
def postgresql_url(empty_database: Database) -> Iterator[str]:
    """Return the address of a database without tables."""
    yield empty_database.url
    empty_database.reset()


@pytest.fixture
def migrated_postgresql_url(migrated_database: Database) -> Iterator[str]:
    """Return the address of a database whose tables are empty."""
    yield migrated_database.url
    migrated_database.reset()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an SQLite database whose tables are empty, for tests to copy."""
    path = tmp_path_factory.mktemp("migrated") / "alertworker.db"
    engine = make_engine(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    return path
