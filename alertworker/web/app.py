"""The web application: its routes, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from starlette.applications import Starlette
from starlette.routing import Route

from alertworker.app import build_gauges, build_line
from alertworker.settings import Settings
from alertworker.web import events, health, litellm
from alertworker.web.answers import Refusal, refused
from alertworker.web.context import Context
from alertworker.web.keys import Keys
from alertworker.web.look import Look
from alertworker.web.outbox import Outbox

#: Every route there is; a new file of routes is a line here.
ROUTES: Final[tuple[Route, ...]] = (*events.ROUTES, *health.ROUTES, *litellm.ROUTES)


def build_app(context: Context) -> Starlette:
    """Give the application that serves with this context."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        context.outbox.close()

    app = Starlette(routes=ROUTES, exception_handlers={Refusal: refused}, lifespan=lifespan)
    app.state.context = context
    return app


def build_context(settings: Settings) -> Context:
    """Put together what the routes share."""
    line, gauges = build_line(), build_gauges(settings)
    publish, admin = settings.publish_key, settings.api_key
    return Context(
        keys=Keys(
            publish=publish.get_secret_value() if publish else None, admin=admin.get_secret_value() if admin else None
        ),
        outbox=Outbox(line.send),
        look=Look(lambda now: gauges.read(now=now), line.ask),
        show_messages=settings.show_messages,
    )
