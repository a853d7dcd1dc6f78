"""Keys and their permissions: the publish key permits publishing only, the admin key everything."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from starlette.requests import Request

from alertworker.web.errors import Refusal


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """``publish`` is ALERTWORKER_PUBLISH_KEY, ``admin`` ALERTWORKER_API_KEY or LiteLLM's master key."""

    publish: str | None
    admin: str | None

    def require_publisher(self, request: Request, *, query: str | None = None) -> None:
        """Check that the request has a key that permits publishing.

        ``query`` names a query parameter that may hold the key instead of the header.

        Raises:
            Refusal: 401, also if no key is configured: nothing is open by default.
        """
        if self.publish is None and self.admin is None:
            raise Refusal(
                401, "no key is configured; set ALERTWORKER_PUBLISH_KEY in the environment of alertworker web"
            )
        given = _bearer(request) or (request.query_params.get(query, "") if query else "")
        if not (_same(given, self.publish) | _same(given, self.admin)):
            address = f", or in the URL as `?{query}=KEY`" if query else ""
            raise Refusal(401, f"missing or wrong publish key; send it as `Authorization: Bearer KEY`{address}")

    def require_admin(self, request: Request) -> None:
        """Check that the request has the admin key.

        Raises:
            Refusal: 401, also if no admin key is configured.
        """
        if self.admin is None:
            raise Refusal(
                401, "no admin key is configured; set ALERTWORKER_API_KEY in the environment of alertworker web"
            )
        if not self.is_admin(_bearer(request)):
            raise Refusal(401, "missing or wrong admin key; send it as `Authorization: Bearer KEY`")

    def is_admin(self, given: str) -> bool:
        """Return whether this is the admin key."""
        return _same(given, self.admin)


def _bearer(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _same(given: str, key: str | None) -> bool:
    return key is not None and hmac.compare_digest(given.encode(), key.encode())
