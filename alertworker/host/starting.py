"""SIGINT and SIGTERM while a program starts, until it has handlers of its own.

Python's handler raises an exception wherever the program is. It is lost in a callback of the garbage collector, and
the program goes on. While a module executes generated code, the signal itself ends the process, without an exit code.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Final

from alertworker.errors import INTERRUPTED

#: Each signal with the handler that Python starts with, the exit code, and the line that is printed. SIGTERM prints
#: none: `alertworker run` ends its children with it.
_ENDS: Final[dict[signal.Signals, tuple[Callable[[int, FrameType | None], object] | signal.Handlers, int, str]]] = {
    signal.SIGINT: (signal.default_int_handler, INTERRUPTED, "Interrupted.\n"),
    signal.SIGTERM: (signal.SIG_DFL, 0, ""),
}
#: The handlers that `end_at_signals` has installed.
_installed: Final[dict[signal.Signals, Callable[[int, FrameType | None], None]]] = {}


def end_at_signals() -> None:
    """End this process at once after SIGINT or SIGTERM. A signal that the parent process ignores stays ignored."""
    own = os.getpid()

    def end(number: int, _: FrameType | None) -> None:
        _handler, code, line = _ENDS[signal.Signals(number)]
        if os.getpid() == own:  # a forked child has not replaced the handler yet
            new_line = "\n" if number == signal.SIGINT and os.isatty(2) else ""  # a terminal has printed ^C
            os.write(2, f"{new_line}{line}".encode())  # no lock, unlike a stream
        os._exit(code)

    for number, (before, _code, _line) in _ENDS.items():
        if signal.getsignal(number) == before:
            signal.signal(number, end)
            _installed[number] = end


def end_as_usual() -> None:
    """Restore the handlers that Python starts with."""
    for number, handler in _installed.items():
        if signal.getsignal(number) is handler:
            signal.signal(number, _ENDS[number][0])
    _installed.clear()
