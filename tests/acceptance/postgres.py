"""A PostgreSQL server of the test's own, which can be stopped for real."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.ports import free_port
from tests.services import lacking


class Postgres:
    """One cluster in its own folder, on loopback, run as a user that is not root."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="alertworker-pg-"))  # the user postgres must have access
        self._port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self._port}/postgres"
        if os.geteuid() == 0:
            shutil.chown(self._folder, "postgres")
        self._run(
            "initdb", "-D", str(self._folder / "data"), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync"
        )
        self.start()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self._folder}"
        self._pg_ctl("start", "-o", options, "-l", str(self._folder / "log"))

    def stop(self) -> None:
        """Stop the server at once, with open connections."""
        self._pg_ctl("stop", "-m", "immediate")

    def remove(self) -> None:
        """Stop the server and delete everything."""
        subprocess.run(
            self._command("pg_ctl", "-D", str(self._folder / "data"), "-m", "immediate", "stop"),
            check=False,
            capture_output=True,
        )
        shutil.rmtree(self._folder)

    def _pg_ctl(self, *arguments: str) -> None:
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-w", *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            self._command(program, *arguments), check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )

    @staticmethod
    def _command(program: str, *arguments: str) -> list[str]:
        found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
        path = str(found[-1]) if found else shutil.which(program)
        if path is None:
            lacking(f"{program} was not found; install PostgreSQL's server")
        as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        return [*as_user, path, *arguments]
