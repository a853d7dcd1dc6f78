"""Paths on this host: the data folder, its files, and the URLs of the embedded broker and database."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from alertworker.errors import AlertWorkerError
from alertworker.host.addresses import socket_address

#: The longest path of a Unix socket that all systems accept, in bytes. Linux accepts 107, macOS 103.
_MAX_SOCKET_PATH: Final = 100


def data_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the data folder: ``ALERTWORKER_DATA_DIR``, else ``alertworker-data`` in the working folder."""
    return Path(environ.get("ALERTWORKER_DATA_DIR") or "alertworker-data").absolute()


def make_data_dir(folder: Path) -> None:
    """Create the data folder, if it does not exist, for this user alone.

    Raises:
        AlertWorkerError: it cannot be created, or this user cannot write into it.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        problem = None if os.access(folder, os.W_OK | os.X_OK) else "it belongs to another user"
    except OSError as error:
        problem = error.strerror
    if problem is not None:
        raise AlertWorkerError(
            f"the data folder {folder} cannot be used ({problem}); set ALERTWORKER_DATA_DIR, or --data-dir of "
            f"`alertworker run`, to a folder that user {os.getuid()} can write"
        )


def check_temporary_folder() -> None:
    """Check that temporary files can be written. Each worker needs one for the memory that its processes share.

    Raises:
        AlertWorkerError: no folder for temporary files can be written, as in a container with a read-only root.
    """
    try:
        tempfile.gettempdir()
    except FileNotFoundError as error:
        raise AlertWorkerError(
            f"no folder for temporary files can be written ({error.strerror}); mount a writable /tmp, or set TMPDIR to "
            f"a folder that user {os.getuid()} can write"
        ) from None


def spool_dir(folder: Path) -> Path:
    """Return the folder where publishers keep batches while the broker is unavailable."""
    return folder / "spool"


def admin_key_path(folder: Path) -> Path:
    """Return the file of the admin key that `alertworker run` generates if none is configured."""
    return folder / "admin-key"


def publish_key_path(folder: Path) -> Path:
    """Return the file of the publish key that `alertworker run` generates if none is configured."""
    return folder / "publish-key"


def socket_path(folder: Path) -> Path:
    """Return the embedded broker's Unix socket. If the path would be too long, it is in the temporary folder."""
    path = folder / "valkey.sock"
    if len(os.fsencode(path)) <= _MAX_SOCKET_PATH:
        return path
    name = hashlib.blake2b(os.fsencode(path), digest_size=8).hexdigest()
    return Path(tempfile.gettempdir()) / f"alertworker-{os.getuid()}-{name}.sock"


def default_broker_url(folder: Path) -> str:
    """Return the embedded broker's URL."""
    return socket_address(str(socket_path(folder)))


def database_path(folder: Path) -> Path:
    """Return the embedded database's file."""
    return folder / "alertworker.db"


def default_database_url(folder: Path) -> str:
    """Return the embedded database's URL."""
    return f"sqlite:///{database_path(folder)}"
