"""A PgBouncer of the test's own, in transaction pooling, before the PostgreSQL server of the tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.ports import free_port
from tests.processes import running
from tests.services import lacking

_CONFIG = """
[databases]
* = host=127.0.0.1 port=5432
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = transaction
default_pool_size = 2
server_lifetime = 60
"""


@contextmanager
def pgbouncer(user: str) -> Iterator[int]:
    """Run PgBouncer and yield its port. It lets the user of the server in without a password."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        lacking("pgbouncer was not found; apt-get install pgbouncer")
    folder = Path(tempfile.mkdtemp(prefix="alertworker-pgbouncer-"))
    port = free_port()
    (folder / "users").write_text(f'"{user}" ""\n')
    (folder / "pgbouncer.ini").write_text(_CONFIG.format(port=port, users=folder / "users"))
    as_user = []
    if os.geteuid() == 0:  # PgBouncer refuses to run as root
        shutil.chown(folder, "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
    command = [*as_user, program, "-q", str(folder / "pgbouncer.ini")]
    try:
        with running(command, stderr=subprocess.DEVNULL) as process:
            try:
                _wait_for(port)
                yield port
            finally:
                process.terminate()  # `runuser` forwards this signal, and cannot forward SIGKILL
                process.wait(20)
    finally:
        shutil.rmtree(folder)


def _wait_for(port: int) -> None:
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    lacking("pgbouncer did not start within 10 s")
