"""``GET /health/services`` with real processes and a real receiver."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import CONFIG, WEBHOOK_SECRET
from tests.acceptance.receiver import Receiver
from tests.acceptance.stack import Stack
from tests.ports import free_port


@pytest.fixture
def port(tmp_path: Path, slack: Receiver) -> Iterator[int]:
    """Run an installation with its HTTP side. Return its port."""
    port = free_port()
    environ = {"ALERTWORKER_HTTP_PORT": str(port), "ALERTWORKER_API_KEY": "admin"}
    config = CONFIG.format(url=slack.url, secret=WEBHOOK_SECRET).replace(
        "alerting_threshold: 3", "alerting_threshold: 3\n  alert_types: [llm_exceptions, llm_too_slow]"
    )
    stack = Stack(tmp_path / "s", config, environ)
    try:
        stack.up()
        stack.start("web")
        yield port
    finally:
        stack.down()


def ask(port: int) -> tuple[int, dict[str, Any]]:
    """Test Slack."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=90)
    connection.request("GET", "/health/services?service=slack", headers={"Authorization": "Bearer admin"})
    answer = connection.getresponse()
    read = answer.status, json.loads(answer.read())
    connection.close()
    return read


def test_a_test_is_a_success_only_where_the_receiver_took_it(port: int, slack: Receiver) -> None:
    """Each alert type arrives once per request. A refusal is an error with the receiver's own text."""
    status, first = ask(port)
    assert (status, first["status"]) == (200, "success")
    assert {"llm_exceptions", "llm_too_slow"} <= set(first["alert_types"])
    assert len(slack.posts) == len(first["results"]) == len(first["alert_types"])

    slack.answer = lambda _number, _path: (404, {}, 0.0)
    status, second = ask(port)
    assert (status, second["status"]) == (502, "error")
    assert {result["status"] for result in second["results"]} == {"dead"}
    assert WEBHOOK_SECRET not in json.dumps([first, second])
