"""The whole pipeline on a real LiteLLM proxy: requests to the proxy, and the messages that arrive."""

from __future__ import annotations

import http.client
import json
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import zstandard
from kombu import Connection

from alertworker.alerts.message import Message
from alertworker.events.batch import display_payload
from alertworker.events.compression import ZSTD
from alertworker.publisher.topology import events_queue
from tests.acceptance.conftest import CONFIG, WEBHOOK_SECRET
from tests.acceptance.proxy import MASTER_KEY, PROMPT, UPSTREAM_KEY, Proxy
from tests.acceptance.receiver import Receiver, receiver
from tests.acceptance.stack import Stack
from tests.acceptance.test_callback import post
from tests.acceptance.test_redelivery import wait_for_rows
from tests.contract.kinds import KINDS, sent, wants

MODELS = (
    "fast",
    "slow-4",
    "slow-5",
    "status-500",
    "status-401",
    "status-400",
    "drip-0.5-14",
    "drip-0.5-40",
    "stall-5",
)
#: The tests expect single failures, which an outage would mute.
WITHOUT_OUTAGES = (
    "alerting_threshold: 3\n",
    "alerting_threshold: 3\n  alerting_args: {minor_outage_alert_threshold: 999, major_outage_alert_threshold: 999}\n",
)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, Receiver, Stack]]:
    """Run the proxy, its upstream, the broker, the workers, beat and the receiver, with a threshold of 3 s."""
    folder: Path = tmp_path_factory.mktemp("pipeline")
    with receiver() as slack:
        stack = Stack(folder / "s", CONFIG.format(url=slack.url, secret=WEBHOOK_SECRET).replace(*WITHOUT_OUTAGES))
        proxy = Proxy(folder / "p", stack.broker_url, MODELS)
        try:
            stack.up()
            proxy.up()
            yield proxy, slack, stack
        finally:
            proxy.down()
            stack.down()


@pytest.fixture
def fresh(pipeline: tuple[Proxy, Receiver, Stack]) -> tuple[Proxy, Receiver, Stack]:
    """Return the installation once all earlier summaries were sent, with an empty receiver."""
    _, slack, stack = pipeline
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        with sqlite3.connect(stack.folder / "alertworker.db") as database:
            [(still_open,)] = database.execute("SELECT COUNT(*) FROM alerts WHERE open_fingerprint IS NOT NULL")
        if not still_open:
            break
        time.sleep(0.2)
    slack.posts.clear()
    return pipeline


def test_successful_requests_raise_no_alert(fresh: tuple[Proxy, Receiver, Stack]) -> None:
    """600 fast requests cause no message, and all of them are in the ledger."""
    proxy, slack, stack = fresh

    def ask(_: int) -> tuple[int, float]:
        began = time.monotonic()
        return proxy.ask("fast")[0], time.monotonic() - began

    with ThreadPoolExecutor(5) as pool:  # more at once would be slow on a busy machine
        answers = list(pool.map(ask, range(600)))
    assert {status for status, _ in answers} == {200}
    slowest = max(seconds for _, seconds in answers)
    assert slowest < 3, f"the machine was too busy for this test: a request took {slowest:.1f} s"

    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        with sqlite3.connect(stack.folder / "alertworker.db") as database:
            [(requests,)] = database.execute(
                "SELECT COALESCE(SUM(requests), 0) FROM spend WHERE dimension = 'model' AND entity = 'fast'"
            )
        if requests == 600:
            break
        time.sleep(0.2)
    assert requests == 600
    time.sleep(4)
    assert [post.text for post in slack.posts] == []


def test_a_slow_request_hangs_and_then_is_slow(fresh: tuple[Proxy, Receiver, Stack]) -> None:
    """A request over the threshold hangs, ends, and was slow. No other message arrives."""
    proxy, slack, _ = fresh
    began = time.monotonic()
    assert proxy.ask("slow-5")[0] == 200
    slack.wait_for("Resolved after", seconds=10)
    slack.wait_for("Responses are slow", seconds=10)

    hanging = slack.taken("Requests are hanging")
    assert len(hanging) == 1
    assert 2.5 < hanging[0].at - began < 5
    assert "1 finished" in slack.taken("Resolved after")[0].text
    assert "hello: `world`" in hanging[0].text
    assert len(slack.posts) == 3


