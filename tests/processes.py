"""Programs that tests run, and the processes that these start."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psutil


@contextmanager
def running(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """Run a program, and kill it when the block ends. A block that fails would otherwise wait for the program."""
    with subprocess.Popen(command, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def children(pid: int, word: str = "", *, recursive: bool = False) -> list[psutil.Process]:
    """Return the running children of a process, or only those that have a word in their command line.

    A child may end at any moment. So it is left out if it does, and `kill` ignores that it has ended.
    """
    found = []
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(pid).children(recursive=recursive):
            with suppress(psutil.NoSuchProcess):  # also raised for a zombie
                if not word or word in child.cmdline():
                    found.append(child)
    return found


def lines_without_log(output: str) -> list[str]:
    """Return the lines of a program's output that are not of its log. A line of the log begins with its time."""
    return [line for line in output.splitlines() if line and not line.startswith("2")]


def kill(processes: Sequence[psutil.Process]) -> None:
    """Kill processes, of which some may have ended."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
