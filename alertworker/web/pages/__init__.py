"""The pages for people: made here, without a script that they need, and shown to whoever has the admin key."""

from __future__ import annotations

from typing import Final

from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from alertworker.web.pages import alert, alerts, login, overview

#: Every page there is; a new file of pages is a line here.
ROUTES: Final[tuple[BaseRoute, ...]] = (
    *overview.ROUTES,
    *alerts.ROUTES,
    *alert.ROUTES,
    *login.ROUTES,
    Mount("/static", StaticFiles(packages=[("alertworker.web", "static")])),
)