def test_failures_are_one_alert_that_counts(fresh: tuple[Proxy, Receiver, Stack]) -> None:
    """Ten failures of a deployment are an immediate message and a summary, ten in all."""
    proxy, slack, _ = fresh
    for _ in range(10):
        assert proxy.ask("status-500")[0] == 500
    ends = time.monotonic() + 15
    while sum(post.count for post in slack.taken("LLM API call failed")) < 10 and time.monotonic() < ends:
        time.sleep(0.1)

    assert sum(post.count for post in slack.posts) == 10
    assert len(slack.posts) <= 3
    assert "Level: `Low`" in slack.posts[0].text


def test_only_failures_of_ours_or_the_provider_notify(fresh: tuple[Proxy, Receiver, Stack]) -> None:
    """A bad request, a wrong key and an unknown model send no message. Our own failing credentials do."""
    proxy, slack, _ = fresh
    assert proxy.ask("status-400")[0] == 400
    assert proxy.ask("fast", key="sk-nobody")[0] in (400, 401)
    assert proxy.ask("no-such-model")[0] in (400, 404)
    assert proxy.ask("status-401")[0] == 401

    slack.wait_for("AuthenticationError 401", seconds=10)
    time.sleep(2)
    assert len(slack.posts) == 1


def test_a_stream_is_alive_while_chunks_come(fresh: tuple[Proxy, Receiver, Stack]) -> None:
    """Chunks for 7 s do not hang, a stall of 5 s does, and it ends. Both calls are slow."""
    proxy, slack, _ = fresh
    stalled = threading.Thread(target=proxy.ask, args=("stall-5",), kwargs={"stream": True})
    stalled.start()
    assert proxy.ask("drip-0.5-14", stream=True)[0] == 200
    stalled.join()
    slack.wait_for("Resolved after", seconds=10)
    time.sleep(2)

    hanging = slack.taken("Requests are hanging")
    assert len(hanging) == 1
    assert "stall-5" in hanging[0].text
    assert len(slack.taken("Resolved after")) == 1


def test_a_client_that_cuts_its_stalled_stream_ends_it_as_abandoned(fresh: tuple[Proxy, Receiver, Stack]) -> None:
    """The condition that fired for it has its result."""
    proxy, slack, _ = fresh
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)
    body = {"model": "stall-5", "stream": True, "messages": [{"role": "user", "content": PROMPT}]}
    headers = {"Authorization": f"Bearer {MASTER_KEY}", "Content-Type": "application/json"}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    connection.getresponse().read1(100)
    slack.wait_for("Requests are hanging", seconds=10)
    connection.close()

    assert "1 abandoned" in slack.wait_for("Resolved after", seconds=20)[0].text


def test_no_prompt_and_no_secret_is_anywhere(fresh: tuple[Proxy, Receiver, Stack]) -> None:
    """No message, log of ours, database or broker file contains one, although failures echo the prompt."""
    proxy, slack, stack = fresh
    proxy.ask("status-500")
    slack.wait_for("LLM API call failed", seconds=10)
    time.sleep(1)

    canaries = [PROMPT[:20], PROMPT[20:40], MASTER_KEY, UPSTREAM_KEY, WEBHOOK_SECRET]
    for canary in canaries:
        assert [post.text for post in slack.posts if canary in json.dumps(post.body)] == []
        for path in stack.folder.rglob("*"):
            if path.is_file() and path.name != "config.yaml":
                assert canary.encode() not in path.read_bytes(), (canary, path)


#: Secrets as callers, administrators and providers write them into fields.
SECRETS = (
    "sk-proj-canary0123456789abcdefABCDEF",
    "ghp_canary0123456789abcdefghijABCDEF0123",
    "xoxb-canary0123456789-abcdefghij",
    "AKIACANARY0123456789",
    "canaryPassw0rd",
)


