"""Connections to the broker. Over ``amqps://`` they verify the certificate's host name, which kombu does not do."""

from __future__ import annotations

from typing import Any, Final

import kombu
from kombu.utils.imports import symbol_by_name

#: kombu's transport, and ours. The name is resolved at its use, so that Redis needs no AMQP client.
_VERIFYING: Final = {"kombu.transport.pyamqp:SSLTransport": "alertworker.publisher.amqps:SSLTransport"}


class Connection(kombu.Connection):
    """A connection whose transport is replaced by ours if there is one, also after a failover to another broker."""

    transports = _VERIFYING

    def get_transport_cls(self) -> Any:
        """Return our subclass of kombu's transport, if there is one."""
        found: Any = super().get_transport_cls()
        return symbol_by_name(self.transports.get(f"{found.__module__}:{found.__qualname__}", found))
