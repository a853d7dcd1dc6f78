"""The supervisor: starts the processes in order, restarts a process that ends, and stops them in reverse order."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from alertworker.errors import AlertWorkerError
from alertworker.host.paths import make_data_dir

_log: Final = logging.getLogger(__name__)
#: How long a child may take to end after SIGTERM before it is killed, in seconds.
_PATIENCE: Final = 8.0
#: The longest wait before a restart of a child that keeps ending, in seconds.
_MAX_BACKOFF: Final = 10.0
#: How long a child must have run for its next restart to be the first one again, in seconds.
_STEADY: Final = 60.0


@dataclass(slots=True)
class Child:
    """A child process. ``restarts`` and ``not_before`` delay the restarts of a child that keeps ending."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    restarts: int = 0
    not_before: float = 0.0
    started_at: float = 0.0


@dataclass(slots=True)
class Supervisor:
    """Runs children until a signal arrives. The first child started is the last one stopped."""

    environ: Mapping[str, str]
    children: list[Child] = field(default_factory=list)
    #: Whether Ctrl-C was the first signal.
    interrupted: bool = False
    _stop: bool = False
    _hurry: bool = False

    @property
    def stopping(self) -> bool:
        """Whether a signal to stop has arrived."""
        return self._stop

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a child, and restart it whenever it ends. After a signal to stop, start nothing."""
        if self._stop:
            return
        child = Child(name, command)
        self.children.append(child)
        self._spawn(child)

    def run(self) -> None:
        """Watch the children until SIGTERM, SIGINT or SIGHUP."""
        while not self._stop:
            for child in self.children:
                self._restart_if_ended(child)
            time.sleep(0.2)

    def stop(self) -> None:
        """End all children, the last started first. A child that does not end in time is killed.

        A second signal kills them at once.
        """
        self._stop = True
        for child in reversed(self.children):
            if child.process is None or child.process.poll() is not None:
                continue
            child.process.terminate()
            ends = time.monotonic() + _PATIENCE
            while child.process.poll() is None and time.monotonic() < ends and not self._hurry:
                time.sleep(0.05)
            if child.process.poll() is None:
                child.process.kill()
                child.process.wait()

    def listen(self) -> None:
        """Install handlers for the signals that stop the supervisor."""
        for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(name, self._on_signal)

    def _on_signal(self, number: int, _frame: object) -> None:
        if not self._stop:
            self.interrupted = number == signal.SIGINT
        self._hurry = self._stop  # A second signal stops without waiting.
        self._stop = True

    def _restart_if_ended(self, child: Child) -> None:
        if child.process is not None and (code := child.process.poll()) is not None:
            steady = time.monotonic() - child.started_at >= _STEADY
            child.restarts = 1 if steady else child.restarts + 1
            wait = min(_MAX_BACKOFF, 0.5 * 2 ** min(child.restarts, 6))
            child.not_before = time.monotonic() + wait
            child.process = None
            _log.warning("%s ended with exit code %s; restarting in %g s", child.name, code, wait)
        if child.process is None and time.monotonic() >= child.not_before:
            self._spawn(child)

    def _spawn(self, child: Child) -> None:
        bound = [sys.executable, "-m", "alertworker.embedded.child", str(os.getpid()), *child.command]
        # A session of its own: Ctrl-C reaches only the supervisor, which then stops the children in order.
        # Only this user may read what it writes: the database, the broker's append-only files, the spool.
        child.process = subprocess.Popen(bound, env=dict(self.environ), start_new_session=True, umask=0o077)  # noqa: S603
        child.started_at = time.monotonic()


def lock(folder: Path) -> IO[str]:
    """Lock the data folder for this process, and return the lock file, which must stay open.

    Raises:
        AlertWorkerError: another process has the lock, or the folder cannot be used.
    """
    make_data_dir(folder)
    try:
        with suppress(PermissionError):  # a volume of the orchestrator's belongs to another user
            folder.chmod(0o700)
        file = (folder / "run.lock").open("a+")
    except OSError as error:
        raise AlertWorkerError(
            f"the data folder {folder} cannot be used ({error.strerror}); set --data-dir or ALERTWORKER_DATA_DIR to "
            "another folder"
        ) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        owner = file.read().strip() or "?"
        raise AlertWorkerError(
            f"process {owner} already uses this data folder; stop it, or choose another with --data-dir"
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file
