"""The command line as a separate process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

#: Stands for a webhook's secret. No output may contain it.
SECRET = "canaryWebhookSecret"
GOOD = {
    "type": "llm.request.failed",
    "call_id": "call-1",
    "model": "gpt-4o",
    "team_id": "search",
    "started_at": "2026-11-24T12:00:00Z",
    "ended_at": "2026-11-24T12:00:03Z",
    "failure": {"error_class": "Timeout", "status_code": 504, "origin": "provider"},
}


def alertworker(
    folder: Path, *arguments: str, environ: Mapping[str, str] | None = None, given: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command in a narrow terminal."""
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    env = {**keep, "COLUMNS": "80", "ALERTWORKER_DATA_DIR": str(folder), **(environ or {})}
    command = [sys.executable, "-m", "alertworker", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=env, input=given, capture_output=True, text=True, timeout=60, check=False
    )
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stdout + done.stderr
    return done
