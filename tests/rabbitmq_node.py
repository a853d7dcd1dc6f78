"""A RabbitMQ node of a test's own, for what would disturb all other tests on a shared one."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from tests.ports import free_port
from tests.processes import children, kill, running
from tests.services import lacking

#: Where Debian's package has the programs. Those in the path change to another user.
_PROGRAMS: Final = Path("/usr/lib/rabbitmq/bin")


@dataclass(frozen=True)
class Node:
    """A running node."""

    url: str
    name: str
    environ: dict[str, str]

    def control(self, *arguments: str) -> None:
        """Run rabbitmqctl."""
        command = [str(_PROGRAMS / "rabbitmqctl"), "-n", self.name, *arguments]
        subprocess.run(command, env=self.environ, check=True, capture_output=True)


@contextmanager
def rabbitmq_node(folder: Path) -> Iterator[Node]:
    """Run a node with its files in a folder."""
    if not _PROGRAMS.is_dir():
        lacking("RabbitMQ is not installed: apt-get install rabbitmq-server")
    port = free_port()
    (folder / "rabbit.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
    environ = {
        **os.environ,
        "HOME": str(folder),  # for the cookie, so that rabbitmqctl has the same
        "RABBITMQ_NODENAME": f"test{port}@localhost",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbit"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
    }
    with (folder / "out").open("wb") as log:
        server = [str(_PROGRAMS / "rabbitmq-server")]
        with running(server, env=environ, stdout=log, stderr=log) as process:
            try:
                _wait(process.pid, port)
                yield Node(f"amqp://guest:guest@127.0.0.1:{port}//", environ["RABBITMQ_NODENAME"], environ)
            finally:
                kill(children(process.pid, recursive=True))


def _wait(pid: int, port: int) -> None:
    ends = time.monotonic() + 60
    while not _answers(port):
        if time.monotonic() > ends or not psutil.pid_exists(pid):
            raise RuntimeError("the node of RabbitMQ does not start")
        time.sleep(0.1)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
