"""The host names under which the server answers.

A web page of an attacker can let its own name lead to this server, and then read what the server shows without a key.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from alertworker.channels.address_guard import AllowedAddresses, is_loopback


def answered_names(configured: Iterable[str], *, listens_on: str, public_url: str | None) -> frozenset[str] | None:
    """Return the names under which the server answers, besides addresses; ``None`` for all names.

    Without configured names, a server that listens on this machine alone answers under ``localhost`` and the host of
    its public URL. Any other server then answers under all names, because it cannot know its own.
    """
    public = urlsplit(public_url).hostname if public_url else None
    names = frozenset(configured)
    if not names and not is_loopback(listens_on):
        return None
    return names | {"localhost", listens_on.lower()} | ({public} if public else set())


class HostGuard:
    """Refuses requests for other host names with 400."""

    def __init__(self, app: ASGIApp, names: frozenset[str] | None) -> None:
        self._app = app
        self._allowed = None if names is None else AllowedAddresses(hosts=tuple(names))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or self._allowed is None or self._answers(Headers(scope=scope).get("host", "")):
            await self._app(scope, receive, send)
            return
        reason = "the server does not answer under this host name; add it to http_hosts, or set public_url"
        await JSONResponse({"error": reason}, 400)(scope, receive, send)

    def _answers(self, header: str) -> bool:
        """Return whether a Host header has an allowed name, or an address: no page can have an address of ours."""
        try:
            host = urlsplit(f"//{header}").hostname or ""
        except ValueError:
            return False
        assert self._allowed is not None  # noqa: S101 - the caller has asked
        return not header or _is_address(host) or self._allowed.allows(host)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
