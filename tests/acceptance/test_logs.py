"""Every kind of process writes the same log: with time, zone and level, as text or as JSON."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from alertworker.host.paths import default_database_url
from tests.acceptance.stack import ROLES, Stack
from tests.ports import free_port
from tests.processes import children, kill, running

CONFIG = "alertworker: {route: {receiver: default, routes: [{matchers: ['teem=a'], receiver: default}]}}\n"
TEXT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00 (INFO|WARNING|ERROR) [\w.]+ [\w-]+: .+")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00")


def first_line(command: Sequence[str], environ: dict[str, str], folder: Path) -> str:
    """Run a process until it has logged a line, and return the line."""
    with running(command, env=environ, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        kill(children(process.pid, recursive=True))
    return str(line)


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("role", ["ingest", "deliver", "beat", "web"])
def test_each_process_logs_in_the_configured_format(tmp_path: Path, role: str, log_format: str) -> None:
    """The first line is about an unavailable broker or a misspelt label, or that the web server starts."""
    environ = {
        "ALERTWORKER_LOG_FORMAT": log_format,
        "ALERTWORKER_BROKER_URL": f"redis://127.0.0.1:{free_port()}/0",
        "ALERTWORKER_HTTP_PORT": str(free_port()),
        "ALERTWORKER_DATABASE_URL": default_database_url(tmp_path),
    }
    stack = Stack(tmp_path, CONFIG, environ)
    line = first_line([*ROLES[role]], stack.env, tmp_path)

    check(line, log_format)


def check(line: str, log_format: str) -> None:
    """Assert that a line has the format."""
    if log_format == "text":
        assert TEXT.fullmatch(line.rstrip("\n")), line
    else:
        read = json.loads(line)
        assert TIME.fullmatch(read["time"]), line
        assert read.keys() == {"time", "level", "logger", "process", "message"}


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_the_supervisor_logs_in_the_configured_format(tmp_path: Path, log_format: str) -> None:
    """It logs the end of a child, beside the lines of the children themselves."""
    environ = {"ALERTWORKER_LOG_FORMAT": log_format, "ALERTWORKER_HTTP_PORT": str(free_port())}
    stack = Stack(tmp_path, "", environ)
    env = {name: value for name, value in stack.env.items() if name != "ALERTWORKER_BROKER_URL"}
    log = tmp_path / "run.log"
    with (
        log.open("w") as stderr,
        running(
            [sys.executable, "-m", "alertworker", "run"],
            env=env,
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        ) as process,
    ):
        try:
            _child(process.pid, "beat").kill()
            ends = time.monotonic() + 20
            while "beat ended" not in log.read_text() and time.monotonic() < ends:
                time.sleep(0.05)
        finally:
            process.terminate()
            process.wait(30)

    (line,) = [line for line in log.read_text().splitlines() if "beat ended" in line]
    check(line, log_format)


def _child(pid: int, word: str) -> psutil.Process:
    ends = time.monotonic() + 40
    while time.monotonic() < ends:
        if found := children(pid, word):
            return found[0]
        time.sleep(0.1)
    raise AssertionError(f"no {word} was started")
