"""``GET /health/services`` with real receivers of every kind: their own answers, and no false success."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import pytest
from aiosmtpd.controller import Controller

from alertworker.alerts.catalogue import AlertType
from alertworker.channels import CHANNELS, ChannelConfig, build_channel
from alertworker.channels.email.channel import EmailConfig
from alertworker.pipeline import Runtime, routed_channels, try_channels
from alertworker.routing.router import Route
from alertworker.web.app import build_app
from alertworker.web.broker_queue import BrokerQueue
from alertworker.web.cached import CachedHealth
from alertworker.web.context import Context
from alertworker.web.keys import Keys
from alertworker.web.page_context import PageContext
from tests.asgi import Answer, ask
from tests.contract.kinds import HTTP_KINDS, SECRET, config_to, vendor_of
from tests.ports import free_port

#: One database is enough, because only the receivers differ.
pytestmark = pytest.mark.parametrize("store", ["sqlite"], indirect=True)
TYPES = frozenset({AlertType.LLM_EXCEPTIONS, AlertType.BUDGET_ALERTS})


@dataclass
class Receivers:
    """One HTTP server for all vendors, by path, and a mail server. Each answers as its vendor does, or refuses."""

    port: int = 0
    mail_port: int = 0
    posts: list[tuple[str, Any]] = field(default_factory=list)
    mails: list[Any] = field(default_factory=list)
    refuses: bool = False

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - the library's name
        """Accept or refuse a mail."""
        if self.refuses:
            return "554 5.7.1 not from you"
        self.mails.append(envelope)
        return "250 OK"


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    state = Receivers()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.posts.append((self.path, json.loads(body)))
            accepts = getattr(vendor_of(self.path.split("/")[1]), "ACCEPTS", (200, "ok"))
            status, text = (400, "no such thing") if state.refuses else accepts
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            """Keep the output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    mail = Controller(state, hostname="127.0.0.1", port=free_port())
    mail.start()
    state.port, state.mail_port = server.server_port, mail.port
    yield state
    mail.stop()
    server.shutdown()
    thread.join()
    server.server_close()


def configs(receivers: Receivers) -> list[ChannelConfig]:
    """Return a configuration of each kind that posts over HTTP, and of mail."""
    return [
        *(config_to(kind, f"http://127.0.0.1:{receivers.port}/{kind}") for kind in HTTP_KINDS),
        EmailConfig(
            name="email", host="127.0.0.1", port=receivers.mail_port, tls="none", sender="a@example.com",
            recipients=("ops@example.com",),
        ),
    ]  # fmt: skip


@pytest.fixture
def app(runtime: Runtime, receivers: Receivers) -> Any:
    """Return the application, with everything routed to every kind."""
    channels = {config.name: build_channel(config) for config in configs(receivers)}
    router = replace(runtime.router, root=Route(receiver="all"), receivers={"all": tuple(channels)}, types=TYPES)
    runtime = replace(runtime, channels=channels, router=router)
    context = Context(
        keys=Keys(publish=None, admin="admin"),
        broker_queue=cast("BrokerQueue", None),
        health=cast("CachedHealth", None),
        pages=cast("PageContext", None),
        try_service=lambda service, now: try_channels(
            routed_channels(service, sorted(TYPES), runtime), runtime, now=now
        ),
    )
    return build_app(context)


def services(app: Any, service: str) -> Answer:
    """Test a service, and return the answer."""
    return asyncio.run(
        ask(app, "GET", f"/health/services?service={service}", headers={"Authorization": "Bearer admin"})
    )


@pytest.mark.parametrize("service", [*HTTP_KINDS, "email"])
def test_each_type_comes_at_its_receiver_each_time_and_a_refusal_is_no_success(
    app: Any, receivers: Receivers, service: str
) -> None:
    """LiteLLM reports "success" before it has sent anything, and does not send a webhook's test twice a day."""
    came = partial(len, receivers.mails if service == "email" else receivers.posts)
    first, second = services(app, service), services(app, service)
    expected = len(TYPES) * (2 if service == "webhook" else 1)  # the budget's event is one, too
    assert (first.status, first.body["status"], second.body["status"]) == (200, "success", "success")
    assert set(first.body["alert_types"]) == TYPES
    assert len(first.body["results"]) == expected
    assert came() == 2 * expected * (2 if CHANNELS[service].keeps_open else 1)  # what a test opens is resolved at once

    receivers.refuses = True
    refused = services(app, service)
    assert (refused.status, refused.body["status"]) == (502, "error")
    said = "554" if service == "email" else "400"
    assert all(result["status"] == "dead" and said in result["answer"] for result in refused.body["results"])
    assert SECRET not in json.dumps([first.body, refused.body])


def test_a_webhooks_answer_shows_the_event_that_was_sent(app: Any, receivers: Receivers) -> None:
    """The budget's event is at the top, in the form of LiteLLM's page, also if the receiver refused it."""
    for refuses in (False, True):
        receivers.refuses = refuses
        body = services(app, "webhook").body
        sent = {path.split("/")[1]: event for path, event in receivers.posts}
        page = {"spend": 1.0, "max_budget": 0.0, "event": "budget_crossed", "event_group": "internal_user"}

        assert {name: body[name] for name in page} == page
        assert body["event_message"] == "User Budget: Budget Crossed"
        shown = {result["channel"]: result["sent"] for result in body["results"]}
        assert shown["budget_webhook"] == sent["budget_webhook"]
        assert set(shown["webhook"]) == set(sent["webhook"])
