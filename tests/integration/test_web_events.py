"""Events over HTTP: a real ``alertworker web`` on a real broker, and publishers that send to it."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis
import trustme
import zstandard

from alertworker.errors import BatchRefused, BrokerUnavailable
from alertworker.events.batch import SealedBatch, seal
from alertworker.host.paths import default_database_url, socket_path
from alertworker.ports import Clock
from alertworker.publisher import Publisher
from alertworker.publisher.https import HttpTransport
from alertworker.store import SqlStore, make_engine
from alertworker.store.migrations import upgrade
from tests.integration.broker import Broker, call, wait_for
from tests.ports import free_port

KEY = "publish-key"
ADMIN = "admin-key"


class Web:
    """An ``alertworker web`` process in a folder."""

    def __init__(self, folder: Path, broker_url: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
        self.environ = {
            **keep,
            "ALERTWORKER_BROKER_URL": broker_url,
            "ALERTWORKER_DATA_DIR": str(folder),
            "ALERTWORKER_PUBLISH_KEY": KEY,
            "ALERTWORKER_API_KEY": ADMIN,
            "ALERTWORKER_HTTP_PORT": str(self.port),
            "ALERTWORKER_DATABASE_URL": default_database_url(folder),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process, and wait until it listens."""
        with (self._folder / "web.log").open("ab") as log:
            command = [sys.executable, "-m", "alertworker", "web"]
            self.process = subprocess.Popen(
                command, env=self.environ, cwd=self._folder, stdout=log, stderr=log, start_new_session=True
            )
        wait_for(self._listens)

    def kill(self) -> None:
        """Kill the process with SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def post(
        self, body: bytes, key: str | None = KEY, path: str = "/v1/events", **headers: str
    ) -> tuple[int, dict[str, Any], Any]:
        """Post a body of events. Return the status, the answer, and its headers."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        if key is not None:
            sent["Authorization"] = f"Bearer {key}"
        connection.request("POST", path, body, sent)
        answer = connection.getresponse()
        read = answer.status, json.loads(answer.read()), answer.headers
        connection.close()
        return read

    def get(self, path: str, key: str | None = None) -> tuple[int, str]:
        """Get a page. Return the status and the answer's text."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", path, headers={} if key is None else {"Authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        read = answer.status, answer.read().decode()
        connection.close()
        return read

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture
def web(broker: Broker, tmp_path: Path) -> Iterator[Web]:
    """Run the HTTP side on the broker."""
    running = Web(tmp_path, broker.url)
    try:
        running.start()
        yield running
    finally:
        running.kill()


def text(*numbers: int) -> list[str]:
    """Return calls as JSON."""
    return [json.dumps(call(number), default=datetime.isoformat) for number in numbers]


def test_an_event_an_array_and_lines_arrive(broker: Broker, web: Web) -> None:
    """Each body is one batch on the broker, compressed or not, with the publish key or the admin key."""
    [one] = text(1)
    bodies = [
        web.post(one.encode()),
        web.post(f"[{','.join(text(2, 3))}]".encode(), key=ADMIN),
        web.post(gzip.compress("\n".join(text(4, 5)).encode()), Content_Encoding="gzip"),
        web.post(zstandard.compress("\n\n".join(text(6, 7)).encode()), Content_Encoding="zstd"),
    ]

    assert [(status, answer["accepted"], answer["errors"]) for status, answer, _ in bodies] == [
        (202, 1, []),
        (202, 2, []),
        (202, 2, []),
        (202, 2, []),
    ]
    assert [batch_id for batch_id, _ in broker.batches()] == [answer["batch_id"] for _, answer, _ in bodies]
    assert broker.calls() == [f"{number:05d}" for number in range(1, 8)]


def test_a_bad_event_is_named_by_its_place_and_the_others_go_on(broker: Broker, web: Web) -> None:
    """This includes a line that is not JSON. A body without a good event is refused whole."""
    first, second = text(1, 2)
    status, answer, _ = web.post(f'{first}\n{{not json\n{{"type": "llm.request.failed"}}\n{second}'.encode())

    assert (status, answer["accepted"]) == (202, 2)
    assert [error["index"] for error in answer["errors"]] == [1, 2]
    assert "call_id" in answer["errors"][1]["error"]
    assert broker.calls() == ["00001", "00002"]
    assert web.post(b'[{"type": "no.such"}, 7]')[0] == 422
    assert web.post(b"")[0] == 422
    assert len(broker.batches()) == 1


def test_one_idempotency_key_is_one_batch_for_one_body(broker: Broker, web: Web) -> None:
    """A repeated request has the same id. Another producer's events under the same key are a batch of their own."""
    [mine], [theirs] = text(1), text(2)
    ids = [web.post(body.encode(), Idempotency_Key="1")[1]["batch_id"] for body in (mine, mine, theirs)]

    assert ids[0] == ids[1] != ids[2]
    assert web.post(mine.encode(), Idempotency_Key="x" * 257)[0] == 422


