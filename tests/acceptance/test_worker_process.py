"""The end of a worker's process, and the faults that it survives."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from alertworker.host.paths import socket_path
from alertworker.store import AdminStore, make_engine
from tests.acceptance.hostile import Hostile, call_of, good
from tests.acceptance.stack import ROLES, Stack
from tests.acceptance.test_hostile_messages import Queues, calls, wait_until
from tests.ports import free_port


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    running = Stack(tmp_path / "s", "")
    try:
        running.up("ingest")
        yield running
    finally:
        running.down()


def test_a_worker_that_gets_sigterm_ends_cleanly(stack: Stack) -> None:
    """A supervisor must not take it for a failure."""
    process = stack.processes["ingest"]
    stack.kill("ingest", signal.SIGTERM)

    assert process.returncode == 0


def test_a_worker_that_ends_by_itself_ends_with_a_failure(tmp_path: Path) -> None:
    """A supervisor that restarts on failure must see one."""
    url = f"redis://127.0.0.1:{free_port()}/0"
    stack = Stack(tmp_path / "s", "", {"ALERTWORKER_BROKER_URL": url})
    (stack.folder / "celeryconfig.py").write_text(
        "from alertworker.celery_defaults import *\nbroker_connection_retry_on_startup = False\n"
    )
    env = stack.env | {"PYTHONPATH": str(stack.folder)}
    ended = subprocess.run(ROLES["ingest"], env=env, cwd=stack.folder, timeout=60, check=False, capture_output=True)

    assert ended.returncode != 0


def test_a_worker_waits_for_a_broker_that_is_read_only(stack: Stack) -> None:
    """A server that became a replica is retried with growing waits, and logged once a minute.

    Then the worker continues.
    """
    engine = make_engine(stack.env["ALERTWORKER_DATABASE_URL"])
    queues, process = Queues(stack), stack.processes["ingest"]
    with redis.Redis(unix_socket_path=str(socket_path(stack.folder))) as client:
        client.execute_command("REPLICAOF", "127.0.0.1", free_port())
        wait_until(lambda: "the broker is a read-only replica" in stack.log("ingest"), stack)
        time.sleep(5)
        client.execute_command("REPLICAOF", "NO", "ONE")
    assert process.poll() is None
    assert stack.log("ingest").count("\n") < 50

    queues.send([Hostile("after", json.dumps(call_of([good("after")])).encode())])
    wait_until(lambda: calls(AdminStore(engine)) == 1 and not queues.waiting(), stack)
    assert process.poll() is None
    engine.dispose()
