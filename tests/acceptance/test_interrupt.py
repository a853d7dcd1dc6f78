"""Ctrl-C: each command ends with exit code 130, one line, and no traceback."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.stack import Stack
from tests.acceptance.test_redelivery import rows
from tests.ports import free_port
from tests.processes import lines_without_log, running

#: Each command that runs until it is stopped or waits for its input, with the line that it prints after Ctrl-C, and the
#: text in its output that shows that it has started.
COMMANDS = {
    "worker": ("Stopping. This takes up to 22 s if tasks are running.", " ready."),
    "beat": ("Interrupted.", ""),
    "web": ("Interrupted.", "Uvicorn running on"),
    "demo": ("Stopped. No process is left running.", "Ctrl-C stops it"),
    "publish": ("Interrupted.", ""),
    "explain": ("Interrupted.", ""),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_ctrl_c_prints_one_line_and_exits_with_130(idle_stack: Stack, command: str, tmp_path: Path) -> None:
    """A shell shows by the exit code that a command was interrupted. Logs may follow; `--loglevel` sets them.

    A worker's line says how long it may take. Celery's advice to press Ctrl-C again is not ours.
    """
    line, started = COMMANDS[command]
    log = tmp_path / "out.log"
    environ = {**idle_stack.env, "ALERTWORKER_HTTP_PORT": str(free_port())}
    if command == "demo":
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
        _wait_until(lambda: started in log.read_text(), process, log)
        if command == "beat":  # it logs nothing, and publishes its configuration
            _wait_until(lambda: rows(idle_stack, "SELECT 1 FROM processes WHERE role = 'beat'") == [(1,)], process, log)
        elif not started:  # it reads its input
            assert process.stdin is not None
            process.stdin.write(b"[")
            process.stdin.flush()
            pipe = process.stdin.fileno()
            _wait_until(lambda: fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4) == b"\0" * 4, process, log)
        printed = log.read_text()
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        code = process.wait(60)

    said = log.read_text()
    after = said.removeprefix(printed)
    assert (code, lines_without_log(after)) == (130, [line]), said
    assert command != "worker" or after == f"{line}\n", "a worker without tasks logs nothing at its end"
    assert "Traceback" not in said


def _wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the condition is true, while the process runs."""
    ends = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < ends, log.read_text()
        time.sleep(0.05)
