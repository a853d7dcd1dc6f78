"""Seconds from a failure to the POST at the receiver: alertworker over broker and workers, LiteLLM in its process."""

from __future__ import annotations

import random
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

from alertworker.publisher import BrokerTransport, Publisher
from tests.acceptance.proxy import litellm_python
from tests.acceptance.receiver import Receiver, receiver
from tests.acceptance.stack import Stack

FAILURES = 10
CONFIG = "environment_variables: {{SLACK_WEBHOOK_URL: {url}}}"


def measure(folder: Path) -> dict[str, list[float]]:
    """Make both send alerts about failures, in turn, and return the seconds that each took."""
    with receiver() as ours, receiver() as theirs:
        stack = Stack(folder, CONFIG.format(url=ours.url))
        command = [str(litellm_python()), str(Path(__file__).with_name("litellm_delay.py")), theirs.url]
        litellm = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        try:
            stack.up()
            publisher = Publisher(BrokerTransport(stack.broker_url), folder / "spool")
            assert litellm.stdin is not None
            assert litellm.stdout is not None
            assert litellm.stdout.readline() == "ready\n"
            figures: dict[str, list[float]] = {"alertworker": [], "LiteLLM": []}
            for number in range(FAILURES):
                name = f"bench-{number}"
                time.sleep(
                    random.uniform(0, 5)
                )  # LiteLLM flushes every 5 s: each moment of the interval must be equally likely.
                began = time.monotonic()
                publisher.publish(_failed(name))
                figures["alertworker"].append(_arrival(ours, name) - began)
                began = time.monotonic()
                litellm.stdin.write(name + "\n")
                litellm.stdin.flush()
                figures["LiteLLM"].append(_arrival(theirs, name) - began)
            publisher.close()
            return figures
        finally:
            litellm.kill()
            litellm.communicate()
            stack.down()


def _arrival(where: Receiver, name: str) -> float:
    return where.wait_for(name, seconds=30)[0].at


def _failed(name: str) -> dict[str, object]:
    now = datetime.now(UTC)
    failure = {"error_class": "APIError", "status_code": 500, "origin": "provider"}
    return {
        "type": "llm.request.failed", "call_id": name, "model_group": f"{name}!", "deployment_id": name,
        "started_at": now, "ended_at": now, "failure": failure,
    }  # fmt: skip
