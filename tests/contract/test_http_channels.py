"""Every channel that speaks HTTP: what each answer means, deadlines, and secrets that stay where they are."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import SecretStr

from alertworker.channels import (
    CHANNELS,
    AppriseConfig,
    BudgetWebhookConfig,
    ConsoleConfig,
    DiscordConfig,
    EmailConfig,
    PagerDutyConfig,
    SlackConfig,
    TeamsConfig,
    WebhookConfig,
    build_channel,
    http,
)
from alertworker.channels.config import ChannelConfig
from alertworker.delivery.channel import Channel
from alertworker.delivery.retry import TRANSIENT, DeliveryError, Reason

SECRET = "T000-canarySecretOfTheAddress"
Make = Callable[[str], ChannelConfig]
#: How to configure each kind for an address; a kind that is missing here fails the first test.
MAKE: dict[type[ChannelConfig], Make | None] = {
    AppriseConfig: None,
    BudgetWebhookConfig: lambda url: BudgetWebhookConfig(name="budget-test", url=SecretStr(f"{url}/hook/{SECRET}")),
    ConsoleConfig: None,
    DiscordConfig: lambda url: DiscordConfig(name="discord-test", url=SecretStr(f"{url}/api/webhooks/{SECRET}")),
    EmailConfig: None,
    PagerDutyConfig: lambda url: PagerDutyConfig(
        name="pagerduty-test", routing_key=SecretStr(SECRET), url=SecretStr(url)
    ),
    SlackConfig: lambda url: SlackConfig(name="slack-test", url=SecretStr(f"{url}/services/{SECRET}")),
    TeamsConfig: lambda url: TeamsConfig(name="teams-test", url=SecretStr(f"{url}/workflows/{SECRET}")),
    WebhookConfig: lambda url: WebhookConfig(name="webhook-test", url=SecretStr(f"{url}/hook/{SECRET}")),
}
HTTP_KINDS = [make for make in MAKE.values() if make is not None]


def test_every_channel_is_under_contract() -> None:
    """A new kind cannot be registered without being tested here."""
    assert set(MAKE) == set(CHANNELS)


class Server:
    """An HTTP server whose answer is set by the test."""

    def __init__(self) -> None:
        self.interim: int | None = None
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = b"ok"
        self.received: list[bytes] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                server.received.append(self.rfile.read(int(self.headers["Content-Length"])))
                if server.interim is not None:
                    self.send_response_only(server.interim)
                    self.send_header("Link", "</style.css>; rel=preload")
                    self.end_headers()
                self.send_response_only(server.status)
                for name, value in server.headers.items():
                    self.send_header(name, value)
                if server.status not in (204, 304):
                    self.send_header("Content-Length", str(len(server.body)))
                self.end_headers()
                if server.status not in (204, 304):
                    self.wfile.write(server.body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Keep the output clean."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    """Run a server."""
    running = Server()
    yield running
    running.close()


def attempt(channel: Channel) -> DeliveryError | None:
    """Send, and give the error if there was one."""
    try:
        channel.send("{}", notification_id="n1")
    except DeliveryError as error:
        return error
    return None


def expected(status: int) -> Reason | None:
    """Give what a status means, written down a second time."""
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return Reason.REDIRECTED
    named = {
        401: Reason.AUTH_ERROR,
        403: Reason.AUTH_ERROR,
        404: Reason.GONE,
        408: Reason.TIMEOUT,
        410: Reason.GONE,
        413: Reason.PAYLOAD_TOO_LARGE,
        425: Reason.SERVER_ERROR,
        429: Reason.RATE_LIMITED,
    }
    return named.get(status, Reason.CLIENT_ERROR if status < 500 else Reason.SERVER_ERROR)


@pytest.mark.parametrize("make", HTTP_KINDS)
def test_every_final_status_has_its_meaning(make: Make, server: Server) -> None:
    """From 200 to 599: success, or a closed reason, and never an exception of another kind."""
    channel = build_channel(make(server.url))
    for status in range(200, 600):
        server.status = status
        error = attempt(channel)
        assert (error.reason if error else None) is expected(status), status
        assert error is None or error.status == status
        assert SECRET not in str(error)


@pytest.mark.parametrize("make", HTTP_KINDS)
def test_an_interim_answer_is_not_the_answer(make: Make, server: Server) -> None:
    """From 100 to 199 one is read on, to what the receiver says of the message."""
    channel = build_channel(make(server.url))
    for server.interim in range(100, 200):
        server.status = 200 if server.interim % 2 else 503
        error = attempt(channel)
        assert (error.reason if error else None) is expected(server.status), server.interim


@pytest.mark.parametrize("make", HTTP_KINDS)
@pytest.mark.parametrize("status", [101, 103, 199])
def test_an_interim_answer_with_nothing_behind_it_is_tried_again(make: Make, status: int) -> None:
    """Nobody knows what the receiver would have said."""

    def behave(connection: socket.socket) -> None:
        connection.sendall(f"HTTP/1.1 {status} Wait\r\n\r\n".encode())

    error = attempt(build_channel(make(_serve_once(behave))))
    assert error is not None
    assert error.reason in TRANSIENT


@pytest.mark.parametrize("make", HTTP_KINDS)
@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        ("2", 2, 2),
        ("0.5", 0.5, 0.5),
        ("-3", 0, 0),
        (timedelta(seconds=90), 60, 90),
        (timedelta(days=-1), 0, 0),
    ],
)
def test_retry_after_is_read_in_all_its_forms(
    make: Make, server: Server, value: str | timedelta, low: float, high: float
) -> None:
    """Seconds or a date; the past means now."""
    if isinstance(value, timedelta):
        value = format_datetime(datetime.now(UTC) + value, usegmt=True)
    server.status, server.headers = 429, {"Retry-After": value}
    with pytest.raises(DeliveryError) as caught:
        build_channel(make(server.url)).send("{}", notification_id="n1")

    assert caught.value.retry_after is not None
    assert low <= caught.value.retry_after <= high


@pytest.mark.parametrize("make", HTTP_KINDS)
@pytest.mark.parametrize(
    ("body", "header", "wait"),
    [
        (b'{"message": "You are being rate limited.", "retry_after": 64.57, "global": false}', None, 64.57),
        (b'{"retry_after": 1.5}', "2", 2),
        (b'{"retry_after": 2.5}', "2", 2.5),
        (b'{"retry_after": true}', None, None),
        (b'{"retry_after": "1"}', "3", 3),
        (b'{"retry_after": NaN}', None, None),
        (b'["retry_after"]', None, None),
        (b"[" * 60_000, None, None),
    ],
)
def test_a_wait_may_stand_in_the_answer(
    make: Make, server: Server, body: bytes, header: str | None, wait: float | None
) -> None:
    """As Discord says it; of two the longer one holds."""
    server.status, server.body = 429, body
    server.headers = {"Retry-After": header} if header else {}
    error = attempt(build_channel(make(server.url)))

    assert error is not None
    assert (error.reason, error.retry_after) == (Reason.RATE_LIMITED, wait)


@pytest.mark.parametrize("make", HTTP_KINDS)
@pytest.mark.parametrize("value", ["soon", "", "nan", "inf", "99999999999999999999 apples"])
def test_a_retry_after_without_sense_counts_as_absent(make: Make, server: Server, value: str) -> None:
    """It is still a 429."""
    server.status, server.headers = 429, {"Retry-After": value}
    with pytest.raises(DeliveryError) as caught:
        build_channel(make(server.url)).send("{}", notification_id="n1")

    assert caught.value.reason is Reason.RATE_LIMITED
    assert caught.value.retry_after is None


@pytest.mark.parametrize("make", HTTP_KINDS)
@pytest.mark.parametrize(
    ("headers", "body", "busy_for"),
    [
        ({}, b"ok", 0),
        ({"X-RateLimit-Remaining": "1", "X-RateLimit-Reset-After": "1.5"}, b"ok", 0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "1.5"}, b"ok", 1.5),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "soon"}, b"ok", 0),
        ({"X-RateLimit-Remaining": "0"}, b"ok", 0),
        ({"Retry-After": "3", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "1.5"}, b"ok", 3),
        ({"X-RateLimit-Global": "true"}, b'{"retry_after": 0.25}', 0.25),
    ],
)
def test_a_receiver_may_say_when_it_takes_more(
    make: Make, headers: dict[str, str], body: bytes, busy_for: float, server: Server
) -> None:
    """Also where it took this one: that was the last before its limit."""
    server.headers, server.body = headers, body

    assert build_channel(make(server.url)).send("{}", notification_id="n1").busy_for == busy_for


@pytest.mark.parametrize("make", HTTP_KINDS)
def test_the_receivers_answer_is_given_in_short(make: Make, server: Server) -> None:
    """A person sees what the receiver said, and no more than a line of it."""
    server.body = b"fine " * 100_000
    answer = build_channel(make(server.url)).send("{}", notification_id="n1").text

    assert answer.startswith("200 fine")
    assert len(answer) < 300


def _serve_once(behave: Callable[[socket.socket], None]) -> str:
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        connection, _ = listener.accept()
        with connection, listener:
            connection.recv(65_536)
            try:
                behave(connection)
            except OSError:
                return

    threading.Thread(target=run, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def _silent(connection: socket.socket) -> None:
    connection.recv(1)


def _dripping_body(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(100):
        connection.sendall(b"x")
        time.sleep(0.2)


def _dripping_header(connection: socket.socket) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 100:
        connection.sendall(bytes([byte]))
        time.sleep(0.2)


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


@pytest.mark.parametrize("behave", [_silent, _dripping_body, _dripping_header])
@pytest.mark.parametrize("make", HTTP_KINDS)
def test_the_deadline_holds_for_the_whole_exchange(
    make: Make, behave: Callable[[socket.socket], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver that is silent, or drips its head or its body, is cut off."""
    monkeypatch.setattr(http, "DEADLINE", 1.0)
    began = time.monotonic()
    with pytest.raises(DeliveryError) as caught:
        build_channel(make(_serve_once(behave))).send("{}", notification_id="n1")

    assert caught.value.reason in TRANSIENT
    assert time.monotonic() - began < 3
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("make", HTTP_KINDS)
def test_nobody_there_is_tried_again(make: Make) -> None:
    """A refused or reset connection is transient, and its error names no address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        refused = f"http://127.0.0.1:{listener.getsockname()[1]}"
    for url in (refused, _serve_once(_reset)):
        with pytest.raises(DeliveryError) as caught:
            build_channel(make(url)).send("{}", notification_id="n1")
        assert caught.value.reason in TRANSIENT
        assert SECRET not in str(caught.value)
        assert caught.value.__cause__ is None


@pytest.mark.parametrize("make", HTTP_KINDS)
def test_a_channel_does_not_show_its_address(make: Make) -> None:
    """Neither does its configuration."""
    config: Any = make("https://hooks.example")
    for shown in (repr(config), str(config), repr(build_channel(config)), json.dumps(config.model_dump(mode="json"))):
        assert SECRET not in shown
