"""Rules for all tests: continuous integration needs all services, and unit tests open no sockets."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from pytest_socket import disable_socket, enable_socket

from tests.services import lacking

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


@pytest.fixture
def rabbitmq_url() -> Iterator[str]:
    """Return the address of a new virtual host, deleted afterwards."""
    name = f"alertworker_test_{uuid4().hex[:12]}"
    for command in (["add_vhost", name], ["set_permissions", "-p", name, "guest", ".*", ".*", ".*"]):
        subprocess.run(["rabbitmqctl", "-q", *command], check=True, stdin=subprocess.DEVNULL)
    yield f"amqp://guest:guest@127.0.0.1:5672/{name}"
    subprocess.run(["rabbitmqctl", "-q", "delete_vhost", name], check=True, stdin=subprocess.DEVNULL)


@pytest.fixture
def postgresql_url() -> Iterator[str]:
    """Return the address of a new database, dropped afterwards."""
    name = f"alertworker_test_{uuid4().hex[:12]}"
    with psycopg.connect("postgresql://127.0.0.1:5432/postgres", autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        yield f"postgresql://127.0.0.1:5432/{name}"
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
