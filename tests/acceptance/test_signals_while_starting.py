"""SIGTERM and SIGINT while a server starts end it with the documented exit code. Ctrl-C prints one line."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from alertworker.errors import INTERRUPTED
from tests.acceptance.stack import Stack
from tests.processes import lines_without_log, running

#: For each command, the modules whose import the signal precedes.
MOMENTS = {
    "worker": ("alertworker.cli", "celery.app", "alertworker.worker.tasks"),
    "beat": ("alertworker.cli", "celery.app", "alertworker.worker.beat"),
    "run": ("alertworker.cli", "alertworker.settings"),
}
#: A wrapper of the program. Before an import, or beside the start of the pool, it waits for the signal. It waits in a
#: callback that loses any exception, as callbacks of the garbage collector do.
PROGRAM = """
import sys, weakref
from importlib.abc import MetaPathFinder
moment = sys.argv.pop(1)
class Thing:
    pass
def wait(_):
    print("waits", flush=True)
    sys.stdin.read(1)
def stop():
    thing = Thing()
    reference = weakref.ref(thing, wait)
    del thing
class Watch(MetaPathFinder):
    def find_spec(self, name, *_):
        if name == moment:
            sys.meta_path.remove(self)
            stop()
sys.meta_path.insert(0, Watch())
if moment.endswith("the pool"):
    from celery.worker.components import Pool
    starts = Pool.start
    def start(self, parent):
        if moment == "before the pool":
            stop()
        starts(self, parent)
        if moment == "after the pool":
            stop()
    Pool.start = start
from alertworker.__main__ import main
main()
"""


@pytest.mark.parametrize(
    ("number", "code", "lines"),
    [(signal.SIGTERM, 0, []), (signal.SIGINT, INTERRUPTED, ["Interrupted."])],
    ids=["SIGTERM", "SIGINT"],
)
@pytest.mark.parametrize(
    ("command", "moment"), [(command, moment) for command, moments in MOMENTS.items() for moment in moments]
)
def test_a_signal_while_a_server_starts_ends_it(
    idle_stack: Stack, command: str, moment: str, number: signal.Signals, code: int, lines: list[str], tmp_path: Path
) -> None:
    assert _end(idle_stack, command, moment, number, tmp_path) == (code, lines)


@pytest.mark.parametrize(
    ("number", "code", "lines"),
    [(signal.SIGTERM, 0, []), (signal.SIGINT, INTERRUPTED, ["Stopping. This takes up to 22 s if tasks are running."])],
    ids=["SIGTERM", "SIGINT"],
)
@pytest.mark.parametrize("moment", ["before the pool", "after the pool"])
def test_a_signal_while_the_pool_starts_stops_the_worker(
    idle_stack: Stack, moment: str, number: signal.Signals, code: int, lines: list[str], tmp_path: Path
) -> None:
    """The pool's processes end in order, without a traceback."""
    assert _end(idle_stack, "worker", moment, number, tmp_path) == (code, lines)


def _end(stack: Stack, command: str, moment: str, number: signal.Signals, folder: Path) -> tuple[int, list[str]]:
    """Send the signal at the moment. Return the exit code and the lines on standard error that are not of the log."""
    with running(
        [sys.executable, "-c", PROGRAM, moment, command],
        env=stack.env,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)

    return process.returncode, lines_without_log(errors)
