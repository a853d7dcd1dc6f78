"""Sealed batches over HTTPS, for proxies that cannot reach the broker."""

from __future__ import annotations

import os
import re
import ssl
import time
from base64 import b64encode
from http.client import HTTPException
from typing import Final
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from urllib3 import PoolManager, ProxyManager, Timeout
from urllib3.exceptions import HTTPError

from alertworker import __version__
from alertworker.errors import BatchRefused, BrokerUnavailable
from alertworker.events.batch import SEALED_TYPE, SealedBatch
from alertworker.publisher.exchange_timeout import SILENCE, ExchangeTimeout, timed_pools

#: How long connecting to one address may take, in seconds.
_CONNECT: Final = 10.0
#: After how many idle seconds a connection is not used again: servers and firewalls drop idle ones without notice.
_IDLE: Final = 3.0
#: How many bytes of an answer are read. Answers of `alertworker web` are shorter.
_MAX_ANSWER: Final = 2_000
#: The longest wait that a server can ask for, in seconds.
_MOST_WAIT: Final = 60.0
#: Statuses that concern this one batch, whenever it is sent again. A wrong key or URL (401, 403, 404, …) concerns all
#: batches and can be corrected. So those batches wait in the spool, which is bounded.
_HOPELESS: Final = frozenset({400, 411, 413, 414, 415, 422, 431})
#: How http.client reports that an HTTP proxy refused to open a tunnel.
_TUNNEL_REFUSED: Final = re.compile(r"Tunnel connection failed: (\d+)")


class ProxyError(OSError):
    """The HTTP proxy of the environment cannot be used. The message contains no address."""


class HttpTransport:
    """Sends batches to ``POST <url>/v1/events`` of ``alertworker web`` and verifies the server's certificate.

    The transport uses the proxy that HTTPS_PROXY or HTTP_PROXY names, unless NO_PROXY names the server.
    """

    def __init__(self, url: str, key: str) -> None:
        try:
            parts = urlsplit(url)
            self._host, port = (parts.hostname or "").encode("idna").decode(), parts.port
        except ValueError:  # a typing error must not stop the host
            parts, self._host, port = urlsplit(""), "", None
        self._scheme = parts.scheme
        self._port = port or (443 if parts.scheme == "https" else 80)
        self._usable = parts.scheme in ("http", "https") and bool(self._host)
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        authority = f"[{self._host}]" if ":" in self._host else self._host
        path = f"{parts.path.rstrip('/').removesuffix('/v1/events')}/v1/events"
        self._url = f"{self._scheme}://{authority}:{self._port}{path}"
        self._key = key
        self._timeout = ExchangeTimeout()
        self._pools: PoolManager | None = None
        self._used_at = 0.0
        self._pid = os.getpid()

    def send(self, batch: SealedBatch) -> None:
        """Send one batch. When this returns, the server's broker has it.

        Raises:
            BrokerUnavailable: the batch may or may not have arrived; send the same batch again.
            BatchRefused: the server will never accept this batch.
        """
        if not self._usable:
            raise BrokerUnavailable("ALERTWORKER_PUBLISH_URL is not an http or https URL")
        if self._pid != os.getpid():  # a forked child must not use its parent's connection
            self._pid, self._pools = os.getpid(), None
        try:
            status, answer, retry_after = self._exchange(batch)
        except (HTTPError, OSError, HTTPException, ValueError) as error:
            self.close()
            raise BrokerUnavailable(f"{self._host} cannot be reached ({_problem(error)})") from None
        if status in _HOPELESS:
            raise BatchRefused(f"{self._host} refused a batch of {batch.count} events: {status} {answer}")
        if status != 202:
            refusal = BrokerUnavailable(f"{self._host} answered {status} {answer}")
            refusal.retry_after = retry_after
            raise refusal

    def close(self) -> None:
        """Close the connection."""
        pools, self._pools = self._pools, None
        if pools is not None:
            pools.clear()

    def _exchange(self, batch: SealedBatch) -> tuple[int, str, float]:
        """Post a batch, and post it again if the server had closed an idle connection. The batch id makes that safe."""
        if time.monotonic() - self._used_at > _IDLE:
            self.close()
        reused = self._pools is not None
        try:
            return self._post(batch)
        except (HTTPError, OSError, HTTPException) as error:
            broken = (ConnectionError, HTTPException, ssl.SSLEOFError, ssl.SSLZeroReturnError)
            if not reused or not isinstance(_cause(error), broken):
                raise
        self.close()
        return self._post(batch)

    def _post(self, batch: SealedBatch) -> tuple[int, str, float]:
        self._timeout.start()
        pools = self._pools or self._connect()
        response = pools.request(
            "POST",
            self._url,
            body=batch.body,
            headers={
                "User-Agent": f"alertworker/{__version__}",
                "Authorization": f"Bearer {self._key}",
                "Content-Type": SEALED_TYPE,
                "Alertworker-Batch-Id": batch.batch_id,
                "Alertworker-Producer": batch.producer,
                "Alertworker-Sealed-At": batch.sealed_at.isoformat(),
                "Alertworker-Count": str(batch.count),
            },
            timeout=Timeout(connect=_CONNECT, read=SILENCE),
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
            enforce_content_length=False,
        )
        try:
            answer = response.read(_MAX_ANSWER)
        finally:
            response.close()  # a connection that was read to its end is in the pool again and stays open
            response.release_conn()
        self._used_at = time.monotonic()
        text = answer.decode(errors="replace")[:200] if response.status != 202 else ""
        return response.status, text, _seconds(response.headers.get("Retry-After", ""))

    def _connect(self) -> PoolManager:
        proxy = proxy_for(self._scheme, self._host, self._port)
        self._pools = PoolManager(ssl_context=self._tls) if proxy is None else _through(proxy, self._tls)
        self._pools.pool_classes_by_scheme = timed_pools(self._timeout, self._tls)
        return self._pools


def _through(proxy: str, tls: ssl.SSLContext | None) -> ProxyManager:
    """Return the pools of a proxy, with the login in its URL.

    Raises:
        ProxyError: the proxy has no http URL.
    """
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        host, port = parts.hostname, parts.port or 80
    except ValueError:
        host, port = None, 0
    if not host or parts.scheme != "http":
        raise ProxyError("the HTTP proxy of the environment has no http URL")
    headers = {}
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
    authority = f"[{host}]" if ":" in host else host
    return ProxyManager(f"http://{authority}:{port}", proxy_headers=headers, ssl_context=tls)


def proxy_for(scheme: str, host: str, port: int) -> str | None:
    """Return the proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names, unless NO_PROXY names the host."""
    known = getproxies()
    named = known.get(scheme) or known.get("all")
    return None if not named or proxy_bypass(f"{host}:{port}") else named


def _seconds(retry_after: str) -> float:
    """Return the seconds of a Retry-After header, at most a minute. A date, which our server never sends, is 0."""
    return min(_MOST_WAIT, float(retry_after)) if retry_after.isascii() and retry_after.isdigit() else 0.0


def _problem(error: BaseException) -> str:
    """Return what is wrong, in words without an address or a login."""
    cause = _cause(error)
    if isinstance(cause, ProxyError):
        return str(cause)
    refused = _TUNNEL_REFUSED.match(str(cause))
    return f"the HTTP proxy answered {refused[1]}" if refused else type(cause).__name__


def _cause(error: BaseException) -> BaseException:
    """Return the error of the socket, of TLS or of http.client that urllib3 wrapped in its own."""
    while isinstance(error, HTTPError) and (inner := error.__cause__ or error.__context__):
        error = inner
    return error
