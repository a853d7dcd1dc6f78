"""A test's own broker, and helpers to publish to it."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgpack
import redis

from alertworker.embedded import valkey
from alertworker.events import Event, RequestSucceeded
from alertworker.events.batch import QUEUE, decode
from alertworker.host.paths import default_broker_url, socket_path


class Broker:
    """A Valkey server of the test's own, on a Unix socket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = default_broker_url(folder)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server with the data it kept."""
        self._process = subprocess.Popen(valkey.command(self.folder), stdout=subprocess.DEVNULL)
        valkey.wait_until_ready(self.folder)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def batches(self) -> list[tuple[str, list[Event]]]:
        """Return the batches on the queue in order of arrival."""
        with redis.Redis(unix_socket_path=str(socket_path(self.folder))) as client:
            raw: Any = client.lrange(QUEUE, 0, -1)
        messages = [msgpack.unpackb(base64.b64decode(json.loads(item)["body"])) for item in reversed(raw)]
        return [(body[1]["batch_id"], decode(body[1]["events"], "zstd").events) for body in messages]

    def calls(self) -> list[str]:
        """Return the ids of the calls that arrived, in order."""
        return [
            event.call_id for _, events in self.batches() for event in events if isinstance(event, RequestSucceeded)
        ]


def call(number: int) -> dict[str, Any]:
    """Return an answered call with the callback's fields."""
    now = datetime.now(UTC)
    return {"type": "llm.request.succeeded", "call_id": f"{number:05d}", "started_at": now, "ended_at": now}


def wait_for(condition: Any, seconds: float = 20) -> None:
    """Wait until the condition is true."""
    ends = time.monotonic() + seconds
    while not condition() and time.monotonic() < ends:
        time.sleep(0.05)
    assert condition()
