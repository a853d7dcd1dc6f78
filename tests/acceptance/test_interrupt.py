"""Ctrl-C: each command ends with exit code 130, one line, and no traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.acceptance.stack import Stack
from tests.ports import free_port
from tests.processes import running

_STOPPED = "Stopped. No process is left running."
#: Each command that runs until it is stopped or waits for its input, with the line that it prints after Ctrl-C, and the
#: line that shows that it has started.
COMMANDS = {
    "worker": ("worker", "Stopping. This takes up to 22 s if tasks are running.", " ready."),
    "beat": ("beat", "Interrupted.", "beat: Starting"),
    "web": ("web", "Interrupted.", "Uvicorn running on"),
    "run": ("run", _STOPPED, "Ctrl-C stops it"),
    "demo": ("demo", _STOPPED, "Ctrl-C stops it"),
    "publish": ("publish", "Interrupted.", ""),
    "explain": ("explain", "Interrupted.", ""),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_ctrl_c_prints_one_line_and_exits_with_130(idle_stack: Stack, name: str, tmp_path: Path) -> None:
    """A shell shows by the exit code that a command was interrupted. Logs may follow; `--loglevel` sets them."""
    command, line, started = COMMANDS[name]
    log = tmp_path / "out.log"
    environ = {**idle_stack.env, "ALERTWORKER_HTTP_PORT": str(free_port())}
    if name in ("run", "demo"):
        environ = {key: value for key, value in environ.items() if key != "ALERTWORKER_BROKER_URL"}
        environ["ALERTWORKER_DATA_DIR"] = str(tmp_path / "data")
    with (
        log.open("wb") as file,
        running(
            [sys.executable, "-m", "alertworker", command],
            env=environ,
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=file,
            start_new_session=True,
        ) as process,
    ):
        ends = time.monotonic() + 60
        while started not in log.read_text() and process.poll() is None and time.monotonic() < ends:
            time.sleep(0.05)
        if not started:
            _wait_until_it_reads(process.pid)
        printed = log.read_text()
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        code = process.wait(60)

    said = log.read_text()
    own = [text for text in said.removeprefix(printed).splitlines() if text and not text.startswith("2")]
    assert (code, own) == (130, [line]), said
    assert "Traceback" not in said


def _wait_until_it_reads(pid: int) -> None:
    """Wait until the process sleeps in a read of its standard input."""
    place = Path(f"/proc/{pid}/syscall")
    ends = time.monotonic() + 60
    while not place.read_text().startswith("0 0x0 ") and time.monotonic() < ends:  # read(0, …)
        time.sleep(0.05)
