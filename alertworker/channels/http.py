"""The only place that opens a URL: one attempt with a deadline for all of it, and the answer's meaning.

Neither an address nor a body ever gets into an error: both may be secrets.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

import requests
import urllib3

from alertworker.channels.cutoff import Cutoff, CutoffAdapter
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


def post(url: str, body: str, headers: Mapping[str, str]) -> str:
    """Make one POST and give the receiver's answer, shortened.

    Raises:
        DeliveryError: for everything but a 2xx answer within `DEADLINE`.
    """
    _refuse_plain(url)
    with Cutoff(DEADLINE) as cutoff, requests.Session() as session:
        session.mount("https://", CutoffAdapter(cutoff))
        session.mount("http://", CutoffAdapter(cutoff))
        try:
            response = session.post(
                url,
                data=body.encode(),
                headers=dict(headers),
                allow_redirects=False,
                stream=True,
                timeout=(min(_CONNECT_TIMEOUT, DEADLINE), DEADLINE),
            )
            answer = response.raw.read(_MAX_ANSWER, decode_content=True).decode(errors="replace")
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            if cutoff.passed or isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
                raise DeliveryError(f"no whole answer within {DEADLINE:g} s", Reason.TIMEOUT) from None
            raise DeliveryError(f"cannot be reached ({type(error).__name__})", Reason.UNREACHABLE) from None
    if cutoff.passed:
        raise DeliveryError(f"no whole answer within {DEADLINE:g} s", Reason.TIMEOUT)
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
