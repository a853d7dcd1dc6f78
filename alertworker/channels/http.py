"""The only place that opens a URL: one attempt under one deadline, and the meaning of the answer.

Errors and logs never contain a URL or a body, because both may be secrets.
"""

from __future__ import annotations

import json
import logging
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Final
from urllib.parse import unquote, urlsplit

import requests
import urllib3
from requests.auth import HTTPBasicAuth
from requests.utils import get_auth_from_url

from alertworker import __version__
from alertworker.channels.address_guard import NOT_PUBLIC, AllowedAddresses
from alertworker.channels.config import UrlConfig, refuse
from alertworker.channels.deadline import Deadline, DeadlineAdapter, Refused
from alertworker.delivery.channel import Answer
from alertworker.delivery.retry import DeliveryError, Reason
from alertworker.text.sanitize import cut, one_line

#: The time limit of the whole exchange, in seconds.
DEADLINE: Final = 15.0
#: The time limit to connect to one address of the receiver, in seconds.
CONNECT_TIMEOUT: Final = 5.0
#: How much of an answer is read, in bytes.
_MAX_ANSWER: Final = 64 * 1024
#: How much of an answer is kept and shown, in characters.
_MAX_SHOWN: Final = 200
#: A code word, for example Slack's ``invalid_blocks``. An error repeats no other part of a refusal.
_CODE_WORD: Final = re.compile(r"[a-z]+(?:_[a-z]+){1,6}")
#: Shorter parts of a URL are words that an answer may contain by chance.
_SHORTEST_SECRET: Final = 8

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

# urllib3 writes the path of every request to its log, and the whole URL beside a malformed header.
for _name in ("urllib3.connectionpool", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(lambda _record: False)


def ping(url: str, allowed: AllowedAddresses) -> None:
    """Send a heartbeat to a dead man's switch: one GET.

    Raises:
        DeliveryError: as `post` does.
    """
    _request("GET", url, None, {}, allowed)


def post(receiver: UrlConfig, body: str, headers: Mapping[str, str]) -> Answer:
    """Make one POST and return the receiver's answer, shortened. Threads may call this at the same time.

    Raises:
        DeliveryError: there was no 2xx answer within `DEADLINE`.
    """
    return _request("POST", receiver.url.get_secret_value(), body.encode(), headers, receiver.allowed)


def _request(
    method: str, url: str, body: bytes | None, headers: Mapping[str, str], allowed: AllowedAddresses
) -> Answer:
    try:
        refuse(url, allowed)
    except ValueError as error:
        raise DeliveryError(str(error), Reason.REFUSED) from None
    with Deadline(DEADLINE, connect=CONNECT_TIMEOUT, allowed=allowed) as deadline:
        try:
            response, answer = _exchange(method, url, body, headers, deadline)
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema):
            raise DeliveryError("the URL is invalid", Reason.REFUSED) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            if deadline.passed or isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
                raise DeliveryError(f"timed out after {DEADLINE:g} s", Reason.TIMEOUT) from None
            if any(isinstance(cause, Refused) for cause in _causes(error)):
                raise DeliveryError(NOT_PUBLIC, Reason.REFUSED) from None
            raise DeliveryError(_trouble(error), Reason.UNREACHABLE) from None
    if deadline.passed:
        raise DeliveryError(f"timed out after {DEADLINE:g} s", Reason.TIMEOUT)
    shown = _without_url(one_line(answer.decode(errors="replace")), url)
    from_headers = (retry_after(response.headers.get("Retry-After"), now=datetime.now(UTC)), _refill(response.headers))
    waits = [wait for wait in (*from_headers, _stated_wait(answer)) if wait is not None]
    raise_for_answer(response.status_code, wait=max(waits, default=None), answer=shown)
    return Answer(f"{response.status_code} {cut(shown, _MAX_SHOWN)}".strip(), busy_for=max(waits, default=0.0))


