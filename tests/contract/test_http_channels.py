"""Every channel that posts by HTTP: the meaning of answers, deadlines, and secrets that are never shown."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from alertworker.channels import build_channel, http
from alertworker.delivery.channel import Channel
from alertworker.delivery.retry import TRANSIENT, DeliveryError, Reason
from tests.contract.kinds import (
    HTTP_KINDS,
    SECRET,
    channel_to,
    config_to,
    every_http_kind,
    problem_of,
    secrets_of,
    vendor_of,
)
from tests.contract.receiver import Server


def attempt(channel: Channel) -> DeliveryError | None:
    """Send, and return the error if there was one."""
    try:
        channel.send("{}", notification_id="n1")
    except DeliveryError as error:
        return error
    return None


def expected(status: int) -> Reason | None:
    """Return the meaning of a status, written down a second time."""
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


@every_http_kind
def test_every_final_status_has_its_meaning(kind: str, server: Server) -> None:
    """From 200 to 599: success, or a reason of a closed set, and never another exception."""
    config = config_to(kind, server.url)
    channel, secrets = build_channel(config), list(secrets_of(config))
    for status in range(200, 600):
        server.status = status
        error = attempt(channel)
        assert (error.reason if error else None) is expected(status), status
        assert error is None or error.status == status
        assert not any(secret in str(error) for secret in secrets)


def _refusals() -> Iterator[Any]:
    for kind in HTTP_KINDS:
        stated = {} if problem_of(kind) else getattr(vendor_of(kind), "REFUSES", {})
        for said, reason in stated.items():
            yield pytest.param(kind, said, reason, id=f"{kind}: {said[-40:]}")


@pytest.mark.parametrize(("kind", "said", "reason"), list(_refusals()))
def test_a_failure_with_status_200_is_no_success(kind: str, said: str, reason: Reason, server: Server) -> None:
    """Some vendors report a failure only in the body. Any other body means that the message was accepted."""
    server.body = said.encode()
    error = attempt(channel_to(kind, server.url))
    assert error is not None, "override `send` and raise a DeliveryError for this answer, as ms_teams.py does"
    assert error.reason is reason


@every_http_kind
def test_an_interim_answer_is_not_the_answer(kind: str, server: Server) -> None:
    """Answers from 100 to 199 are skipped, up to the final answer."""
    channel = channel_to(kind, server.url)
    for server.interim in range(100, 200):
        server.status = 200 if server.interim % 2 else 503
        error = attempt(channel)
        assert (error.reason if error else None) is expected(server.status), server.interim


@pytest.mark.parametrize("status", [101, 103, 199])
@every_http_kind
def test_an_interim_answer_with_nothing_behind_it_is_tried_again(kind: str, status: int) -> None:
    """The receiver's final answer is unknown."""

    def behave(connection: socket.socket) -> None:
        connection.sendall(f"HTTP/1.1 {status} Wait\r\n\r\n".encode())

    error = attempt(channel_to(kind, _serve_once(behave)))
    assert error is not None
    assert error.reason in TRANSIENT


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
@every_http_kind
def test_retry_after_is_read_in_all_its_forms(
    kind: str, server: Server, value: str | timedelta, low: float, high: float
) -> None:
    """Seconds or a date. The past means now."""
    if isinstance(value, timedelta):
        value = format_datetime(datetime.now(UTC) + value, usegmt=True)
    server.status, server.headers = 429, {"Retry-After": value}
    with pytest.raises(DeliveryError) as caught:
        channel_to(kind, server.url).send("{}", notification_id="n1")

    assert caught.value.retry_after is not None
    assert low <= caught.value.retry_after <= high


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
@every_http_kind
def test_a_wait_may_stand_in_the_answer(
    kind: str, server: Server, body: bytes, header: str | None, wait: float | None
) -> None:
    """Discord sends it there. Of two waits the longer one counts."""
    server.status, server.body = 429, body
    server.headers = {"Retry-After": header} if header else {}
    error = attempt(channel_to(kind, server.url))

    assert error is not None
    assert (error.reason, error.retry_after) == (Reason.RATE_LIMITED, wait)


@pytest.mark.parametrize("value", ["soon", "", "nan", "inf", "99999999999999999999 apples"])
@every_http_kind
def test_a_retry_after_without_sense_counts_as_absent(kind: str, server: Server, value: str) -> None:
    """The answer is still a 429."""
    server.status, server.headers = 429, {"Retry-After": value}
    with pytest.raises(DeliveryError) as caught:
        channel_to(kind, server.url).send("{}", notification_id="n1")

    assert caught.value.reason is Reason.RATE_LIMITED
    assert caught.value.retry_after is None


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
@every_http_kind
def test_a_receiver_may_state_when_it_accepts_more(
    kind: str, headers: dict[str, str], body: bytes, busy_for: float, server: Server
) -> None:
    """Also if it accepted this message, which was the last one before its limit."""
    server.headers, server.body = headers, body

    assert channel_to(kind, server.url).send("{}", notification_id="n1").busy_for == busy_for


@every_http_kind
def test_the_receivers_answer_is_given_in_short(kind: str, server: Server) -> None:
    """People see one line of the answer."""
    server.body = b"fine " * 100_000
    answer = channel_to(kind, server.url).send("{}", notification_id="n1").text

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
@every_http_kind
def test_the_deadline_holds_for_the_whole_exchange(
    kind: str, behave: Callable[[socket.socket], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver that is silent, or sends its head or its body slowly, is cut off."""
    monkeypatch.setattr(http, "DEADLINE", 1.0)
    began = time.monotonic()
    with pytest.raises(DeliveryError) as caught:
        channel_to(kind, _serve_once(behave)).send("{}", notification_id="n1")

    assert caught.value.reason in TRANSIENT
    assert time.monotonic() - began < 3
    assert SECRET not in str(caught.value)


@every_http_kind
def test_a_refused_connection_is_retried(kind: str) -> None:
    """A refused or reset connection is transient, and its error contains no URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        refused = f"http://127.0.0.1:{listener.getsockname()[1]}"
    for url in (refused, _serve_once(_reset)):
        with pytest.raises(DeliveryError) as caught:
            channel_to(kind, url).send("{}", notification_id="n1")
        assert caught.value.reason in TRANSIENT
        assert SECRET not in str(caught.value)
        assert caught.value.__cause__ is None


@every_http_kind
def test_a_channel_does_not_show_its_address(kind: str) -> None:
    """Its configuration does not, either."""
    config = config_to(kind, "https://hooks.example")
    for shown in (repr(config), str(config), repr(build_channel(config)), json.dumps(config.model_dump(mode="json"))):
        assert not any(secret in shown for secret in secrets_of(config))
