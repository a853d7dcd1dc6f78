"""The parts that every page shares: the session check, the token of its forms, and the error pages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from alertworker.errors import AlertWorkerError
from alertworker.text.sanitize import one_line
from alertworker.web.context import context_of
from alertworker.web.errors import Refusal
from alertworker.web.page_context import PageContext
from alertworker.web.pages import session as sessions
from alertworker.web.pages.form import Form, is_ours, read_form
from alertworker.web.pages.render import HEADERS, render
from alertworker.web.pages.session import COOKIE, Session

#: The message of a page after an action on ``{n}`` of ``{of}`` things.
DONE: Final = {
    "acknowledged": "Acknowledged: there will be no more reminders.",
    "closed": "It is closed already: there was nothing to acknowledge.",
    "silenced": "Silenced. What fires is recorded and counted all the same.",
    "expired": "The silence has ended.",
    "ended": "That silence had ended already.",
    "replayed": "{n} of {of} given back to the line.",
    "discarded": "{n} of {of} discarded.",
}


class Trouble(Exception):
    """The page does not exist or cannot be shown; ``text`` says why and what to do."""

    def __init__(self, status: int, title: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.title = title
        self.text = text


@dataclass(frozen=True, slots=True)
class Visit:
    """One request with a valid session. ``form`` has the posted fields."""

    request: Request
    context: PageContext
    session: Session
    now: datetime
    form: Form = field(default_factory=lambda: Form({}))

    @property
    def id(self) -> str:
        """Return the id in the path."""
        return one_line(self.request.path_params["id"])

    def asked(self, name: str) -> str:
        """Return a parameter of the query as one line, "" if it is missing."""
        return one_line(self.request.query_params.get(name, ""))

    def show(self, template: str, *, status: int = 200, **values: object) -> Response:
        """Return a page."""
        shared = {"visit": self, "zone": self.context.zone, "now": self.now, "done": _done(self)}
        return render(template, status=status, **shared, **values)

    def go(self, path: str, **query: object) -> Response:
        """Redirect after an action, so that a reload does not repeat it."""
        return RedirectResponse(f"{path}?{urlencode(query)}" if query else path, 303, HEADERS)


View = Callable[[Visit], Response]


def page(path: str, view: View) -> Route:
    """Return the route of a page."""

    async def shown(request: Request) -> Response:
        return await _answered(request, view)

    return Route(path, shown, name=view.__name__)


def action(path: str, view: View) -> Route:
    """Return the route of a form."""

    async def done(request: Request) -> Response:
        return await _answered(request, view)

    return Route(path, done, methods=["POST"], name=view.__name__)


async def _answered(request: Request, view: View) -> Response:
    context = context_of(request)
    key = context.keys.admin
    if key is None:
        return render("closed.html", status=403, visit=None)
    session = sessions.read(request, key)
    if session is None:
        return _to_login(request)
    visit = Visit(request, context.pages, session, datetime.now(UTC))
    try:
        if request.method == "POST":
            visit = replace(visit, form=await _own_form(request, session))
        return await asyncio.to_thread(view, visit)
    except Trouble as trouble:
        return visit.show("error.html", status=trouble.status, title=trouble.title, text=trouble.text)
    except Refusal as refusal:
        return visit.show("error.html", status=refusal.status, title="Not done", text=refusal.reason)
    except AlertWorkerError as error:
        return visit.show("error.html", status=503, title="Not now", text=str(error))


async def _own_form(request: Request, session: Session) -> Form:
    form = await read_form(request)
    if not is_ours(request, form, session.csrf):
        raise Trouble(403, "Not done", "The form is not from a page of yours. Load the page anew and try again.")
    return form


def _to_login(request: Request) -> Response:
    """Send to the login page.

    A browser that follows a link from a chat does not send the strict cookie; it does when this page sends it on.
    """
    if request.headers.get("sec-fetch-site") == "cross-site" and COOKIE not in request.cookies:
        return render("bounce.html", visit=None)
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(
        f"/login?next={quote(asked, safe='')}" if request.method == "GET" else "/login", 303, HEADERS
    )


def _done(visit: Visit) -> str | None:
    said = DONE.get(visit.asked("done"))
    numbers = {name: "".join(filter(str.isdigit, visit.asked(name)))[:6] for name in ("n", "of")}
    return said.format(**numbers) if said else None
