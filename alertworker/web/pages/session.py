"""Sessions: a random cookie, issued only after a login with the admin key. A logout ends the session everywhere."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from alertworker.ports.sessions import SessionPort

COOKIE: Final = "alertworker_session"
#: How long a session is valid, in seconds.
MAX_AGE: Final = 12 * 3_600
#: The length of a cookie: 32 random bytes as URL-safe base64.
_LENGTH: Final = 43


@dataclass(frozen=True, slots=True)
class Session:
    """``name`` is shown with the user's actions. ``csrf`` is the token in every form."""

    name: str
    csrf: str


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions under one admin key. A change of the key ends all of them.

    A guessed key is of no use without a cookie that the store knows, so cookies need no limit on attempts.
    """

    store: SessionPort
    admin_key: str

    def start(self, name: str, *, now: datetime) -> str:
        """Start a session, and return its cookie."""
        cookie = secrets.token_urlsafe(32)
        ends_at = now + timedelta(seconds=MAX_AGE)
        self.store.add(self._digest(cookie), name, secrets.token_urlsafe(), ends_at=ends_at, now=now)
        return cookie

    def find(self, cookie: str, *, now: datetime) -> Session | None:
        """Return the session of a cookie, or ``None`` if it has ended or never existed."""
        if len(cookie) != _LENGTH:
            return None
        found = self.store.find(self._digest(cookie), now=now)
        return None if found is None else Session(*found)

    def end(self, cookie: str) -> None:
        """End the session of a cookie."""
        self.store.end(self._digest(cookie))

    def _digest(self, cookie: str) -> str:
        return hmac.digest(self.admin_key.encode(), cookie.encode(), "sha256").hex()


def set_cookie(response: Response, cookie: str, *, secure: bool) -> None:
    """Set the session cookie."""
    response.set_cookie(COOKIE, cookie, MAX_AGE, secure=secure, httponly=True, samesite="strict")


def delete_cookie(response: Response) -> None:
    """Delete the session cookie."""
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")


def cookie_of(request: Request) -> str:
    """Return the session cookie of a request, or ""."""
    return request.cookies.get(COOKIE, "")
