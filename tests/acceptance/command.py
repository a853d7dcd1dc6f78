"""The command line in separate processes, which a fork server starts."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_FORKS: Final = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.acceptance.forked_command"])
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
    with tempfile.TemporaryDirectory() as outside:
        streams = [Path(outside) / name for name in ("stdin", "stdout", "stderr")]
        streams[0].write_text(given)
        process = _FORKS.Process(target=_run, args=(folder, arguments, env, streams))
        process.start()
        try:
            process.join(60)
            assert process.exitcode is not None, f"{arguments} did not end within 60 s"
        finally:
            process.kill()
            process.join()
        stdout, stderr = (path.read_text() for path in streams[1:])
        done = subprocess.CompletedProcess(arguments, process.exitcode, stdout, stderr)
        process.close()
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stdout + done.stderr
    return done


def _run(*arguments: Any) -> None:
    from tests.acceptance.forked_command import run  # the fork server has loaded it

    run(*arguments)
