"""LiteLLM's own builders of alerts, from the pinned package, post their real bodies to the relay."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from alertworker.alerts.catalogue import AlertType
from alertworker.budgets.readings import read_report
from alertworker.events import Action, AlertRelayed, BudgetReported, Entity, EntityChanged, Event
from alertworker.integrations.litellm.admin_alerts import MANAGEMENT
from alertworker.integrations.litellm.relay import read_slack, read_webhook
from tests.acceptance.proxy import litellm_python

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
SCRIPT = Path(__file__).parent / "litellm_alerts.py"
KEY = "sk-live0123456789abcdefghij"
#: The result of LiteLLM's own builders for every budget: our event, scope and entity.
BUDGETS = {
    ("budget_crossed", "key", "a" * 64),
    ("projected_limit_exceeded", "key", "b" * 64),
    ("threshold_crossed", "key", "c" * 64),
    ("soft_budget_crossed", "key", "d" * 64),
    ("budget_crossed", "user", "u1"),
    ("budget_crossed", "team", "t1"),
    ("soft_budget_crossed", "team", "t2"),
    ("threshold_crossed", "team_member", "u1:t1"),
    ("budget_crossed", "organization", "o1"),
    ("budget_crossed", "project", "f" * 64),
    ("soft_budget_crossed", "project", "0" * 64),
    ("budget_crossed", "proxy", "proxy"),
    ("spend_tracked", "customer", "c1"),
}
#: Prometheus's answer about fallbacks.
FALLBACKS = {"resultType": "matrix", "result": [{"metric": {"primary_model": "a"}, "values": [[1, "7"]]}]}


@contextmanager
def recording() -> Iterator[tuple[int, list[tuple[str, bytes]]]]:
    """Return the port of a receiver that records each alert with its path, fails as a provider, and is Prometheus."""
    bodies: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Record an alert, or answer a call with an error that repeats its messages."""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path.startswith("/v1/"):
                self.say(500, {"error": {"message": f"trouble: {json.loads(body)['messages']}", "code": None}})
            else:
                bodies.append((self.path, body))
                self.say(200, "ok")

        def do_GET(self) -> None:
            """Answer as Prometheus does."""
            self.say(200, {"status": "success", "data": FALLBACKS})

        def say(self, status: int, content: object) -> None:
            """Answer with JSON."""
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Keep the output clean."""

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
def posted() -> tuple[set[str], list[Event]]:
    """Return LiteLLM's types of alerts, and the relay's events from everything that LiteLLM posts."""
    with recording() as (port, bodies):
        command = [str(litellm_python()), str(SCRIPT), str(port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    read = [(read_webhook if path == "/webhook" else read_slack)(body, now=NOW, host="p1") for path, body in bodies]
    return set(json.loads(done.stdout.splitlines()[-1])), read


@pytest.fixture
def events(posted: tuple[set[str], list[Event]]) -> list[Event]:
    """Return the relay's events."""
    return posted[1]


def said(events: list[Event], alert_type: str, *, digest: bool = False) -> list[AlertRelayed]:
    """Return the relayed alerts of a type, in order: single ones, or digests."""
    relayed = [event for event in events if isinstance(event, AlertRelayed) and event.alert_type == alert_type]
    return [event for event in relayed if (event.digest_from is not None) == digest]


def test_every_type_that_litellm_has_is_read_as_itself(posted: tuple[set[str], list[Event]]) -> None:
    """The exception is the type that LiteLLM never sends. No type is unknown."""
    types, events = posted
    changes = {(event.entity, event.action) for event in events if isinstance(event, EntityChanged)}
    seen = {event.alert_type for event in events if isinstance(event, AlertRelayed)}
    seen |= {name for name, change in MANAGEMENT.items() if change in changes}

    assert types - seen == {"cooldown_deployment"}
    assert seen <= types <= {alert_type.value for alert_type in AlertType}


def test_merged_alerts_of_litellm_count_in_full(events: list[Event]) -> None:
    """Three at once are three, in both of LiteLLM's ways."""
    refused, *gone = sorted(said(events, "db_exceptions"), key=lambda event: "refused" not in event.headline)
    assert "refused" in refused.headline
    assert sum(event.count for event in gone) == 3
    assert len(gone) < 3, "LiteLLM squashes what it says twice in a second"
    digests = {
        alert_type: [event.count for event in said(events, alert_type, digest=True)]
        for alert_type in ("db_exceptions", "llm_exceptions", "llm_too_slow", "llm_requests_hanging")
    }

    assert digests == {"db_exceptions": [4], "llm_exceptions": [5], "llm_too_slow": [1], "llm_requests_hanging": [2]}
    changes = [event for event in events if isinstance(event, EntityChanged) and event.digest_from is not None]
    assert {(event.entity, event.action): event.count for event in changes} == dict.fromkeys(MANAGEMENT.values(), 2)


