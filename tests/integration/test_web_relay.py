"""LiteLLM's own posts over HTTP: the keys, the answers, and the message on the broker."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from alertworker.events import AlertRelayed, BudgetReported, Event
from tests.integration.broker import Broker
from tests.integration.test_web_events import KEY, Web

TEXT = "Alert type: `db_exceptions`\nLevel: `High`\nTimestamp: `14:02:11`\n\nMessage: DB read/write call failed: x"
SLACK = "/integrations/litellm/slack"
BUDGET = {"spend": 1.5, "max_budget": 1.0, "token": "T", "event_group": "key", "event": "budget_crossed"}
#: The publish key, in the place where LiteLLM can put it.
WITH_KEY = f"?key={KEY}"
#: Requests that a web page can make a browser on this machine send without a preflight request.
BROWSER = {"Content-Type": "text/plain", "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}


@pytest.fixture
def web(broker: Broker, tmp_path: Path) -> Iterator[Web]:
    """Run the HTTP side on the broker."""
    running = Web(tmp_path, broker.url)
    running.start()
    yield running
    running.kill()


def post(web: Web, path: str, body: object, **headers: str) -> int:
    """Post JSON, or bytes unchanged. Return the status."""
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=30)
    connection.request("POST", path, body if isinstance(body, bytes) else json.dumps(body), headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def arrived(broker: Broker) -> list[Event]:
    """Return the events on the broker."""
    return [event for _, events in broker.batches() for event in events]


def test_a_200_means_that_the_broker_has_the_event(broker: Broker, web: Web) -> None:
    """The path's type takes precedence over the text's. An unknown type is stored as unknown."""
    assert post(web, SLACK + WITH_KEY, {"text": TEXT}) == 200
    assert post(web, f"{SLACK}/spend_reports{WITH_KEY}", {"text": TEXT}) == 200
    assert post(web, SLACK + WITH_KEY, {"text": "what is this?"}) == 200
    assert post(web, f"/integrations/litellm/webhook{WITH_KEY}", BUDGET) == 200

    *relayed, budget = arrived(broker)
    assert [event.alert_type for event in relayed if isinstance(event, AlertRelayed)] == [
        "db_exceptions",
        "spend_reports",
        "unknown",
    ]
    assert isinstance(budget, BudgetReported)
    assert budget.spend_nanos == 1_500_000_000


@pytest.mark.parametrize("path", [SLACK, f"{SLACK}/db_exceptions", "/integrations/litellm/webhook"])
def test_everybody_needs_a_key(broker: Broker, web: Web, path: str) -> None:
    """This includes clients on this machine: a reverse proxy without headers and a browser's page look the same.

    The key is in the address, since LiteLLM sends no headers of ours, or a bearer token.
    """
    for headers in ({}, BROWSER, {"X-Forwarded-For": "203.0.113.7"}):
        assert post(web, path, {"text": TEXT}, **headers) == 401
        assert post(web, f"{path}?key=wrong", {"text": TEXT}, **headers) == 401
        assert post(web, f"{path}?key=", {"text": TEXT}, **headers) == 401
    assert arrived(broker) == []
    assert post(web, f"{path}{WITH_KEY}", {"text": TEXT}) == 200
    assert post(web, path, {"text": TEXT}, Authorization=f"Bearer {KEY}") == 200
    assert len(arrived(broker)) == 2


def test_a_body_that_is_not_a_json_object_or_too_long_is_refused(broker: Broker, web: Web) -> None:
    """The answers are 400 and 413, and nothing reaches the broker."""
    assert post(web, SLACK + WITH_KEY, b"{") == 400
    assert post(web, SLACK + WITH_KEY, b"[]") == 400
    assert post(web, SLACK + WITH_KEY, b'{"text": "' + b"x" * 1_100_000 + b'"}') == 413
    assert arrived(broker) == []


def test_nothing_is_promised_while_the_broker_is_away(broker: Broker, web: Web) -> None:
    """The answer to LiteLLM is 503."""
    broker.stop()

    assert post(web, SLACK + WITH_KEY, {"text": TEXT}) == 503
