"""``/login`` and ``/logout``: log in with the admin key, and log out."""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from alertworker.errors import AlertWorkerError
from alertworker.web.context import context_of
from alertworker.web.errors import Refusal
from alertworker.web.pages.form import Form, is_ours, read_form
from alertworker.web.pages.render import HEADERS, render
from alertworker.web.pages.session import Sessions, cookie_of, delete_cookie, set_cookie
from alertworker.web.pages.views import Visit, action

#: Holds the form's token before a login. The token is random and not signed. A value signed with a key derived from the
#: admin key is sent only after a login. With such a value, anyone can try keys offline.
_FORM_COOKIE: Final = "alertworker_login"


async def ask(request: Request) -> Response:
    """Show the login form."""
    if context_of(request).keys.admin is None:
        return render("closed.html", status=403, visit=None)
    return _form(request, Form({}))


async def log_in(request: Request) -> Response:
    """Start a session if the form has the admin key."""
    keys = context_of(request).keys
    if keys.admin is None:
        return render("closed.html", status=403, visit=None)
    try:
        form = await read_form(request)
    except Refusal as error:
        return _form(request, Form({}), error)
    refusal = _refusal(request, form)
    if refusal is not None:
        return _form(request, form, refusal)
    sessions = Sessions(context_of(request).pages.sessions, keys.admin)
    try:
        cookie = await asyncio.to_thread(sessions.start, form.single_line("name"), now=datetime.now(UTC))
    except AlertWorkerError as error:
        return _form(request, form, Refusal(503, str(error)))
    response = RedirectResponse(_inside(form.raw("next")), 303, HEADERS)
    set_cookie(response, cookie, secure=request.url.scheme == "https")
    response.delete_cookie(_FORM_COOKIE, httponly=True, samesite="strict")
    return response


def _refusal(request: Request, form: Form) -> Refusal | None:
    """Return why this form does not log in, or ``None``."""
    context = context_of(request)
    if not is_ours(request, form, request.cookies.get(_FORM_COOKIE, "")):
        return Refusal(403, "The form has expired, or cookies are disabled. Try again.")
    try:
        if not context.keys.is_admin(request, form.raw("key").strip()):
            return Refusal(403, "Wrong admin key.")
    except Refusal as throttled:
        return throttled
    if not form.single_line("name"):
        return Refusal(422, "Enter your name. It is shown with your acknowledgements and silences.")
    return None


def log_out(visit: Visit) -> Response:
    """End the session. Its cookie is not valid any more, also if somebody has copied it."""
    response = visit.go("/login")
    visit.sessions.end(cookie_of(visit.request))
    delete_cookie(response)
    return response


def _form(request: Request, form: Form, refusal: Refusal | None = None) -> Response:
    token = secrets.token_urlsafe()
    response = render(
        "login.html",
        status=refusal.status if refusal else 200,
        visit=None,
        csrf=token,
        wrong=refusal.reason if refusal else None,
        after=_inside(form.raw("next") or request.query_params.get("next", "/")),
        name=form.single_line("name"),
    )
    secure = request.url.scheme == "https"
    response.set_cookie(_FORM_COOKIE, token, 3_600, secure=secure, httponly=True, samesite="strict")
    return response


def _inside(path: str) -> str:
    """Return the path if it is on our own site, else ``/``."""
    try:
        parts = urlsplit(path)
    except ValueError:
        return "/"
    inside = path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.netloc and path.isprintable()
    return path if inside else "/"


ROUTES: Final = (
    Route("/login", ask),
    Route("/login", log_in, methods=["POST"]),
    action("/logout", log_out),
)