def test_failed_calls_keep_attribution_and_the_callers_metadata(events: list[Event]) -> None:
    """This holds for failures of a deployment. Calls that were refused before it have none."""
    calls = sorted(
        said(events, "llm_exceptions"), key=lambda event: ("trouble" not in event.headline, not event.metadata)
    )
    first, second, *others = calls

    assert first.facts == second.facts
    assert first.facts["Key Name"] == "app"
    assert first.facts["Team"] == "search"
    assert first.facts["deployment"] == "openai/gpt-4o"
    assert first.metadata == {"ticket": "T-17", "who": "search"}
    assert "trouble" in first.headline
    assert sorted(event.headline for event in others) == [
        "LLM API call failed: Budget has been exceeded! Current cost: 2, Max budget: 1",
        "LLM API call failed: No api key passed in.",
        "LLM API call failed: litellm.ContextWindowExceededError: litellm.BadRequestError: too long",
    ]
    assert [event.facts for event in others] == [{}, {}, {}]


def test_a_call_without_a_price_names_its_model(events: list[Event]) -> None:
    """The alert is from LiteLLM's cost callback."""
    (unpriced,) = said(events, "failed_tracking_spend")

    assert unpriced.headline.endswith("Cost tracking failed for model=x-1.")
    assert unpriced.facts == {"model": "x-1"}
    assert "custom_pricing" in unpriced.text


def test_outages_rise_by_deployment_and_by_region(events: list[Event]) -> None:
    """LiteLLM sends both under one type."""
    levels = {
        alert_type: [
            (event.level, event.facts.get("Model Name") or event.facts.get("Region Name"))
            for event in said(events, alert_type)
        ]
        for alert_type in ("outage_alerts", "region_outage_alerts")
    }

    assert set(levels["outage_alerts"]) == {("Medium", "gpt-4o"), ("High", "gpt-4o")}
    assert sorted(levels["region_outage_alerts"]) == [("High", "eu"), ("Medium", "eu")]


def test_reports_keep_every_line(events: list[Event]) -> None:
    """They begin with their name."""
    (daily,) = said(events, "daily_reports")
    week, month = sorted(said(events, "spend_reports"), key=lambda event: event.headline.startswith("💸 Monthly"))
    (fallbacks,) = said(events, "fallback_reports")

    assert daily.headline == "Here are today's key metrics 📈"
    assert "Latency per output token: `0.5s/token`" in daily.text
    for report in (week, month):
        assert report.text.count("Team: `") == report.text.count("Tag: `") == 39
        assert "Tag: `i39` | Spend: `$0.3166`" in report.text
    assert "`7 successful fallback requests` with primary model=`a`" in fallbacks.text


@pytest.mark.parametrize("alert_type", ["user_spend_thresholds", "user_spend_anomalies"])
def test_an_alert_about_several_users_keeps_each_of_them(events: list[Event], alert_type: str) -> None:
    """LiteLLM puts all users of an hour into one message."""
    (alert,) = said(events, alert_type)

    assert alert.facts["User"] == "u1"
    for user in ("u1", "u2"):
        assert f"User: `{user}`\nSpend Today: `$60.00`" in alert.text


def test_changes_name_the_changed_entity(events: list[Event]) -> None:
    """This includes several deletions at once."""
    changes = {(event.entity, event.action): event for event in events if isinstance(event, EntityChanged)}
    deleted = changes[Entity.TEAM, Action.DELETED]

    assert {event.actor_id for event in changes.values()} == {"admin"}
    assert changes[Entity.KEY, Action.CREATED].entity_alias == "bob's app"
    assert changes[Entity.KEY, Action.CREATED].details == {"max_budget": "10.0", "models": "['gpt-4o']"}
    assert changes[Entity.KEY, Action.DELETED].entity_id == sha256(KEY.encode()).hexdigest()
    assert (deleted.entity_id, deleted.details) == ("t1", {"and": "t2", "changed by": "carol"})
    assert changes[Entity.INTERNAL_USER, Action.CREATED].entity_alias == "u1@example.com"


def test_budgets_of_every_scope_arrive_typed(events: list[Event]) -> None:
    """They arrive over `WEBHOOK_URL`, in nano-dollars, each with its owner."""
    budgets = [event for event in events if isinstance(event, BudgetReported)]

    assert {(event.event, event.scope.value, event.entity_id) for event in budgets} == BUDGETS
    assert {event.spend_nanos for event in budgets if event.event != "spend_tracked"} == {100_000_000_000}
    (projected,) = [event for event in budgets if event.event == "projected_limit_exceeded"]
    assert projected.projected_spend_nanos == 700_000_000_000
    assert {reading.spend_nanos for event in budgets for _, reading in read_report(event)} == {100_000_000_000}
    assert len({key for event in budgets for key, _ in read_report(event)}) == len(BUDGETS) - 1


def test_neither_keys_nor_prompts_come_along(events: list[Event]) -> None:
    """LiteLLM prints both."""
    everything = "".join(event.model_dump_json() for event in events)

    assert KEY not in everything
    assert "private words" not in everything
    assert "hunter2" not in everything
