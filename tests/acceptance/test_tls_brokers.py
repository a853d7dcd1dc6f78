"""A broker behind TLS: the publisher and the worker verify its certificate, and batches arrive as without TLS."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import trustme
from kombu.exceptions import OperationalError

from alertworker.errors import BrokerUnavailable
from alertworker.host.addresses import with_verified_tls
from alertworker.publisher import BrokerTransport, connection
from alertworker.worker import opaque
from tests.acceptance.conftest import CONFIG
from tests.acceptance.receiver import Receiver
from tests.acceptance.stack import ROLES, Stack
from tests.acceptance.test_faults import failed
from tests.acceptance.test_redelivery import batch_of, wait_for_rows
from tests.ports import free_port
from tests.processes import running


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while received := source.recv(65_536):
            sink.sendall(received)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _join(plain: socket.socket, context: ssl.SSLContext, port: int) -> None:
    """Forward bytes both ways until one side closes. A client that does not trust the certificate closes at once."""
    with (
        plain,
        suppress(OSError),
        context.wrap_socket(plain, server_side=True) as client,
        socket.create_connection(("127.0.0.1", port)) as behind,
    ):
        back = threading.Thread(target=_pump, args=(behind, client), daemon=True)
        back.start()
        _pump(client, behind)
        back.join()


@contextmanager
def tls_terminator(port: int, authority: trustme.CA, name: str = "127.0.0.1") -> Iterator[int]:
    """Listen with TLS on a new port, and forward everything to a plain port of this machine. Yield the new port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):  # the listening socket was closed
                while True:
                    plain, _ = server.accept()
                    threading.Thread(target=_join, args=(plain, context, port), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield int(server.getsockname()[1])
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)


def wait_for_log(stack: Stack, text: str) -> None:
    """Wait until the worker that takes batches has logged this."""
    ends = time.monotonic() + 30
    while text not in stack.log("ingest"):
        assert time.monotonic() < ends, stack.logs()[-3000:]
        time.sleep(0.1)


@pytest.fixture
def redis_port(tmp_path: Path) -> Iterator[int]:
    """Run a Redis without TLS, for use behind a terminator."""
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    with running(["redis-server", *options], stdout=subprocess.DEVNULL):
        yield port


@pytest.fixture(params=[pytest.param("rediss"), pytest.param("amqps", marks=pytest.mark.rabbitmq)])
def addresses(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, str]]:
    """Yield the address of a broker behind TLS with a trusted authority, and of one with an untrusted one."""
    trusted, other = trustme.CA(), trustme.CA()
    file = tmp_path / "authority.pem"
    trusted.cert_pem.write_to_path(str(file))
    if request.param == "rediss":
        form = f"rediss://127.0.0.1:{{}}/0?ssl_ca_certs={file}"
        plain: int = request.getfixturevalue("redis_port")
    else:
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        form = f"amqps://guest:guest@127.0.0.1:{{}}/{request.getfixturevalue('rabbitmq_url').rpartition('/')[2]}"
        plain = 5672
    with tls_terminator(plain, trusted) as port, tls_terminator(plain, other) as other_port:
        yield form.format(port), form.format(other_port)


def test_batches_arrive_over_tls(addresses: tuple[str, str], slack: Receiver, tmp_path: Path) -> None:
    """The worker takes them through its own transports, which also have TLS variants."""
    environ = {"ALERTWORKER_BROKER_URL": addresses[0], "SSL_CERT_FILE": str(tmp_path / "authority.pem")}
    stack = Stack(tmp_path / "s", CONFIG.format(url=slack.url, secret="none"), environ)
    try:
        stack.up("ingest")
        transport = BrokerTransport(addresses[0])
        transport.send(batch_of([failed(1)]))
        transport.close()
        wait_for_rows(stack, "SELECT count(*) FROM batches", [(1,)], 30)
    finally:
        stack.down()


def test_a_broker_with_a_certificate_of_another_authority_gets_nothing(addresses: tuple[str, str]) -> None:
    """The publisher spools, as if the broker were down."""
    transport = BrokerTransport(addresses[1])
    with pytest.raises(BrokerUnavailable, match="the broker cannot be reached"):
        transport.send(batch_of([failed(1)]))
    transport.close()


def test_a_certificate_of_rediss_is_verified_without_any_option(redis_port: int) -> None:
    """Only ``ssl_cert_reqs=none`` accepts a certificate of an unknown authority."""
    with tls_terminator(redis_port, trustme.CA()) as port:
        transport = BrokerTransport(f"rediss://127.0.0.1:{port}/0")
        with pytest.raises(BrokerUnavailable, match="the broker cannot be reached"):
            transport.send(batch_of([failed(1)]))
        transport.close()
        transport = BrokerTransport(f"rediss://127.0.0.1:{port}/0?ssl_cert_reqs=none")
        transport.send(batch_of([failed(1)]))
        transport.close()


@pytest.fixture(params=[connection.Connection, opaque.Connection], ids=["publisher", "worker"])
def connect(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rabbitmq_url: str
) -> tuple[Callable[..., None], trustme.CA]:
    """Return a function that connects to an address as a publisher or a worker does, and the authority it trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))

    def run(places: str, option: str = "") -> None:
        virtual_host = rabbitmq_url.rpartition("/")[2]
        url = ";".join(f"amqps://guest:guest@{place}/{virtual_host}{option}" for place in places.split(";"))
        made = request.param(with_verified_tls(url), connect_timeout=5)
        try:
            made.ensure_connection(max_retries=2, interval_start=0, interval_max=0)
            assert made.connected
        finally:
            made.release()

    return run, authority


@pytest.mark.rabbitmq
def test_the_host_name_in_the_certificate_of_amqps_is_verified(
    connect: tuple[Callable[..., None], trustme.CA],
) -> None:
    """Only ``ssl_check_hostname=false`` accepts the certificate of another host of the same authority."""
    run, authority = connect
    with tls_terminator(5672, authority, "mq.example") as other, tls_terminator(5672, authority, "localhost") as local:
        with pytest.raises(OperationalError, match="mismatch"):
            run(f"127.0.0.1:{other}")
        with pytest.raises(OperationalError, match="mismatch"):
            run(f"localhost:{other}")
        run(f"127.0.0.1:{other}", "?ssl_check_hostname=false")
        run(f"localhost:{local}")
        run(f"127.0.0.1:{other};localhost:{local}")  # the first fails, and the next one's own name counts


def test_a_worker_refuses_a_redis_with_a_certificate_of_an_unknown_authority(
    redis_port: int, slack: Receiver, tmp_path: Path
) -> None:
    """It logs why, and reads as soon as the address says that it may."""
    with tls_terminator(redis_port, trustme.CA()) as port:
        transport = BrokerTransport(f"redis://127.0.0.1:{redis_port}/0")
        transport.send(batch_of([failed(1)]))
        transport.close()
        for option, fails in (("", True), ("?ssl_cert_reqs=none", False)):
            environ = {"ALERTWORKER_BROKER_URL": f"rediss://127.0.0.1:{port}/0{option}"}
            stack = Stack(tmp_path / "s", CONFIG.format(url=slack.url, secret="none"), environ)
            try:
                if fails:
                    stack._spawn("ingest", ROLES["ingest"])
                    wait_for_log(stack, "CERTIFICATE_VERIFY_FAILED")
                else:
                    stack.up("ingest")
                    wait_for_rows(stack, "SELECT count(*) FROM batches", [(1,)], 30)
            finally:
                stack.down()
