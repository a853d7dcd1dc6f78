"""A browser for the tests of pages: it keeps cookies, logs in, submits forms unchanged, and parses HTML strictly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from xml.etree.ElementTree import Element
from zoneinfo import ZoneInfo

import html5lib
from starlette.testclient import TestClient

from alertworker.alerts.advice import Annotations
from alertworker.alerts.catalogue import AlertType
from alertworker.delivery.channel_labels import ChannelLabels
from alertworker.events.batch import SealedBatch
from alertworker.health import Doctor
from alertworker.pipeline import ChannelTest, Runtime
from alertworker.ports import Broker
from alertworker.routing.router import Route, Router
from alertworker.settings import Settings
from alertworker.store import AdminStore, HealthStore, SessionStore, SqlLedgerReader, SqlStore
from alertworker.web.app import build_app
from alertworker.web.broker_queue import BrokerQueue
from alertworker.web.cached import CachedHealth
from alertworker.web.context import Context
from alertworker.web.keys import Keys
from alertworker.web.page_context import PageContext

ADMIN = "admin-key"
ZONE = ZoneInfo("Europe/Berlin")
ROUTER = Router(
    root=Route(receiver="all", annotations=Annotations(runbook_url="https://wiki.example/llm")),
    receivers={"all": ("outbox",)},
    types=frozenset(AlertType),
    group_interval=300,
    repeat_interval=3_600,
)


def no_trials(_service: str, _now: datetime) -> Sequence[ChannelTest]:
    """Send no test message."""
    return ()


def nothing(_batch: SealedBatch) -> None:
    """Drop the batch."""


def context(
    store: SqlStore, broker: Broker, *, admin: str | None = ADMIN, ask: Callable[[], int] = lambda: 0
) -> Context:
    """Put together what the application needs on this store."""
    admin_store, health = AdminStore(store.engine), HealthStore(store.engine)
    settings = Settings(time_zone=ZONE.key)
    doctor = Doctor(settings, ask, health, store, admin_store)
    return Context(
        keys=Keys(publish="publish-key", admin=admin),
        broker_queue=BrokerQueue(nothing),
        health=CachedHealth(lambda now: health.read(now=now), ask, health.find_write_problem),
        try_service=no_trials,
        pages=PageContext(
            admin=admin_store,
            sessions=SessionStore(store.engine),
            ledger=SqlLedgerReader(store.engine),
            broker=broker,
            examine=lambda now: doctor.examine(now=now),
            channels={"outbox": "webhook"},
            labels=ChannelLabels(),
            zone=ZONE,
            router=ROUTER,
        ),
    )


@dataclass
class Page:
    """One response, as a tree."""

    status: int
    url: str
    headers: dict[str, str]
    html: str
    tree: Element = field(init=False)

    def __post_init__(self) -> None:
        """Parse the response. Markup that a validator rejects is an error."""
        parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
        self.tree = parser.parse(self.html)

    @property
    def text(self) -> str:
        """Return all visible text, with single spaces."""
        return " ".join("".join(self.tree.itertext()).split())

    def all(self, tag: str) -> list[Element]:
        """Return all elements with this tag."""
        return list(self.tree.iter(tag))

    def links(self, beginning: str) -> list[str]:
        """Return the targets of the links that begin with this string."""
        found = [str(link.get("href", "")) for link in self.all("a")]
        return [href for href in found if href.startswith(beginning)]

    def form(self, action: str) -> dict[str, list[str]]:
        """Return the fields of a POST form, as a browser would send them."""
        posted = [form for form in self.all("form") if form.get("method") == "post"]
        form = next(form for form in posted if form.get("action") == action)
        fields: dict[str, list[str]] = {}
        for item in form.iter():
            name = item.get("name")
            if name is None or (item.get("type") in ("checkbox", "radio") and item.get("checked") is None):
                continue
            if item.tag == "select":
                options = list(item.iter("option"))
                chosen = [option for option in options if option.get("selected") is not None] or options[:1]
                fields.setdefault(name, []).extend(str(one.get("value", one.text or "")) for one in chosen)
            elif item.tag in ("input", "textarea"):
                fields.setdefault(name, []).append(str(item.get("value") or item.text or ""))
        return fields


class Browser:
    """A person's browser."""

    def __init__(self, context: Context, *, base: str = "http://testserver") -> None:
        self.client = TestClient(build_app(context), base_url=base)

    def get(self, path: str, **headers: str) -> Page:
        """Open a page, following redirects."""
        answer = self.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        return self._page(answer)

    def send(self, page: Page, action: str, **fields: Any) -> Page:
        """Submit a form of a page, with other values in the given fields."""
        content = page.form(action) | fields
        return self._page(self.client.post(action, data=content))

    def log_in(self, key: str = ADMIN, name: str = "Ada") -> Page:
        return self.send(self.get("/login"), "/login", key=key, name=name)

    @staticmethod
    def _page(answer: Any) -> Page:
        return Page(answer.status_code, str(answer.url), dict(answer.headers), answer.text)


def signed_in(store: SqlStore, runtime: Runtime) -> Browser:
    """Return a browser with a valid login."""
    browser = Browser(context(store, runtime.broker))
    assert browser.log_in().status == 200
    return browser
