"""The only place that opens a URL: one attempt with a deadline for all of it, and the answer's meaning.

Neither an address nor a body ever gets into an error or a log: both may be secrets.
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
from alertworker.channels.address_guard import NOT_PUBLIC, Allowed
from alertworker.channels.config import UrlConfig, refuse
from alertworker.channels.deadline import Deadline, DeadlineAdapter, Refused
from alertworker.delivery.channel import Answer
from alertworker.delivery.retry import DeliveryError, Reason
from alertworker.text.sanitize import cut, one_line

#: The whole exchange may take this long, in seconds, however slowly the receiver drips.
DEADLINE: Final = 15.0
#: Connecting to one of the receiver's addresses, in seconds.
CONNECT_TIMEOUT: Final = 5.0
#: How much of an answer is read, in bytes; nobody reads more.
_MAX_ANSWER: Final = 64 * 1024
#: How much of an answer is kept for a person, in characters.
_MAX_SHOWN: Final = 200
#: A code word such as Slack's ``invalid_blocks``: the only part of a refusal that an error repeats.
_CODE_WORD: Final = re.compile(r"[a-z]+(?:_[a-z]+){1,6}")
#: Shorter parts of an address are words that an answer may contain by chance.
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

# urllib3 writes the path of every request to its log, and the whole address beside a malformed header.
for _name in ("urllib3.connectionpool", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(lambda _record: False)


def ping(url: str, allowed: Allowed) -> None:
    """Tell a dead man's switch that all is well: one GET.

    Raises:
        DeliveryError: as `post` does.
    """
    _request("GET", url, None, {}, allowed)


def post(receiver: UrlConfig, body: str, headers: Mapping[str, str]) -> Answer:
    """Make one POST and give the receiver's answer, shortened. Any number of threads may do so at once.

    Raises:
        DeliveryError: for everything but a 2xx answer within `DEADLINE`.
    """
    return _request("POST", receiver.url.get_secret_value(), body.encode(), headers, receiver.allowed)


def _request(method: str, url: str, body: bytes | None, headers: Mapping[str, str], allowed: Allowed) -> Answer:
    try:
        refuse(url, allowed)
    except ValueError as error:
        raise DeliveryError(str(error), Reason.REFUSED) from None
    with Deadline(DEADLINE, connect=CONNECT_TIMEOUT, allowed=allowed) as cutoff:
        try:
            response, answer = _exchange(method, url, body, headers, cutoff)
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema):
            raise DeliveryError("the address is not one", Reason.REFUSED) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            if cutoff.passed or isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
                raise DeliveryError(f"no whole answer within {DEADLINE:g} s", Reason.TIMEOUT) from None
            if any(isinstance(cause, Refused) for cause in _causes(error)):
                raise DeliveryError(NOT_PUBLIC, Reason.REFUSED) from None
            raise DeliveryError(_trouble(error), Reason.UNREACHABLE) from None
    if cutoff.passed:
        raise DeliveryError(f"no whole answer within {DEADLINE:g} s", Reason.TIMEOUT)
    shown = _without_address(one_line(answer.decode(errors="replace")), url)
    said = (retry_after(response.headers.get("Retry-After"), now=datetime.now(UTC)), _refill(response.headers))
    waits = [wait for wait in (*said, _stated_wait(answer)) if wait is not None]
    raise_for_answer(response.status_code, wait=max(waits, default=None), answer=shown)
    return Answer(f"{response.status_code} {cut(shown, _MAX_SHOWN)}".strip(), busy_for=max(waits, default=0.0))


def _exchange(
    method: str, url: str, body: bytes | None, headers: Mapping[str, str], cutoff: Deadline
) -> tuple[requests.Response, bytes]:
    with requests.Session() as session:
        session.mount("https://", DeadlineAdapter(cutoff))
        session.mount("http://", DeadlineAdapter(cutoff))
        session.auth = _authorize
        with session.request(
            method,
            url,
            data=body,
            # Unpacked answers could be any size; nobody needs to pack 64 KiB.
            headers={"User-Agent": f"alertworker/{__version__}", "Accept-Encoding": "identity", **headers},
            allow_redirects=False,
            stream=True,
            timeout=(CONNECT_TIMEOUT, DEADLINE),
        ) as response:
            return response, response.raw.read(_MAX_ANSWER, decode_content=False)


def _authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Use what stands in the address; requests would otherwise give a receiver what ~/.netrc has for it."""
    user, password = get_auth_from_url(request.url or "")
    return HTTPBasicAuth(user, password)(request) if user or password else request


def raise_for_answer(status: int, *, wait: float | None = None, answer: str = "") -> None:
    """Raise what an answer means, unless it is a success: any 2xx. ``wait`` is how long it asked us to, in seconds."""
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise DeliveryError(f"answered {status}; redirects are not followed", Reason.REDIRECTED, status=status)
    reason = _REASONS.get(status, Reason.CLIENT_ERROR if 400 <= status < 500 else Reason.SERVER_ERROR)
    word = f" {answer}" if len(answer) <= 60 and _CODE_WORD.fullmatch(answer) else ""
    raise DeliveryError(f"answered {status}{word}", reason, status=status, retry_after=wait)


def retry_after(value: str | None, *, now: datetime) -> float | None:
    """Read Retry-After, in seconds or as a date (RFC 9110, 10.2.3); nonsense counts as absent."""
    if value is None:
        return None
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return _seconds(value)
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())


def _refill(headers: Mapping[str, str]) -> float | None:
    """Read in how many seconds a receiver takes more, where this message was the last that it takes for now.

    https://discord.com/developers/docs/topics/rate-limits#header-format-rate-limit-header-examples
    """
    if headers.get("X-RateLimit-Remaining", "").strip() != "0":
        return None
    return _seconds(headers.get("X-RateLimit-Reset-After"))


def _stated_wait(answer: bytes) -> float | None:
    """Read the seconds to wait from a JSON body, more exact than the header.

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
    """Say in words why there was no answer; the library's own text would name the address."""
    causes = list(_causes(error))
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "cannot be reached: its name is not known"
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "cannot be reached: no trusted TLS connection"
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return "cannot be reached: connection refused"
    return "cannot be reached: the connection broke off"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Give an error and those within: requests and urllib3 keep them in ``args`` or as ``reason``."""
    yield error
    for inner in (*error.args, getattr(error, "reason", None)):
        if isinstance(inner, BaseException):
            yield from _causes(inner)


def _without_address(answer: str, url: str) -> str:
    """Take out of an answer whatever part of the address it repeats."""
    parts = urlsplit(url)
    pieces = re.split(r"[/&=:@?#]", f"{parts.netloc}/{parts.path}/{parts.query}/{parts.fragment}")
    for piece in sorted({*pieces, *map(unquote, pieces)}, key=len, reverse=True):
        if len(piece) >= _SHORTEST_SECRET:
            answer = answer.replace(piece, "…")
    return answer
