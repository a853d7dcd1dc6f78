"""Sealed batches over HTTPS, for proxies that have no way to the broker: the standard library's client."""

from __future__ import annotations

import os
import ssl
import time
from http.client import HTTPException
from typing import Final
from urllib.parse import urlsplit

from alertworker.errors import BatchRefused, LineUnavailable
from alertworker.events.batch import SEALED_TYPE, SealedBatch
from alertworker.publisher.connection import ProxyError, TimedConnection

#: After how many idle seconds a connection is not used again: servers close idle ones without a word.
_IDLE: Final = 3.0
#: What is wrong with this one batch, whenever it is sent again. A wrong key or address (401, 403, 404, …) is wrong for
#: all of them and can be mended, so those wait in the spool, whose bound holds.
_HOPELESS: Final = frozenset({400, 411, 413, 414, 415, 422, 431})


class HttpTransport:
    """Sends batches to ``POST <url>/v1/events`` of ``alertworker web``; certificates are verified.

    Through the proxy that HTTPS_PROXY or HTTP_PROXY names, unless NO_PROXY names the server.
    """

    def __init__(self, url: str, key: str) -> None:
        try:
            parts = urlsplit(url)
            self._host, self._port = parts.hostname or "", parts.port
        except ValueError:  # a typing error must not stop the host
            parts, self._host, self._port = urlsplit(""), "", None
        self._usable = parts.scheme in ("http", "https") and bool(self._host)
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._path = f"{parts.path.rstrip('/').removesuffix('/v1/events')}/v1/events"
        self._key = key
        self._connection: TimedConnection | None = None
        self._used_at = 0.0
        self._pid = os.getpid()

    def send(self, batch: SealedBatch) -> None:
        """Send one batch; when it returns, the server's broker has it.

        Raises:
            LineUnavailable: it may or may not have arrived; send the same batch again.
            BatchRefused: the server will never take it.
        """
        if not self._usable:
            raise LineUnavailable("ALERTWORKER_PUBLISH_URL is no http or https address")
        if self._pid != os.getpid():  # a fork's child must not speak on its parent's connection, nor end its TLS
            self._pid, self._connection = os.getpid(), None
        try:
            status, said = self._ask(batch)
        except (OSError, HTTPException, ValueError) as error:
            self.close()
            problem = str(error) if isinstance(error, ProxyError) else type(error).__name__
            raise LineUnavailable(f"{self._host} cannot be reached ({problem})") from None
        if status in _HOPELESS:
            raise BatchRefused(f"{self._host} refused a batch of {batch.count} events: {status} {said}")
        if status != 202:
            raise LineUnavailable(f"{self._host} answered {status} {said}")

    def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _ask(self, batch: SealedBatch) -> tuple[int, str]:
        """Post, and again where the server had closed an idle connection: the id of the batch makes that harmless."""
        if time.monotonic() - self._used_at > _IDLE:
            self.close()
        idle = self._connection is not None
        try:
            return self._post(batch)
        except (ConnectionError, HTTPException, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            if not idle:
                raise
        self.close()
        return self._post(batch)

    def _post(self, batch: SealedBatch) -> tuple[int, str]:
        headers = {
            "Authorization": f"Bearer {self._key}",
            "Content-Type": SEALED_TYPE,
            "Alertworker-Batch-Id": batch.batch_id,
            "Alertworker-Producer": batch.producer,
            "Alertworker-Sealed-At": batch.sealed_at.isoformat(),
            "Alertworker-Count": str(batch.count),
        }
        connection = self._connection or self._connect()
        answer, said = connection.exchange(self._path, batch.body, headers)
        if not answer.isclosed():  # more than any answer of ours: the connection cannot be used again
            self.close()
        self._used_at = time.monotonic()
        return answer.status, said.decode(errors="replace")[:200] if answer.status != 202 else ""

    def _connect(self) -> TimedConnection:
        self._connection = TimedConnection(self._host, self._port or (80 if self._tls is None else 443), self._tls)
        return self._connection
