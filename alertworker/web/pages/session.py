"""Sessions: a signed cookie that expires, issued only after a login with the admin key."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import Response

COOKIE: Final = "alertworker_session"
#: How long a session is valid, in seconds.
MAX_AGE: Final = 12 * 3_600


@dataclass(frozen=True, slots=True)
class Session:
    """``name`` is shown with the user's actions. ``csrf`` is the token in every form."""

    name: str
    csrf: str


def start(response: Response, session: Session, admin_key: str, *, secure: bool) -> None:
    """Set the session cookie. A change of the admin key ends all sessions."""
    value = _signer(admin_key).dumps([session.name, session.csrf])
    assert isinstance(value, str)  # noqa: S101 - the URL-safe serializer returns a string
    response.set_cookie(COOKIE, value, MAX_AGE, secure=secure, httponly=True, samesite="strict")


def end(response: Response) -> None:
    """Delete the session cookie."""
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")


def read(request: Request, admin_key: str) -> Session | None:
    """Return the request's session, or ``None`` if it has no valid one."""
    try:
        name, csrf = _signer(admin_key).loads(request.cookies.get(COOKIE, ""), max_age=MAX_AGE)
    except BadSignature:
        return None
    return Session(name, csrf)


def _signer(admin_key: str) -> URLSafeTimedSerializer:
    """Return a signer with a key derived from the admin key, so every process that serves pages has the same one."""
    secret = hmac.digest(admin_key.encode(), b"alertworker pages", "sha256")
    return URLSafeTimedSerializer(secret, salt="session", signer_kwargs={"digest_method": hashlib.sha256})
