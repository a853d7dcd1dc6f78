"""Keys and their permissions: the publish key permits publishing only, the admin key everything."""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil

from starlette.requests import Request

from alertworker.text.sanitize import one_line
from alertworker.text.shorten import ELLIPSIS, shorten
from alertworker.web.addresses import address_of
from alertworker.web.errors import Refusal
from alertworker.web.throttle import Throttle

_log = logging.getLogger(__name__)


def _uncounted(_reason: str) -> None:
    """Count nothing."""


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """``publish`` is ALERTWORKER_PUBLISH_KEY, ``admin`` ALERTWORKER_API_KEY or LiteLLM's master key.

    Every check of a key goes through one throttle. ``count`` counts each refused key, with the reason.
    """

    publish: str | None
    admin: str | None
    count: Callable[[str], None] = _uncounted
    throttle: Throttle = field(default_factory=Throttle)

    def require_publisher(self, request: Request, *, query: str | None = None) -> None:
        """Check that the request has a key that permits publishing.

        ``query`` names a query parameter that may hold the key instead of the header.

        Raises:
            Refusal: 401, also if no key is configured: nothing is open by default. 429 after too many wrong keys.
        """
        if self.publish is None and self.admin is None:
            raise Refusal(
                401, "no key is configured; set ALERTWORKER_PUBLISH_KEY in the environment of alertworker web"
            )
        given = _bearer(request) or (request.query_params.get(query, "") if query else "")
        if not self._accepts(request, given, self.publish, self.admin):
            address = f", or in the URL as `?{query}=KEY`" if query else ""
            raise Refusal(401, f"missing or wrong publish key; send it as `Authorization: Bearer KEY`{address}")

    def require_admin(self, request: Request) -> None:
        """Check that the request has the admin key.

        Raises:
            Refusal: 401, also if no admin key is configured. 429 after too many wrong keys.
        """
        if self.admin is None:
            raise Refusal(
                401, "no admin key is configured; set ALERTWORKER_API_KEY in the environment of alertworker web"
            )
        if not self.is_admin(request, _bearer(request)):
            raise Refusal(401, "missing or wrong admin key; send it as `Authorization: Bearer KEY`")

    def is_admin(self, request: Request, given: str) -> bool:
        """Return whether the client gave the admin key.

        Raises:
            Refusal: 429 after too many wrong keys.
        """
        return self._accepts(request, given, self.admin)

    def _accepts(self, request: Request, given: str, *keys: str | None) -> bool:
        """Return whether ``given`` is one of the keys. A client without any key makes no guess."""
        if not given:
            return False
        address, now = address_of(request), time.monotonic()
        if wait := ceil(self.throttle.wait(address, given, now=now)):
            self.count("throttled")
            raise Refusal(429, f"Too many attempts with a wrong key. Try again in {wait} s.", retry_after=wait)
        if sum(_same(given, key) for key in keys):  # not any(): the time must not depend on which key it is
            self.throttle.succeeded(address, given, now=now)
            return True
        self.count("wrong")
        if self.throttle.failed(address, given, now=now):
            _log.warning("wrong key from %s", shorten(one_line(address), 64, ELLIPSIS))
        return False


def _bearer(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _same(given: str, key: str | None) -> bool:
    return key is not None and hmac.compare_digest(given.encode(), key.encode())
