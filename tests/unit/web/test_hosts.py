"""Host names under which the server answers: a page of another site must not read what needs no key."""

from __future__ import annotations

import asyncio

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from alertworker.web.hosts import HostGuard, answered_names
from tests.asgi import ask

APP = Starlette(routes=[Route("/", lambda _request: JSONResponse("ok"))])
LOCAL = answered_names([], listens_on="127.0.0.1", public_url="https://alerts.example.com/x")


def status(host: str, names: frozenset[str] | None) -> int:
    return asyncio.run(ask(HostGuard(APP, names), "GET", "/", headers={"Host": host})).status


@pytest.mark.parametrize(
    "host", ["localhost:4010", "127.0.0.1", "127.0.0.1:4010", "[::1]:4010", "192.0.2.7", "Alerts.example.com", ""]
)
def test_own_names_and_addresses_are_answered(host: str) -> None:
    assert status(host, LOCAL) == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:4010", "localhost.evil.example", "127.0.0.1.evil.example", "a@localhost.x", "["],
)
def test_other_names_are_refused(host: str) -> None:
    """A name of an attacker can have the address of this server, for example by DNS rebinding."""
    assert status(host, LOCAL) == 400


def test_a_server_for_other_machines_answers_under_all_names_unless_they_are_configured() -> None:
    """It cannot know the names of a service in a cluster."""
    assert status("alertworker.svc.cluster.local", answered_names([], listens_on="0.0.0.0", public_url=None)) == 200
    configured = answered_names(["*.cluster.local"], listens_on="0.0.0.0", public_url=None)
    assert status("alertworker.svc.cluster.local", configured) == 200
    assert status("evil.example", configured) == 400
