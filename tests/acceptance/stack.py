"""Real processes: a broker of the test's own, workers and beat. They can be killed and restarted."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from alertworker.embedded import valkey
from alertworker.host.paths import default_broker_url, default_database_url
from alertworker.store import make_engine
from alertworker.store.migrations import upgrade

_ALERTWORKER = [sys.executable, "-m", "alertworker"]
ROLES: dict[str, Sequence[str]] = {
    "ingest": [*_ALERTWORKER, "worker", "--role", "ingest"],
    "deliver": [*_ALERTWORKER, "worker", "--role", "deliver"],
    "beat": [*_ALERTWORKER, "beat"],
    "web": [*_ALERTWORKER, "web"],
}


@dataclass
class Stack:
    """One installation in a folder. ``config`` is the text of its config.yaml."""

    folder: Path
    config: str
    environ: Mapping[str, str] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    #: The program to start as the broker, in place of the embedded Valkey.
    server: str | None = None

    def __post_init__(self) -> None:
        """Write the configuration."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "config.yaml").write_text(self.config)

    @property
    def broker_url(self) -> str:
        """Return the broker's address."""
        return self.environ.get("ALERTWORKER_BROKER_URL") or default_broker_url(self.folder)

    @property
    def env(self) -> dict[str, str]:
        """Return the environment of every process."""
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH") if name in os.environ}
        return {
            **keep,
            "PYTHONUNBUFFERED": "1",
            "ALERTWORKER_CONFIG": str(self.folder / "config.yaml"),
            "ALERTWORKER_DATA_DIR": str(self.folder),
            "ALERTWORKER_BROKER_URL": self.broker_url,
            "ALERTWORKER_DATABASE_URL": default_database_url(self.folder),
            **self.environ,
        }

    def up(self, *roles: str) -> None:
        """Start everything, or the broker and these roles, and wait until the workers consume."""
        if "ALERTWORKER_BROKER_URL" not in self.environ:
            self.start_broker()
        self.migrate()
        starting = roles or ("ingest", "deliver", "beat")
        for role in starting:
            self._spawn(role, ROLES[role])
        for role in starting:
            self._wait_until_ready(role, role)

    def migrate(self) -> None:
        """Create the database's tables."""
        engine = make_engine(self.env["ALERTWORKER_DATABASE_URL"])
        upgrade(engine)
        engine.dispose()

    def start_broker(self) -> None:
        """Start the broker with the data it kept."""
        program, *options = valkey.command(self.folder)
        self._spawn("broker", [self.server or program, *options])
        valkey.wait_until_ready(self.folder)

    def start(self, role: str, name: str = "") -> None:
        """Start a role, under another name if one is given, and wait until it logs that it is ready."""
        name = name or role
        self._spawn(name, ROLES[role])
        self._wait_until_ready(role, name)

    def _wait_until_ready(self, role: str, name: str) -> None:
        if role == "web":
            self._wait_for_log(name, "Uvicorn running on")
        elif role != "beat":
            self._wait_for_log(name, f"{role}@{socket.gethostname()} ready")

    def kill(self, role: str, number: int = signal.SIGKILL) -> None:
        """Kill a role. SIGKILL is sent to its whole process group at once, as at the end of a pod."""
        process = self.processes[role]
        if number == signal.SIGKILL:
            with suppress(ProcessLookupError):  # it has ended by itself
                os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        process.wait(30)
        del self.processes[role]

    def pause(self, role: str) -> None:
        """Pause a role's whole process group: its sockets stay open and nothing answers."""
        os.killpg(self.processes[role].pid, signal.SIGSTOP)

    def resume(self, role: str) -> None:
        """Let a paused role continue."""
        os.killpg(self.processes[role].pid, signal.SIGCONT)

    def down(self) -> None:
        """Stop all running processes, the broker last."""
        for role in reversed(list(self.processes)):
            self.kill(role)

    def log(self, role: str) -> str:
        """Return all output of a role."""
        return (self.folder / f"{role}.log").read_text(errors="replace")

    def logs(self) -> str:
        """Return all output of every role."""
        return "".join(path.read_text(errors="replace") for path in self.folder.glob("*.log"))

    def _wait_for_log(self, role: str, text: str) -> None:
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            if text in self.log(role)[self._log_starts[role] :]:
                return
            if self.processes[role].poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"{role} did not become ready:\n{self.log(role)[-3000:]}")

    def _spawn(self, role: str, command: Sequence[str]) -> None:
        path = self.folder / f"{role}.log"
        self._log_starts[role] = len(path.read_text(errors="replace")) if path.exists() else 0
        with path.open("ab") as log:
            self.processes[role] = subprocess.Popen(
                command, env=self.env, cwd=self.folder, stdout=log, stderr=log, start_new_session=True
            )

    _log_starts: dict[str, int] = field(default_factory=dict)