def _exchange(
    method: str, url: str, body: bytes | None, headers: Mapping[str, str], deadline: Deadline
) -> tuple[requests.Response, bytes]:
    with requests.Session() as session:
        session.mount("https://", DeadlineAdapter(deadline))
        session.mount("http://", DeadlineAdapter(deadline))
        session.auth = _authorize
        with session.request(
            method,
            url,
            data=body,
            # A compressed answer could be of any size when it is decompressed.
            headers={"User-Agent": f"alertworker/{__version__}", "Accept-Encoding": "identity", **headers},
            allow_redirects=False,
            stream=True,
            timeout=(CONNECT_TIMEOUT, DEADLINE),
        ) as response:
            return response, response.raw.read(_MAX_ANSWER, decode_content=False)


def _authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Use the credentials of the URL. Without this, requests would send those of ~/.netrc."""
    user, password = get_auth_from_url(request.url or "")
    return HTTPBasicAuth(user, password)(request) if user or password else request


def raise_for_answer(status: int, *, wait: float | None = None, answer: str = "") -> None:
    """Raise the error that a status stands for, unless it is 2xx. The receiver asked to wait ``wait`` seconds."""
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise DeliveryError(f"answered {status}; redirects are not followed", Reason.REDIRECTED, status=status)
    reason = _REASONS.get(status, Reason.CLIENT_ERROR if 400 <= status < 500 else Reason.SERVER_ERROR)
    word = f" {answer}" if len(answer) <= 60 and _CODE_WORD.fullmatch(answer) else ""
    raise DeliveryError(f"answered {status}{word}", reason, status=status, retry_after=wait)


def retry_after(value: str | None, *, now: datetime) -> float | None:
    """Return the seconds of Retry-After, from a number or a date (RFC 9110, 10.2.3); ``None`` if it is invalid."""
    if value is None:
        return None
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return _seconds(value)
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())


def _refill(headers: Mapping[str, str]) -> float | None:
    """Return in how many seconds a receiver takes more messages, if this one reached its limit.

    https://discord.com/developers/docs/topics/rate-limits#header-format-rate-limit-header-examples
    """
    if headers.get("X-RateLimit-Remaining", "").strip() != "0":
        return None
    return _seconds(headers.get("X-RateLimit-Reset-After"))


def _stated_wait(answer: bytes) -> float | None:
    """Return the seconds to wait from a JSON body, where they are more exact than in the header.

    https://discord.com/developers/docs/topics/rate-limits#exceeding-a-rate-limit-rate-limit-response-structure
    """
    try:
        seconds = json.loads(answer)["retry_after"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return _seconds(seconds) if isinstance(seconds, int | float) and not isinstance(seconds, bool) else None


def _seconds(value: str | float | None) -> float | None:
    try:
        seconds = float(value) if value is not None else None
    except ValueError:
        return None
    return max(0.0, seconds) if seconds is not None and isfinite(seconds) else None


def _trouble(error: BaseException) -> str:
    """Return in words why there was no answer. The library's own text would repeat the URL."""
    causes = list(_causes(error))
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "cannot be reached: its host name was not found"
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "cannot be reached: no trusted TLS connection"
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return "cannot be reached: connection refused"
    return "cannot be reached: the connection was lost"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Return an error and its causes, which requests and urllib3 keep in ``args`` or as ``reason``."""
    yield error
    for inner in (*error.args, getattr(error, "reason", None)):
        if isinstance(inner, BaseException):
            yield from _causes(inner)


def _without_url(answer: str, url: str) -> str:
    """Return an answer without the parts of the URL that it repeats."""
    parts = urlsplit(url)
    pieces = re.split(r"[/&=:@?#]", f"{parts.netloc}/{parts.path}/{parts.query}/{parts.fragment}")
    for piece in sorted({*pieces, *map(unquote, pieces)}, key=len, reverse=True):
        if len(piece) >= _SHORTEST_SECRET:
            answer = answer.replace(piece, "…")
    return answer
