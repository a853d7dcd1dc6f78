"""LiteLLM's own builders of alerts, from the pinned package, feed the relay with what they really post."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from alertworker.alerts import AlertType
from alertworker.events import AlertRelayed, BudgetReported, EntityChanged, Event
from alertworker.integrations.litellm.relay import read_slack, read_webhook
from tests.acceptance.proxy import litellm_python

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
SCRIPT = Path(__file__).parent / "litellm_alerts.py"
KEY = "sk-live0123456789abcdefghij"


@contextmanager
def recording() -> Iterator[tuple[int, list[tuple[str, bytes]]]]:
    """Give the port of a receiver that keeps each body with its path."""
    bodies: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Keep it and answer 200."""
            bodies.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port, bodies
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def events() -> list[Event]:
    """Give what the relay reads from everything that LiteLLM posts."""
    python = str(litellm_python())
    with recording() as (port, bodies):
        done = subprocess.run(
            [python, str(SCRIPT), str(port)], capture_output=True, text=True, timeout=100, check=False
        )
    assert done.returncode == 0, done.stderr[-2_000:]
    assert json.loads(bodies[0][1])
    return [(read_webhook if path == "/webhook" else read_slack)(body, now=NOW, host="p1") for path, body in bodies]


def test_every_text_is_read_as_the_type_it_is(events: list[Event]) -> None:
    """And none is of unknown type."""
    relayed = {event.alert_type for event in events if isinstance(event, AlertRelayed)}

    assert relayed == {
        "budget_alerts",
        "db_exceptions",
        "failed_tracking_spend",
        "llm_exceptions",
        "llm_requests_hanging",
        "llm_too_slow",
        "mcp_pinned_tools_changed",
        "mcp_tool_description_blocked",
        "model_deprecation_warnings",
        "new_model_added",
        "outage_alerts",
        "region_outage_alerts",
    }
    assert relayed <= {kind.value for kind in AlertType}
    changes = {(event.entity.value, event.action.value) for event in events if isinstance(event, EntityChanged)}
    assert changes == {
        ("key", "created"),
        ("key", "updated"),
        ("key", "deleted"),
        ("team", "created"),
        ("internal_user", "created"),
    }


def test_what_litellm_squashed_or_digested_counts_in_full(events: list[Event]) -> None:
    """Three at once are three, by either of its ways."""
    counts = {event.alert_type: event.count for event in events if isinstance(event, AlertRelayed)}

    assert counts["db_exceptions"] == 3
    assert counts["llm_requests_hanging"] == 3
    assert counts["llm_exceptions"] == 1


def test_facts_are_read(events: list[Event]) -> None:
    """Where it happened, and what the caller asked to have shown."""
    relayed = {event.alert_type: event for event in events if isinstance(event, AlertRelayed)}

    assert relayed["region_outage_alerts"].facts["Region Name"] == "eu"
    assert relayed["outage_alerts"].facts["Model Name"] == "gpt-4o"
    assert relayed["llm_exceptions"].metadata == {"ticket": "T-17"}
    assert relayed["llm_too_slow"].level == "Low"
    assert relayed["new_model_added"].facts["Model Name"] == "gpt-5"


def test_budgets_arrive_typed(events: list[Event]) -> None:
    """Over `WEBHOOK_URL`, in nano-dollars."""
    (budget,) = [event for event in events if isinstance(event, BudgetReported)]

    assert (budget.event, budget.scope.value, budget.entity_id) == ("budget_crossed", "key", "a" * 64)
    assert (budget.spend_nanos, budget.max_nanos) == (100_000_000_000, 100_000_000_000)


def test_neither_keys_nor_prompts_come_along(events: list[Event]) -> None:
    """LiteLLM prints both."""
    everything = "".join(event.model_dump_json() for event in events)

    assert KEY not in everything
    assert "private words" not in everything
