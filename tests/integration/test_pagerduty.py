"""PagerDuty, from events to a receiver that models PagerDuty's alerts: the pages and their resolution."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import SecretStr

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.channels import build_channel
from alertworker.channels.pagerduty import PagerDutyConfig
from alertworker.delivery.retry import Reason
from alertworker.events import Origin
from alertworker.pipeline import Runtime, deliver, ingest
from alertworker.pipeline.notify import claim
from alertworker.routing.matchers import parse
from alertworker.routing.router import Route
from alertworker.store.schema.delivery import NOTIFICATIONS
from tests.contract.shape import Sent
from tests.contract.vendors.pagerduty import complaints
from tests.integration.harness import FACTS, NOW, batch, failed, rows
from tests.integration.test_outages import after, attempt, ingest_at, lost, pass_time, saved, success

#: This behaviour is the same on every database.
pytestmark = pytest.mark.parametrize("store", ["sqlite"], indirect=True)
KEYS = {"ops": "0ps0ps0ps0ps0ps0ps0ps0ps0ps0ps0p", "search": "5earch5earch5earch5earch5earch5e"}


@dataclass
class Desk:
    """Alerts by routing key and dedup key, each with its events in order.

    ``answers`` are used before any is accepted.
    """

    url: str = ""
    alerts: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    answers: list[tuple[int, bytes]] = field(default_factory=list)

    def take(self, text: str) -> None:
        """Store an event. A resolve event without an open alert is dropped, as PagerDuty does."""
        self.complaints += complaints(Sent(text, {}))
        event = json.loads(text)
        key = (event.pop("routing_key"), event["dedup_key"])
        if event["event_action"] == "trigger" or key in self.alerts:
            self.alerts.setdefault(key, []).append(event)

    def history(self, service: str) -> list[list[str]]:
        """Return the severities of each alert of a service, with "resolve" at its end."""
        return [
            [event.get("payload", {}).get("severity", event["event_action"]) for event in events]
            for (key, _), events in self.alerts.items()
            if key == KEYS[service]
        ]


@pytest.fixture
def desk() -> Iterator[Desk]:
    state = Desk()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, answer = state.answers.pop(0) if state.answers else (202, b'{"status": "success"}')
            if status == 202:
                state.take(body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Keep the output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}/v2/enqueue"
    yield state
    server.shutdown()
    server.server_close()
    assert state.complaints == []


@pytest.fixture
def runtime(runtime: Runtime, desk: Desk) -> Runtime:
    """Page the search team for its own alerts, ops for other High alerts, and send the rest to a chat."""
    pagers = {
        name: build_channel(PagerDutyConfig(name=name, routing_key=SecretStr(key), url=SecretStr(desk.url)))
        for name, key in KEYS.items()
    }
    routes = (
        Route((parse('team="search"'), parse('severity="High"')), "search", continues=True),
        Route((parse('team!="search"'), parse('severity="High"')), "ops", continues=True),
        Route(receiver="all"),
    )
    receivers = {"all": ("outbox",)} | {name: (name,) for name in pagers}
    root = Route(receiver="all", routes=routes)
    router = replace(runtime.router, root=root, receivers=receivers, repeat_interval=14_400.0)
    return replace(runtime, channels=dict(runtime.channels) | pagers, router=router)


def deliver_all(runtime: Runtime, now: datetime) -> None:
    """Deliver what is due in every lane."""
    for name in runtime.channels:
        while deliver(name, runtime, now=now):
            pass


def quiet(runtime: Runtime, at: float) -> None:
    """Let time pass without a failure, on a healthy pipeline."""
    ingest_at(runtime, success(at), at=at)
    pass_time(runtime, at)
    deliver_all(runtime, after(at))


def test_an_outage_pages_when_calls_are_lost_and_is_resolved_under_one_key(runtime: Runtime, desk: Desk) -> None:
    """An outage whose calls are saved does not page. The resolution is sent to the paged receivers only."""
    for second in range(5):
        ingest_at(runtime, attempt(second), at=second)
    deliver_all(runtime, after(5))
    assert desk.alerts == {}

    for second in range(5, 10):
        ingest_at(runtime, attempt(second), lost(second), at=second)
    deliver_all(runtime, after(10))
    assert desk.history("ops") == [["critical"]]

    for at in (30, 60, 85):
        quiet(runtime, at)
    assert (desk.history("ops"), desk.history("search")) == ([["critical", "resolve"]], [])
    [first, *_] = next(iter(desk.alerts.values()))
    assert first["payload"]["summary"] == "Major Service Outage: azure/gpt-4o (d1)"
    assert first["payload"]["source"] == "d1"


def test_a_rising_level_updates_the_alert_that_is_open(runtime: Runtime, desk: Desk) -> None:
    """Outages that hurt no user page, too: the key stays, the severity rises."""
    root = Route(receiver="ops")
    runtime = replace(runtime, router=replace(runtime.router, root=root))
    for second in range(10):
        ingest_at(runtime, attempt(second), (lost if second > 4 else saved)(second), at=second)
        deliver_all(runtime, after(second))
    for at in (30, 60, 85):
        quiet(runtime, at)

    assert desk.history("ops") == [["error", "critical", "resolve"]]


def test_each_team_is_paged_by_its_own_key(runtime: Runtime, desk: Desk) -> None:
    ingest(batch(failed("call-1", Origin.PROXY)), runtime, now=NOW)
    ingest(batch(failed("call-2", Origin.PROXY).model_copy(update=FACTS | {"team_id": "billing"})), runtime, now=NOW)
    deliver_all(runtime, NOW)

    assert (desk.history("search"), desk.history("ops")) == ([["critical"]], [["critical"]])
    groups = {key: events[0]["payload"]["group"] for (key, _), events in desk.alerts.items()}
    assert groups == {KEYS["search"]: "search", KEYS["ops"]: "billing"}


def test_scheduled_reports_do_not_page(runtime: Runtime, desk: Desk) -> None:
    """This holds for every route and every severity."""
    runtime = replace(runtime, router=replace(runtime.router, root=Route(receiver="ops")))
    alert_types = (
        AlertType.SPEND_REPORTS,
        AlertType.DAILY_REPORTS,
        AlertType.FALLBACK_REPORTS,
        AlertType.DB_EXCEPTIONS,
    )
    for alert_type in alert_types:
        alert = Alert(alert_type, Severity.HIGH, {"entity": alert_type}, "x", NOW, NOW)
        runtime.store.run(lambda tx, alert=alert: claim(tx, alert, runtime, now=NOW))  # type: ignore[misc]
    deliver_all(runtime, NOW)

    assert [events[0]["payload"]["class"] for events in desk.alerts.values()] == ["db_exceptions"]


def test_too_many_events_are_sent_later_and_an_invalid_one_never(runtime: Runtime, desk: Desk) -> None:
    """PagerDuty's 429 has no Retry-After and costs no attempt. A 400 is a dead letter without the key."""
    desk.answers = [(429, b""), (202, b"")]
    ingest(batch(failed("call-1", Origin.PROXY)), runtime, now=NOW)
    deliver_all(runtime, NOW)
    assert desk.alerts == {}
    for minute in range(1, 8):
        deliver_all(runtime, NOW + timedelta(minutes=minute))
    assert desk.history("search") == [["critical"]]

    desk.answers = [(400, b'{"status": "invalid event", "errors": ["Length of \'routing_key\' is incorrect"]}')]
    ingest(batch(failed("call-2", Origin.PROXY).model_copy(update=FACTS | {"deployment_id": "d2"})), runtime, now=NOW)
    deliver_all(runtime, NOW + timedelta(minutes=10))
    [dead] = [row for row in rows(runtime.store, NOTIFICATIONS) if row.status == "dead"]  # type: ignore[arg-type]
    assert (dead.channel, dead.reason) == ("search", Reason.CLIENT_ERROR)
    assert KEYS["search"] not in str(dead)
