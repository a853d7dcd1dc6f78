"""Run LiteLLM's own classes of the pinned package in a separate process, for features that need a database."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.acceptance.proxy import litellm_python


def run(name: str, url: str, *arguments: str) -> Any:
    """Run one function of ``litellm_own.py``, which sends alerts to ``url``, and return its result."""
    script = Path(__file__).with_name("litellm_own.py")
    keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    env = {**keep, "SLACK_WEBHOOK_URL": url, "NO_PROXY": "127.0.0.1", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    command = [str(litellm_python()), str(script), name, *arguments]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=180, check=False)
    if done.returncode:
        raise AssertionError(f"LiteLLM's side failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])
