"""HTML pages. They work without JavaScript and need the admin key."""

from __future__ import annotations

from typing import Final

from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from alertworker.web.pages import alert, alerts, budgets, deadletters, login, overview, proxies, silences, spend

#: All pages. Add one line for each new file of pages.
ROUTES: Final[tuple[BaseRoute, ...]] = (
    *overview.ROUTES,
    *alerts.ROUTES,
    *alert.ROUTES,
    *silences.ROUTES,
    *deadletters.ROUTES,
    *spend.ROUTES,
    *budgets.ROUTES,
    *proxies.ROUTES,
    *login.ROUTES,
    Mount("/static", StaticFiles(packages=[("alertworker.web", "static")])),
)
