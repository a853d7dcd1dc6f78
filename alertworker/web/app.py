"""The web application: its routes, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route

from alertworker import pipeline
from alertworker.app import build_broker, build_doctor, build_health_store, build_ledger_reader, get_runtime
from alertworker.pipeline import ChannelTest
from alertworker.ports import Broker
from alertworker.ports.batches import CounterName
from alertworker.settings import Settings
from alertworker.store import SessionStore
from alertworker.web import events, health, litellm_relay, openapi, pages, services
from alertworker.web.broker_queue import BrokerQueue
from alertworker.web.cached import CachedHealth, TtlCache
from alertworker.web.cardinality import CardinalityBound
from alertworker.web.context import Context
from alertworker.web.counts import Counts
from alertworker.web.errors import Refusal, refused
from alertworker.web.event_rate import EventRate
from alertworker.web.hosts import HostGuard, answered_names
from alertworker.web.keys import Keys
from alertworker.web.page_context import PageContext

#: Every route for programs. Add one line for each new file of routes.
ROUTES: Final[tuple[Route, ...]] = (
    *events.ROUTES,
    *health.ROUTES,
    *services.ROUTES,
    *openapi.ROUTES,
    *litellm_relay.ROUTES,
)
#: How long a health report is reused, in seconds, so that each page does not query the broker.
_EXAMINED: Final = 5.0


def build_app(context: Context) -> Starlette:
    """Return the application that serves this context."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        for counts in (context.refused_keys, context.other_names):
            if counts is not None:
                await counts.close()
        context.decoders.close()
        context.broker_queue.close()

    routes: list[BaseRoute] = [*ROUTES, *pages.ROUTES]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(HostGuard, context.hosts)],
        exception_handlers={Refusal: refused},
        lifespan=lifespan,
    )
    app.state.context = context
    return app


def _try_service(service: str, now: datetime) -> Sequence[ChannelTest]:
    runtime = get_runtime()
    types = sorted(runtime.router.types)
    return pipeline.try_channels(pipeline.routed_channels(service, types, runtime), runtime, now=now)


def build_context(settings: Settings) -> Context:
    """Return the context that the routes share."""
    broker, health_store = build_broker(), build_health_store(settings)
    publish, admin = settings.publish_key, settings.api_key
    pages_context = build_page_context(settings, broker)
    refused_keys = Counts(lambda counted: pages_context.admin.count(CounterName.REFUSED_KEYS, counted))
    return Context(
        keys=Keys(
            publish=publish.get_secret_value() if publish else None,
            admin=admin.get_secret_value() if admin else None,
            count=refused_keys.add,
        ),
        broker_queue=BrokerQueue(broker.send),
        try_service=_try_service,
        health=CachedHealth(lambda now: health_store.read(now=now), broker.ask, health_store.find_write_problem),
        pages=pages_context,
        refused_keys=refused_keys,
        hosts=answered_names(settings.http_hosts, listens_on=settings.http_host, public_url=settings.public_url),
        show_messages=settings.show_messages,
        event_rate=EventRate(settings.http_events_per_second),
        names=CardinalityBound(settings.http_names_per_hour),
        other_names=Counts(lambda counted: pages_context.admin.count(CounterName.OTHER_NAMES, counted)),
    )


def build_page_context(settings: Settings, broker: Broker) -> PageContext:
    """Return the context that the pages share."""
    doctor = build_doctor(settings)
    return PageContext(
        admin=doctor.admin,
        sessions=SessionStore(doctor.admin.engine),
        ledger=build_ledger_reader(),
        broker=broker,
        examine=TtlCache(lambda now: doctor.examine(now=now), seconds=_EXAMINED).read,
        channels={config.name: config.kind for config in settings.channels},
        labels=settings.channel_labels,
        zone=settings.zone,
        router=settings.router(),
    )