def test_a_client_without_a_key_publishes_nothing(broker: Broker, web: Web) -> None:
    """A missing key and a wrong key are both refused."""
    body = text(1)[0].encode()
    assert [web.post(body, key=key)[0] for key in (None, "", "publish-kez", "\xfc")] == [401] * 4
    assert broker.batches() == []


def test_bodies_are_bounded_as_they_come_and_when_decompressed(broker: Broker, web: Web) -> None:
    """9 MB are refused, also if they are 9 kB on the wire. A truncated body is refused, too."""
    big = b" " * (9 * 1024 * 1024)
    assert web.post(gzip.compress(big), Content_Encoding="gzip")[0] == 413
    assert web.post(zstandard.compress(big), Content_Encoding="zstd")[0] == 413
    assert web.post(gzip.compress(big[:5_000_000])[:-9], Content_Encoding="gzip")[0] == 400
    assert web.post(zstandard.compress(os.urandom(9_000))[:-9], Content_Encoding="zstd")[0] == 400
    assert web.post(b"{}", Content_Encoding="br")[0] == 415
    assert web.post(f"[{','.join(['{}'] * 5_001)}]".encode())[0] == 413
    assert broker.batches() == []


def resident(process: int) -> int:
    """Return the peak memory of a process in MiB."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def test_small_bodies_that_would_cost_much_are_refused(broker: Broker, web: Web) -> None:
    """Each stays within the memory of a large good body, and the next client is served."""
    many = f"[{','.join(text(*range(5_000)))}]".encode()
    assert web.post(many)[0] == 202
    assert web.process is not None
    before = resident(web.process.pid)
    empty_member, empty_frame = gzip.compress(b""), zstandard.compress(b"")
    bombs = [
        (b"\n" * 8_000_000, {}),
        (zstandard.compress(b"1\n" * 4_000_000), {"Content_Encoding": "zstd"}),
        (zstandard.compress(b"[" + b"1," * 499_999 + b"1]"), {"Content_Encoding": "zstd"}),
        (gzip.compress(b"[" * 8_000_000), {"Content_Encoding": "gzip"}),
        (empty_member * 400_000, {"Content_Encoding": "gzip"}),
        (empty_frame * 800_000, {"Content_Encoding": "zstd"}),
        (b"{" + b'"a":[],' * 1_000_000, {}),
        (b'[{"type":"llm.request.succeeded","tags":[' + b"1," * 900_000 + b"1]}]", {}),
    ]
    answers = [web.post(body, **headers) for body, headers in bombs]

    assert {status for status, _, _ in answers} <= {400, 413, 422}
    assert all(len(answer["error"]) < 500 for _, answer, _ in answers)
    assert resident(web.process.pid) < before + 64
    assert web.post(text(1)[0].encode())[0] == 202
    assert len(broker.batches()) == 2


def test_one_event_that_no_parser_reads_does_not_take_its_neighbours_with_it(broker: Broker, web: Web) -> None:
    """The error names its own place."""
    deep = '{"a":' * 10_000 + "1" + "}" * 10_000
    for separator, frame in ((",", "[{}]"), ("\n", "{}")):
        events = text(*range(99))
        events.insert(40, deep)
        status, answer, _ = web.post(frame.format(separator.join(events)).encode())
        assert (status, answer["accepted"], [error["index"] for error in answer["errors"]]) == (202, 99, [40])
    assert [len(events) for _, events in broker.batches()] == [99, 99]


def configure(broker: Broker, **settings: str | int) -> None:
    """Change the broker's settings while it runs."""
    with redis.Redis(unix_socket_path=str(socket_path(broker.folder))) as client:
        for name, value in settings.items():
            client.config_set(name.replace("_", "-"), value)


def unreadiness(web: Web) -> list[str]:
    """Return why the process is not ready. For some seconds the answer is the same."""
    status, said = web.get("/health/readiness")
    assert status == 503
    return list(json.loads(said)["reasons"])


