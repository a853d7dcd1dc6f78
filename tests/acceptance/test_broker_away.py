"""The broker refuses or is unavailable: each process logs a few lines, and no queued batch is lost."""

from __future__ import annotations

import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import redis

from alertworker.events.batch import QUEUE
from alertworker.host.paths import database_path, socket_path
from alertworker.publisher import BrokerTransport, Publisher
from tests.acceptance.conftest import CONFIG, WEBHOOK_SECRET
from tests.acceptance.receiver import Receiver
from tests.acceptance.stack import Stack
from tests.acceptance.test_faults import failed, wait_for_count
from tests.acceptance.test_redelivery import rows

ROLES = ("ingest", "deliver", "beat")
#: How long the broker is away, in seconds, and how many lines a process may log in that time and when it is back.
AWAY = 8.0
MOST_LINES = 8


def ask(stack: Stack, *command: str) -> None:
    """Send the broker a command."""
    with redis.Redis(unix_socket_path=str(socket_path(stack.folder))) as client:
        client.execute_command(*command)


def out_of_memory(stack: Stack) -> Callable[[], None]:
    """Let the broker refuse writes; return what ends it."""
    ask(stack, "CONFIG", "SET", "maxmemory", "1")
    return lambda: ask(stack, "CONFIG", "SET", "maxmemory", "0")


def read_only(stack: Stack) -> Callable[[], None]:
    """Demote the broker to a replica without a primary."""
    ask(stack, "REPLICAOF", "127.0.0.1", "1")
    return lambda: ask(stack, "REPLICAOF", "NO", "ONE")


def stopped(stack: Stack) -> Callable[[], None]:
    """Let the broker answer nothing."""
    stack.pause("broker")
    return lambda: stack.resume("broker")


def killed(stack: Stack) -> Callable[[], None]:
    """Kill the broker, which keeps what it has written."""
    time.sleep(1.5)
    stack.kill("broker")
    return stack.start_broker


def clock(stack: Stack, name: str) -> str:
    """Return one of the pipeline's clocks, or an empty string if it was never set."""
    return "".join(at for (at,) in rows(stack, f"SELECT at FROM line WHERE name = '{name}'"))


def wait_for_clock(stack: Stack, name: str, after: str = "") -> None:
    """Wait until one of the pipeline's clocks shows a later time than ``after``."""
    ends = time.monotonic() + 60
    while clock(stack, name) <= after:
        assert time.monotonic() < ends, f"{name} is not after {after!r}"
        time.sleep(0.1)


def wait_for_beat(stack: Stack) -> None:
    """Wait until a sweep that beat asked for has run."""
    wait_for_clock(stack, "canary_sent")


@contextmanager
def few_lines(stack: Stack, what: str) -> Iterator[None]:
    """Expect few lines of each process, and no traceback."""
    starts = {role: len(stack.log(role)) for role in ROLES}
    yield
    for role in ROLES:
        said = stack.log(role)[starts[role] :]
        assert "Traceback" not in said, f"{what}, {role}:\n{said}"
        assert len(said.splitlines()) <= MOST_LINES, f"{what}, {role}:\n{said}"


@pytest.mark.timeout(300)
def test_an_unavailable_broker_is_logged_in_few_lines(slack: Receiver, tmp_path: Path) -> None:
    """It was a hundred lines a second of beat, and tracebacks of workers."""
    stack = Stack(tmp_path / "s", CONFIG.format(url=slack.url, secret=WEBHOOK_SECRET))
    try:
        stack.up(*ROLES)
        publisher = Publisher(BrokerTransport(stack.broker_url), tmp_path / "spool")
        publisher.publish(failed(1))
        wait_for_count(slack, 1, 30)
        wait_for_beat(stack)
        for number, fault in enumerate((out_of_memory, read_only, stopped, killed), start=2):
            with few_lines(stack, fault.__name__):
                end = fault(stack)
                publisher.publish(failed(number))
                time.sleep(AWAY)
                end()
                wait_for_count(slack, number, 60)
        publisher.close()
        assert "beat waits: " in stack.log("beat")
    finally:
        stack.down()


@pytest.mark.timeout(120)
def test_a_worker_that_starts_while_the_broker_is_full_applies_what_waits(tmp_path: Path) -> None:
    """A backlog that filled the memory while no worker ran would otherwise never end."""
    stack = Stack(tmp_path / "s", "")
    try:
        stack.start_broker()
        stack.migrate()
        publisher = Publisher(BrokerTransport(stack.broker_url), tmp_path / "spool")
        publisher.publish(failed(1))
        publisher.close()
        out_of_memory(stack)
        with redis.Redis(unix_socket_path=str(socket_path(stack.folder))) as client:
            assert client.llen(QUEUE)
            stack.start("ingest")
            ends = time.monotonic() + 30
            while client.llen(QUEUE) or client.hlen("unacked"):
                assert time.monotonic() < ends, stack.log("ingest")
                time.sleep(0.1)
        assert "Traceback" not in stack.log("ingest")
    finally:
        stack.down()


@pytest.mark.timeout(240)
def test_everything_that_is_published_after_a_flush_is_applied(
    stack: Stack, publisher: Publisher, slack: Receiver
) -> None:
    """LiteLLM's ``POST /cache/flushall`` empties a shared Redis. It stopped the pipeline, and nothing was logged."""
    publisher.publish(failed(1))
    wait_for_count(slack, 1, 30)
    wait_for_clock(stack, "canary_arrived")
    ask(stack, "FLUSHALL")
    last_sent = clock(stack, "canary_sent")
    for number in range(2, 102):
        publisher.publish(failed(number))
        time.sleep(0.02)

    wait_for_count(slack, 101, 60)
    wait_for_clock(stack, "canary_arrived", last_sent)
    assert not [post.text for post in slack.posts if "publisher_lost" in post.text]


@pytest.mark.rabbitmq
@pytest.mark.timeout(180)
def test_beat_sends_again_after_rabbitmq_has_closed_its_connection(
    slack: Receiver, tmp_path: Path, rabbitmq_url: str
) -> None:
    """Its channel is dead then. Without a new one no sweep would run until somebody restarts beat."""
    environ = {"ALERTWORKER_BROKER_URL": rabbitmq_url}
    stack = Stack(tmp_path / "s", CONFIG.format(url=slack.url, secret=WEBHOOK_SECRET), environ)
    try:
        stack.up("deliver", "beat")
        wait_for_beat(stack)
        virtual_host = rabbitmq_url.rpartition("/")[2]
        close = ["rabbitmqctl", "-q", "close_all_connections", "--vhost", virtual_host, "test"]
        subprocess.run(close, check=True, stdin=subprocess.DEVNULL)
        time.sleep(2)
        with closing(sqlite3.connect(database_path(stack.folder), timeout=30)) as connection, connection:
            connection.execute("DELETE FROM line")
        wait_for_beat(stack)
    finally:
        stack.down()
