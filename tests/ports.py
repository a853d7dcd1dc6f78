"""Ports for servers that tests start."""

from __future__ import annotations

import secrets
import socket
from typing import Final

#: Systems take the ports of outgoing connections from above these, so none of them takes a port before its server does.
_RANGE: Final = range(12_000, 30_000)


def free_port() -> int:
    """Return a port without a listener. Two tests that run at once get different ones, all but certainly."""
    while True:
        port = secrets.choice(_RANGE)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
