"""The port to listen on: whether this process can have it, before anything announces its address."""

from __future__ import annotations

import errno
import os
import socket
from typing import Final

from alertworker.errors import AlertWorkerError

_ANOTHER: Final = "choose another port with --port or ALERTWORKER_HTTP_PORT"
_REMEDIES: Final = {
    errno.EADDRINUSE: f"another program listens there; stop it, or {_ANOTHER}",
    errno.EACCES: f"this user cannot listen on ports below 1024; {_ANOTHER}",
    errno.EADDRNOTAVAIL: "this machine has no such address; correct http_host (ALERTWORKER_HTTP_HOST)",
}


def check_port(host: str, port: int) -> None:
    """Check that a server can listen on this address.

    Raises:
        AlertWorkerError: it cannot.
    """
    try:
        family, socket_type, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket_type, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror:
        raise AlertWorkerError(
            f"cannot listen on {host}: the name is unknown; correct http_host (ALERTWORKER_HTTP_HOST)"
        ) from None
    except OSError as error:
        reason = _REMEDIES.get(error.errno or 0) or os.strerror(error.errno or 0)
        raise AlertWorkerError(f"cannot listen on port {port} of {host}: {reason}") from None
