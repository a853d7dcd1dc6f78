"""Who is logged in: a signed cookie that expires, and that only the holder of the admin key could have been given."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import Response

COOKIE: Final = "alertworker_session"
#: How long one login holds, in seconds.
MAX_AGE: Final = 12 * 3_600


@dataclass(frozen=True, slots=True)
class Session:
    """``name`` is what the person goes by, beside what is done; ``csrf`` is in every form that is shown."""

    name: str
    csrf: str


def start(response: Response, session: Session, admin_key: str, *, secure: bool) -> None:
    """Give the browser a session; with another admin key it is none any more."""
    value = _signer(admin_key).dumps([session.name, session.csrf])
    assert isinstance(value, str)  # noqa: S101 - what the URL-safe serializer gives
    response.set_cookie(COOKIE, value, MAX_AGE, secure=secure, httponly=True, samesite="strict")


def end(response: Response) -> None:
    """Take the session away."""
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")


def read(request: Request, admin_key: str) -> Session | None:
    """Give the session that a request carries, if it carries one that still holds."""
    try:
        name, csrf = _signer(admin_key).loads(request.cookies.get(COOKIE, ""), max_age=MAX_AGE)
    except BadSignature:
        return None
    return Session(name, csrf)


def _signer(admin_key: str) -> URLSafeTimedSerializer:
    """Sign with a key made of the admin key, so that every process that serves pages knows it."""
    secret = hmac.digest(admin_key.encode(), b"alertworker pages", "sha256")
    return URLSafeTimedSerializer(secret, salt="session", signer_kwargs={"digest_method": hashlib.sha256})