def test_the_error_names_a_broker_that_refuses_writes(broker: Broker, web: Web) -> None:
    """The broker still answers pings.

    The answer is 503 and not ready until it accepts writes again, and no probe is left.
    """
    [body] = text(1)
    for settings, words in (
        ({"maxmemory": 1}, "out of memory"),
        ({"min_replicas_to_write": 1}, "too few replicas"),
    ):
        configure(broker, **settings)
        for path in ("/v1/events", "/integrations/litellm/slack"):
            status, answer, headers = web.post(body.encode() if path == "/v1/events" else b'{"text":"x"}', path=path)
            assert (status, words in answer["error"], "Retry-After" in headers) == (503, True, True)
        wait_for(lambda: any(words in reason for reason in unreadiness(web)))  # noqa: B023 - called within the loop
        configure(broker, **dict.fromkeys(settings, 0))
        wait_for(lambda: web.post(body.encode())[0] == 202)
    wait_for(lambda: not any("broker" in reason for reason in unreadiness(web)))
    with redis.Redis(unix_socket_path=str(socket_path(broker.folder))) as client:
        assert not [key for key in client.scan_iter() if b"probe" in key]


def test_the_error_names_a_broker_with_a_failing_disk(broker: Broker, web: Web) -> None:
    """MISCONF: the broker could not save its data, and accepts no more."""
    [body] = text(1)
    assert web.post(body.encode())[0] == 202
    with redis.Redis(unix_socket_path=str(socket_path(broker.folder))) as client:
        client.config_set("appendonly", "no")
        client.config_set("save", "3600 1")
        (broker.folder / "dump.rdb").mkdir()  # the path of its dump
        client.bgsave()
        wait_for(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err")

    status, answer, _ = web.post(body.encode())
    assert (status, "disk" in answer["error"]) == (503, True)
    wait_for(lambda: any("disk" in reason for reason in unreadiness(web)))


def test_503_names_an_unavailable_broker_and_accepts_no_event(broker: Broker, web: Web) -> None:
    """The answer is 503 with Retry-After, until the broker is back."""
    [body] = text(1)
    broker.stop()
    status, answer, headers = web.post(body.encode(), Idempotency_Key="1")
    assert (status, "broker" in answer["error"]) == (503, True)
    assert int(headers["Retry-After"]) >= 1

    broker.start()
    wait_for(lambda: web.post(body.encode(), Idempotency_Key="1")[0] == 202)
    assert len({batch_id for batch_id, _ in broker.batches()}) == 1


def test_a_publisher_loses_nothing_while_the_http_side_is_killed(broker: Broker, web: Web, tmp_path: Path) -> None:
    """Events from before, during and after the outage arrive in order. A batch that arrives twice has one id."""
    publisher = Publisher(HttpTransport(web.url, KEY), tmp_path / "spool")
    for number in range(200):
        publisher.publish(call(number))
    wait_for(lambda: publisher.stats().sent >= 200)
    web.kill()
    for number in range(200, 400):
        publisher.publish(call(number))
    wait_for(lambda: publisher.stats().spooled >= 200)
    web.start()
    for number in range(400, 600):
        publisher.publish(call(number))
    wait_for(lambda: publisher.stats().sent >= 600)
    publisher.close()

    assert broker.calls() == [f"{number:05d}" for number in range(600)]
    assert publisher.stats().dropped == {}


def test_health_names_the_missing_service(broker: Broker, web: Web, tmp_path: Path) -> None:
    """A process is live even if everything else is down. It is ready if broker and database answer and a canary has
    returned.
    """
    assert web.get("/health/liveliness") == web.get("/health/liveness") == (200, '"I\'m alive!"')
    assert web.get("/health/readiness")[0] == 503

    store = SqlStore(make_engine(default_database_url(tmp_path)))
    upgrade(store.engine)
    wait_for(lambda: unreadiness(web) == ["no canary has returned yet; start a worker and beat"])
    store.run(lambda tx: tx.clock.advance(Clock.CANARY_ARRIVED, datetime.now(UTC)))
    wait_for(lambda: web.get("/health/readiness")[0] == 200)
    assert "alertworker_canary_age_seconds" in web.get("/metrics")[1]

    broker.stop()
    wait_for(lambda: web.get("/health/readiness")[0] == 503)  # answers are cached for 2 s
    assert "broker" in json.loads(web.get("/health/readiness")[1])["reasons"][0]
    assert web.get("/health/liveliness")[0] == 200
    store.engine.dispose()


def test_services_are_for_the_admin_and_known_by_name(web: Web) -> None:
    """The publish key can test nothing. An unknown service, or one without a channel, is named in the error."""
    path = "/health/services?service="
    assert [web.get(path + "slack", key=key)[0] for key in (None, KEY)] == [401, 401]
    status, text = web.get(path + "smoke", key=ADMIN)
    assert (status, "ms_teams" in text, "console" in text) == (422, True, False)


def batch(body: bytes = b"") -> SealedBatch:
    """Return a batch of one event."""
    sealed = seal([b"{}"], batch_id=str(uuid4()), producer="boot", sealed_at=datetime.now(UTC))
    return SealedBatch(sealed.batch_id, "boot", sealed.sealed_at, 1, body or sealed.body)


@contextmanager
def answering(*statuses: int, tls: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[str]]]:
    """Run a server with these answers. Return its port, and the ids of the batches that arrive."""
    left, came = list(statuses), []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            came.append(self.headers["Alertworker-Batch-Id"])
            self.send_response(left.pop(0))
            self.send_header("Content-Length", "0")
            self.send_header("Retry-After", "7")
            self.end_headers()
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            """Keep the output clean."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a failed handshake
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port, came
    server.shutdown()
    thread.join()
    server.server_close()


def test_names_above_the_bound_of_an_address_become_one(broker: Broker, web: Web) -> None:
    """The events are accepted nevertheless."""
    web.kill()
    web.environ["ALERTWORKER_HTTP_NAMES_PER_HOUR"] = "2"
    web.start()
    events = [json.loads(one) | {"model_group": f"made-up-{number}"} for number, one in enumerate(text(1, 2, 3, 4))]
    status, answer, _ = web.post(json.dumps(events).encode())
    [(_, found)] = broker.batches()

    assert (status, answer["accepted"]) == (202, 4)
    assert [getattr(event, "model_group", None) for event in found] == ["made-up-0", "made-up-1", "(other)", "(other)"]


def test_a_publisher_above_the_rate_waits_and_loses_nothing(broker: Broker, web: Web, tmp_path: Path) -> None:
    """The server asks it to wait. Its heartbeat arrives meanwhile, and its batch when the wait is over."""
    web.kill()
    web.environ["ALERTWORKER_HTTP_EVENTS_PER_SECOND"] = "100"
    web.start()
    for numbers in (range(5_000), range(2_200)):  # a minute's events are free, and 12 s leave time for the publisher
        assert web.post("\n".join(text(*numbers)).encode())[0] == 202
    status, answer, headers = web.post("\n".join(text(*range(100))).encode())
    assert (status, "http_events_per_second" in answer["error"], int(headers["Retry-After"]) >= 1) == (429, True, True)
    publisher = Publisher(HttpTransport(f"{web.url}/v1/events", KEY), tmp_path / "spool")
    for number in range(20):  # a single event in a batch need not wait
        publisher.publish(call(number))
    wait_for(lambda: publisher.stats().spooled > 1)
    wait_for(lambda: publisher.stats().replayed == publisher.stats().spooled)
    publisher.close()

    assert publisher.stats().dropped == {}
    assert publisher.stats().sent >= 20


def test_correctable_errors_make_batches_wait_and_others_refuse_them() -> None:
    """A wrong key or address delays everything until it is corrected. One bad batch delays nothing."""
    waiting, hopeless = [401, 403, 404, 408, 429, 500, 503, 301], [400, 413, 422]
    with answering(*waiting, *hopeless) as (port, _):
        transport = HttpTransport(f"http://127.0.0.1:{port}/", KEY)
        for status in waiting:
            with pytest.raises(BrokerUnavailable, match=str(status)) as waits:
                transport.send(batch())
            assert waits.value.retry_after == 7
        for status in hopeless:
            with pytest.raises(BatchRefused, match=str(status)):
                transport.send(batch())
        transport.close()


def test_a_refused_batch_is_counted_and_the_next_is_sent(tmp_path: Path) -> None:
    """A batch that is always refused must not block the spool."""
    with answering(422, *([202] * 50)) as (port, came):
        publisher = Publisher(HttpTransport(f"http://127.0.0.1:{port}", KEY), tmp_path / "spool")
        publisher.publish(call(1))
        wait_for(lambda: publisher.stats().dropped == {"refused": 1})
        publisher.publish(call(2))
        wait_for(lambda: publisher.stats().sent >= 1)
        publisher.close()

    assert len(set(came)) == len(came)


def test_certificates_are_verified(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A server with an untrusted certificate gets nothing, and one with a trusted authority gets the batch."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with answering(202, tls=context) as (port, came):
        stranger = HttpTransport(f"https://127.0.0.1:{port}", KEY)
        with pytest.raises(BrokerUnavailable, match="SSLCertVerificationError"):
            stranger.send(batch())
        assert came == []
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        transport = HttpTransport(f"https://127.0.0.1:{port}", KEY)
        transport.send(batch())
        transport.close()
        stranger.close()

    assert len(came) == 1


@pytest.mark.parametrize("url", ["ftp://x", "x", "http://x:99999", "http://[", ""])
def test_an_invalid_url_is_reported_when_it_is_used(url: str) -> None:
    """A typing error must not stop the host."""
    with pytest.raises(BrokerUnavailable, match="ALERTWORKER_PUBLISH_URL"):
        HttpTransport(url, KEY).send(batch())
