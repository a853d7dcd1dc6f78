"""Run a program that ends when its parent does: ``python -m alertworker.embedded.child PARENT_PID PROGRAM ARGS…``.

On Linux the kernel sends SIGTERM when the parent dies, even by kill -9; the setting survives exec. Elsewhere the
program is started as it is, and ends with the supervisor's own stop.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

#: From Linux's <sys/prctl.h>.
_PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Bind this process to its parent, then become the program."""
    parent, program, *arguments = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):  # it died before the kernel was told
        sys.exit(1)
    os.execvp(program, [program, *arguments])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
