"""The only place that opens a URL: one attempt with a deadline for all of it, and the answer's meaning.

Neither an address nor a body ever gets into an error: both may be secrets.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

import requests

from alertworker.delivery import DeliveryError, Reason

#: The whole exchange may take this long, in seconds, however slowly the receiver drips.
DEADLINE: Final = 15.0
_CONNECT_TIMEOUT: Final = 5.0
#: How much of an answer is read, in bytes; nobody reads more.
_MAX_ANSWER: Final = 64 * 1024
#: How much of an answer is kept for a person, in characters.
_MAX_SHOWN: Final = 200

_REASONS: Final[Mapping[int, Reason]] = {
    401: Reason.AUTH_ERROR,
    403: Reason.AUTH_ERROR,
    404: Reason.GONE,
    408: Reason.TIMEOUT,
    410: Reason.GONE,
    413: Reason.PAYLOAD_TOO_LARGE,
    425: Reason.SERVER_ERROR,
    429: Reason.RATE_LIMITED,
}

_local = threading.local()


def post(url: str, body: str, headers: Mapping[str, str], *, deadline: float = DEADLINE) -> str:
    """Make one POST and give the receiver's answer, shortened.

    Raises:
        DeliveryError: for everything but a 2xx answer within the deadline.
    """
    _refuse_plain(url)
    ends = time.monotonic() + deadline
    try:
        response = _session().post(
            url,
            data=body.encode(),
            headers=dict(headers),
            allow_redirects=False,
            stream=True,
            timeout=(min(_CONNECT_TIMEOUT, deadline), deadline),
        )
        with closing(response):
            answer = _read(response, ends)
    except requests.Timeout:
        raise DeliveryError(f"no answer within {deadline:g} s", Reason.TIMEOUT) from None
    except requests.RequestException as error:
        raise DeliveryError(f"cannot be reached ({type(error).__name__})", Reason.UNREACHABLE) from None
    raise_for_answer(response.status_code, response.headers, now=datetime.now(UTC))
    return f"{response.status_code} {answer[:_MAX_SHOWN]}".strip()


def raise_for_answer(status: int, headers: Mapping[str, str], *, now: datetime) -> None:
    """Raise what an answer means, unless it is a success: any 2xx."""
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise DeliveryError(f"answered {status}; redirects are not followed", Reason.REDIRECTED, status=status)
    reason = _REASONS.get(status, Reason.SERVER_ERROR if status >= 500 else Reason.CLIENT_ERROR)
    raise DeliveryError(
        f"answered {status}", reason, status=status, retry_after=retry_after(headers.get("Retry-After"), now=now)
    )


def retry_after(value: str | None, *, now: datetime) -> float | None:
    """Read Retry-After, in seconds or as a date (RFC 9110, 10.2.3); nonsense counts as absent."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
    return max(0.0, seconds) if seconds == seconds and seconds != float("inf") else None  # noqa: PLR0124 - NaN


def _refuse_plain(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https":
        return
    if parts.scheme == "http" and _is_loopback(parts.hostname or ""):
        return
    raise DeliveryError("the address must begin with https://", Reason.REFUSED)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read(response: requests.Response, ends: float) -> str:
    """Read the answer's beginning, up to the deadline of the whole exchange.

    requests counts its timeout from byte to byte, so the socket's is shortened before every read.
    """
    received = b""
    while len(received) < _MAX_ANSWER:
        left = ends - time.monotonic()
        if left <= 0:
            raise requests.Timeout
        connection = getattr(response.raw, "connection", None) or getattr(response.raw, "_connection", None)
        if connection is not None and connection.sock is not None:
            connection.sock.settimeout(left)
        chunk = response.raw.read1(4096, decode_content=True)
        if not chunk:
            break
        received += chunk
    return received.decode(errors="replace")


def _session() -> requests.Session:
    """Give this thread's session, which keeps connections open."""
    if not hasattr(_local, "session"):
        _local.session = requests.Session()
    session: requests.Session = _local.session
    return session
