"""The code that all pages share: login, the token in forms, and error pages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from alertworker.errors import AlertWorkerError
from alertworker.text.sanitize import one_line
from alertworker.web.context import Context, context_of
from alertworker.web.errors import Refusal
from alertworker.web.page_context import PageContext
from alertworker.web.pages.form import Form, is_ours, read_form
from alertworker.web.pages.render import HEADERS, render
from alertworker.web.pages.session import COOKIE, Session, Sessions, cookie_of

#: The confirmation that a page shows after each action, on ``{n}`` of ``{of}`` items.
DONE: Final = {
    "acknowledged": "Acknowledged. Reminders stop, and you are still notified when it resolves.",
    "closed": "The alert is already closed. Nothing was acknowledged.",
    "silenced": "The silence was added. Matching alerts are still recorded and counted.",
    "expired": "The silence has ended.",
    "ended": "The silence had already ended.",
    "replayed": "{n} of {of} replayed.",
    "discarded": "{n} of {of} discarded.",
}


class PageError(Exception):
    """A page does not exist or an action failed. ``text`` gives the reason and the remedy."""

    def __init__(self, status: int, title: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.title = title
        self.text = text


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a logged-in user. ``form`` holds the posted fields, and ``broken`` the channels
    that accept no messages.
    """

    request: Request
    context: PageContext
    session: Session
    sessions: Sessions
    now: datetime
    form: Form = field(default_factory=lambda: Form({}))
    broken: Sequence[str] = ()

    @property
    def id(self) -> str:
        """Return the id in the URL."""
        return one_line(self.request.path_params["id"])

    def parameter(self, name: str) -> str:
        """Return a query parameter as one line, or "" if it is missing."""
        return one_line(self.request.query_params.get(name, ""))

    def show(self, template: str, *, status: int = 200, **values: object) -> Response:
        """Return a page."""
        shared = {
            "visit": self,
            "zone": self.context.zone,
            "now": self.now,
            "done": _done(self),
            "broken": self.broken,
        }
        return render(template, status=status, **shared, **values)

    def go(self, path: str, **query: object) -> Response:
        """Redirect the browser after an action, so that a reload does not repeat the action."""
        return RedirectResponse(f"{path}?{urlencode(query)}" if query else path, 303, HEADERS)


View = Callable[[Visit], Response]


def page(path: str, view: View) -> Route:
    """Return the route of a page."""

    async def shown(request: Request) -> Response:
        return await _answered(request, view)

    return Route(path, shown, name=view.__name__)


def action(path: str, view: View) -> Route:
    """Return the route of an action that a form posts to."""

    async def done(request: Request) -> Response:
        return await _answered(request, view)

    return Route(path, done, methods=["POST"], name=view.__name__)


async def _answered(request: Request, view: View) -> Response:
    context = context_of(request)
    key = context.keys.admin
    if key is None:
        return render("closed.html", status=403, visit=None)
    sessions, now = Sessions(context.pages.sessions, key), datetime.now(UTC)
    try:
        session = await asyncio.to_thread(sessions.find, cookie_of(request), now=now)
    except AlertWorkerError as error:
        return render("error.html", status=503, visit=None, title="Unavailable", text=str(error))
    if session is None:
        return _to_login(request)
    visit = Visit(request, context.pages, session, sessions, now, broken=await _broken(context, now))
    return await _visited(visit, view)


async def _broken(context: Context, now: datetime) -> list[str]:
    """Return the broken channels, which every page shows; none while the database is unavailable."""
    try:
        return sorted(context.broken(await context.health.snapshot(now)))
    except AlertWorkerError:
        return []


async def _visited(visit: Visit, view: View) -> Response:
    """Return what a logged-in user gets: the page, or why there is none."""
    try:
        if visit.request.method == "POST":
            visit = replace(visit, form=await _own_form(visit.request, visit.session))
        return await asyncio.to_thread(view, visit)
    except PageError as trouble:
        return visit.show("error.html", status=trouble.status, title=trouble.title, text=trouble.text)
    except Refusal as refusal:
        return visit.show("error.html", status=refusal.status, title="Not done", text=refusal.reason)
    except AlertWorkerError as error:
        return visit.show("error.html", status=503, title="Unavailable", text=str(error))


async def _own_form(request: Request, session: Session) -> Form:
    form = await read_form(request)
    if not is_ours(request, form, session.csrf):
        raise PageError(403, "Not done", "The form is not from your session. Reload the page and try again.")
    return form


def _to_login(request: Request) -> Response:
    """Redirect to the login page.

    A browser that follows a link from another site does not send the strict cookie. It sends the cookie when a page of
    ours reloads itself, so such a request gets that page first.
    """
    if request.headers.get("sec-fetch-site") == "cross-site" and COOKIE not in request.cookies:
        return render("bounce.html", visit=None)
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(
        f"/login?next={quote(asked, safe='')}" if request.method == "GET" else "/login", 303, HEADERS
    )


def _done(visit: Visit) -> str | None:
    confirmation = DONE.get(visit.parameter("done"))
    numbers = {name: "".join(filter(str.isdigit, visit.parameter(name)))[:6] for name in ("n", "of")}
    return confirmation.format(**numbers) if confirmation else None
