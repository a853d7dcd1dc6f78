"""The CPU cost of alerting within a proxy's request: LiteLLM's own alerting and our callback."""

from __future__ import annotations

import json
import statistics
import subprocess
from pathlib import Path

import bench
from tests.acceptance.proxy import litellm_python
from tests.acceptance.stack import Stack

_REPEATS, _REDIS_PORT = 2, 6379


def measure(folder: Path) -> dict[str, float]:
    """Return the median CPU time of each contender in microseconds per request. Run nothing else at that time."""
    stack = Stack(folder, "")
    stack.start_broker()
    script = Path(bench.__path__[0]) / "in_process.py"
    command = [str(litellm_python()), str(script), stack.broker_url, str(_REDIS_PORT), str(_REPEATS)]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    finally:
        stack.down()
    return {name: statistics.median(found) for name, found in json.loads(done.stdout.splitlines()[-1]).items()}
