"""The publisher of a process, and what it loads."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from alertworker.publisher.registry import broker_transport
broker_transport("redis://localhost")
broker_transport("amqp://localhost")
assert "kombu" in sys.modules
assert "urllib3" not in sys.modules
"""


def test_a_publisher_to_a_broker_loads_no_http_client() -> None:
    """The proxy's start pays only for the transport that it uses."""
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=60)