def leak(proxy: Proxy, model: str) -> int:
    """Send a request with secrets in each field that a caller may choose, and in the text that its provider echoes."""
    key, github, slack, amazon, password = SECRETS
    shown = {
        "token": key, "password": password, github: "in a name", "ok": "visible", "text": f"use {slack} with {amazon}",
        "nested": {"list": [key, {"secret": password}], "url": f"postgres://me:{password}@db/x?sig={password}"},
        "encoded": github.replace("_", "%5F"), "number": 7, "list": [slack, amazon], "long": "x " * 999 + key,
    }  # fmt: skip
    metadata = {"tags": [key, f"tag of {github}"], "trace_id": slack, "session_id": amazon, "alerting_metadata": shown}
    text = f"Incorrect API key provided: {key}, {github}. Authorization: Bearer {slack}, password={password}"
    body = {"model": model, "messages": [{"role": "user", "content": text}], "user": key, "metadata": metadata}
    return post(proxy, "/v1/chat/completions", body)


def queued(stack: Stack) -> list[str]:
    """Return the batches that wait in the broker as strings, without removing them."""
    with Connection(stack.broker_url) as connection:
        queue = events_queue(stack.broker_url)(connection.channel())
        taken = []
        while (message := queue.get(no_ack=False, accept=["msgpack", "json"])) is not None:
            taken.append(message)
        found = [str(display_payload(message.payload[1]["events"])) for message in taken]
        for message in taken:
            message.requeue()
    return found


def spooled(proxy: Proxy) -> list[str]:
    """Return the batches in the proxy's spool as strings."""
    files = [path.read_bytes() for path in (proxy.folder / "data").rglob("*") if path.is_file()]
    starts = [(content, match.start()) for content in files for match in re.finditer(re.escape(ZSTD), content)]
    bodies = [zstandard.ZstdDecompressor().decompressobj().decompress(content[at:]) for content, at in starts]
    return [str(display_payload(body)) for body in bodies]


def until(read: Callable[[], list[str]], containing: str) -> list[str]:
    """Read until a string contains the expected one."""
    ends = time.monotonic() + 15
    while not any(containing in text for text in read()) and time.monotonic() < ends:
        time.sleep(0.1)
    found = read()
    assert any(containing in text for text in found)
    return found


def test_no_secret_of_a_caller_leaves_the_proxy(fresh: tuple[Proxy, Receiver, Stack]) -> None:
    """The broker, the spool, the database, our logs and the messages of all channels contain none."""
    proxy, slack, stack = fresh
    stack.kill("ingest")
    assert (leak(proxy, "fast"), leak(proxy, "status-500")) == (200, 500)
    leaked = until(lambda: queued(stack), "llm.request.failed")
    stack.kill("broker")
    assert leak(proxy, "status-500") == 500
    leaked += until(lambda: spooled(proxy), "llm.request.failed")
    stack.start_broker()
    stack.start("ingest")
    slack.wait_for("LLM API call failed", seconds=20)
    tagged = "SELECT SUM(requests) FROM spend WHERE dimension = 'tag' AND entity LIKE 'tag of%'"
    wait_for_rows(stack, tagged, [(3,)], 30)

    with sqlite3.connect(stack.folder / "alertworker.db") as database:
        leaked += database.iterdump()
        rows = database.execute("SELECT message FROM notifications").fetchall()
        names = database.execute("SELECT DISTINCT entity FROM spend WHERE entity LIKE '%secret-%'").fetchall()
    messages = [Message.model_validate_json(text) for (text,) in rows]
    leaked += [sent(kind, message).body for message in messages for kind in KINDS if wants(kind, message)]
    leaked += [json.dumps(one.body) for one in slack.posts]
    assert [secret for secret in SECRETS for text in leaked if secret in text] == []
    assert len(names) == 2, "tags and customers that are secrets stay distinct"
    assert any("visible" in text for text in leaked), "text without a secret stays"
    for path in (*stack.folder.rglob("*"), *(proxy.folder / "data").rglob("*")):
        if path.is_file() and path.name != "config.yaml":
            assert [secret for secret in SECRETS if secret.encode() in path.read_bytes()] == [], path
