"""The log of commands that do one thing and end has the format of every other process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

#: A command that logs as a library does, and that Python warns about.
PROGRAM = """if True:
    import logging, warnings
    import click
    from alertworker import cli

    @click.command()
    def noisy():
        "Log."
        logging.getLogger("kombu").info("not shown")
        logging.getLogger("kombu").warning("connection %s", "lost")
        warnings.warn("old")

    cli.COMMANDS["check"] = ("__main__:noisy", "")
    cli.main()
"""


def logged(folder: Path, **environ: str) -> list[str]:
    """Run the command, and return the lines of its log."""
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, "check"],
        env={**os.environ, **environ},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return run.stderr.splitlines()


def test_a_warning_of_a_library_is_a_line_as_in_every_other_process(tmp_path: Path) -> None:
    line, warned, *_ = logged(tmp_path)
    moment, rest = line.split(" ", 1)

    assert datetime.fromisoformat(moment).utcoffset() == timedelta()
    assert rest == "WARNING kombu check: connection lost"
    assert " WARNING py.warnings check: " in warned


def test_the_line_is_json_if_the_configuration_says_so(tmp_path: Path) -> None:
    """A log store reads the output of a command in a container like that of a worker."""
    read = json.loads(logged(tmp_path, ALERTWORKER_LOG_FORMAT="json")[0])

    assert datetime.fromisoformat(read.pop("time")).utcoffset() == timedelta()
    assert read == {"level": "WARNING", "logger": "kombu", "process": "check", "message": "connection lost"}


def test_with_an_invalid_configuration_the_line_is_text(tmp_path: Path) -> None:
    """So that a command can still report what is wrong with it."""
    assert logged(tmp_path, ALERTWORKER_LOG_FORMAT="xml")[0].endswith("WARNING kombu check: connection lost")
