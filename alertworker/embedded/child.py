"""Run a program that ends with its parent: ``python -m alertworker.embedded.child PARENT_PID PROGRAM ARGS…``.

On Linux the kernel sends SIGTERM when the parent dies, even after kill -9, and the setting survives exec. On other
systems this process keeps running and polls for the parent.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Final

#: From Linux's <sys/prctl.h>.
_PR_SET_PDEATHSIG: Final = 1
#: The interval between checks for the parent on systems other than Linux, in seconds.
_PERIOD: Final = 0.5


def main() -> None:
    """Bind this process to its parent. Then replace this process with the program, or run the program as a child."""
    parent, *command = sys.argv[1:]
    if sys.platform != "linux":
        sys.exit(run_watched(int(parent), command))
    end_with_parent(signal.SIGTERM)
    if os.getppid() != int(parent):  # The parent died before prctl was called.
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted


def end_with_parent(number: signal.Signals) -> None:
    """Make the kernel send this process the signal when its parent dies. Does nothing on systems other than Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number)


def run_watched(parent: int, command: Sequence[str]) -> int:
    """Run the program, forward SIGTERM to it, end it when the parent dies, and return its exit code."""
    process = subprocess.Popen(command)  # noqa: S603 - the supervisor's own command
    signal.signal(signal.SIGTERM, lambda _number, _frame: process.terminate())
    while process.poll() is None:
        if os.getppid() != parent:
            process.terminate()
        time.sleep(_PERIOD)
    return process.returncode


if __name__ == "__main__":
    main()
