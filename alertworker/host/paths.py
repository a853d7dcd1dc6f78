"""Where things are on this machine: the data folder and the addresses of the embedded default in it."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from alertworker.host.addresses import socket_address

#: The longest path of a Unix socket that every system takes, in bytes (Linux takes 107, macOS 103).
_MAX_SOCKET_PATH: Final = 100


def data_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Give the data folder: ``ALERTWORKER_DATA_DIR``, else ``alertworker-data`` in the working folder."""
    return Path(environ.get("ALERTWORKER_DATA_DIR") or "alertworker-data").absolute()


def spool_dir(folder: Path) -> Path:
    """Give the folder in which publishers keep what the broker could not take."""
    return folder / "spool"


def admin_key_path(folder: Path) -> Path:
    """Give the file with the admin key that `alertworker run` makes where none is configured."""
    return folder / "admin-key"


def publish_key_path(folder: Path) -> Path:
    """Give the file with the publish key that `alertworker run` makes where none is configured."""
    return folder / "publish-key"


def socket_path(folder: Path) -> Path:
    """Give the embedded broker's Unix socket; a folder with too long a path gets one beside the temporary files."""
    path = folder / "valkey.sock"
    if len(os.fsencode(path)) <= _MAX_SOCKET_PATH:
        return path
    name = hashlib.blake2b(os.fsencode(path), digest_size=8).hexdigest()
    return Path(tempfile.gettempdir()) / f"alertworker-{os.getuid()}-{name}.sock"


def default_broker_url(folder: Path) -> str:
    """Give the embedded broker's address."""
    return socket_address(str(socket_path(folder)))


def database_path(folder: Path) -> Path:
    """Give the embedded database's file."""
    return folder / "alertworker.db"


def default_database_url(folder: Path) -> str:
    """Give the embedded database's address."""
    return f"sqlite:///{database_path(folder)}"
