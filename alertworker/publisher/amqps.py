"""RabbitMQ over TLS, with the host name of the certificate verified."""

from __future__ import annotations

from typing import Any

from kombu.transport import pyamqp


class SSLTransport(pyamqp.SSLTransport):
    """kombu's transport, which verifies the certificate alone."""

    def establish_connection(self) -> Any:
        """Connect. The options belong to this attempt, because kombu may fail over to a broker of another name."""
        client: Any = self.client
        given, host = client.ssl, client.hostname  # kombu replaces localhost by an IP address
        client.ssl = tls_options(given, host or "localhost")
        try:
            return super().establish_connection()
        finally:
            client.ssl, client.hostname = given, host


def tls_options(given: object, host: str) -> dict[str, str] | bool:
    """Return py-amqp's TLS options for a broker; ``given`` are the options in the broker's address."""
    verifies = not isinstance(given, dict) or given.get("ssl_check_hostname", True)
    return {"server_hostname": host} if verifies else True
