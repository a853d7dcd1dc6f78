"""Imports of spend history: each source is imported once, however often an import is stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import Engine, select, update

from alertworker.budgets.configured import NO_EXEMPTIONS, CapExemptions
from alertworker.errors import AlertWorkerError
from alertworker.ledger.postings import Postings
from alertworker.store.connection import columns_of
from alertworker.store.schema.ledger import IMPORTS
from alertworker.store.sql_store import SqlStore
from alertworker.store.transaction import SqlTransaction
from alertworker.store.upsert import insert_or


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of a source, added up; ``cursor`` is where the next page begins."""

    cursor: str
    rows: int
    ledger: Postings


class Left(NamedTuple):
    """The rest of a source: about how many rows, and the first of their days that would be imported, if any."""

    rows: int
    first: date | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a source was imported: up to ``cursor``, of calls from ``since`` until before ``until``."""

    source: str
    since: datetime | None
    until: datetime
    cursor: str
    rows: int


class History:
    """The ledger as imports write it: a page and its cursor in one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._store = SqlStore(engine)

    def begin(
        self, source: str, until: datetime | None, *, since: datetime | None = None, beside: str | None = None
    ) -> Progress:
        """Return how far a source was imported. A new source needs its cut-over, which never changes after a page.

        ``beside`` is another source of the same calls. The days of the two must not overlap.

        Raises:
            AlertWorkerError: a new source has no cut-over or days that are imported already; or a known source is
                given other days than before.
        """
        known = self._imported(source)
        if known is None:
            if until is None:
                raise AlertWorkerError(
                    f"{source} was never imported: pass --until, the time from which the ledger has its own events"
                )
            self._apart(source, since, until, self._imported(beside) if beside else None)
            return Progress(source, since, until, "", 0)
        for option, given, first in (("until", until, known.until), ("since", since, known.since)):
            if given is not None and given != first:
                raise AlertWorkerError(
                    f"{source} was started with {_spelt(option, first)}; another value would count twice or skip days"
                )
        return known

    def _imported(self, source: str) -> Progress | None:
        statement = select(*columns_of(Progress, IMPORTS)).where(IMPORTS.c.source == source)
        return next(iter(self._store.rows(Progress, statement)), None)

    @staticmethod
    def _apart(source: str, since: datetime | None, until: datetime, other: Progress | None) -> None:
        if other is None or (since and since >= other.until) or (other.since and other.since >= until):
            return
        raise AlertWorkerError(
            f"{other.source} has imported the same calls "
            f"({_spelt('since', other.since)} {_spelt('until', other.until)}): "
            f"pass --since or --until so that {source} imports other days"
        )

    def take(
        self, begun: Progress, pages: Iterable[Page], *, max_entities: int, exempt: CapExemptions = NO_EXEMPTIONS
    ) -> Iterable[Page]:
        """Add page after page to the ledger within its cap, and yield each page when it is committed.

        Raises:
            AlertWorkerError: another import of the same source is running.
        """
        cursor = begun.cursor
        for page in pages:
            self._store.run(_entry(begun, cursor, page, max_entities, exempt))
            cursor = page.cursor
            yield page


def _spelt(option: str, moment: datetime | None) -> str:
    return f"--{option} {moment.isoformat()}" if moment else f"no --{option}"


def _entry(
    begun: Progress, cursor: str, page: Page, max_entities: int, exempt: CapExemptions
) -> Callable[[SqlTransaction], None]:
    new = {"source": begun.source, "since": begun.since, "until": begun.until, "cursor": "", "rows": 0}

    def work(tx: SqlTransaction) -> None:
        tx.connection.execute(insert_or(tx.connection, IMPORTS).values(new).on_conflict_do_nothing())
        moved = update(IMPORTS).where(
            IMPORTS.c.source == begun.source,
            IMPORTS.c.cursor == cursor,
            IMPORTS.c.until == begun.until,
            IMPORTS.c.since.is_not_distinct_from(begun.since),
        )
        values = {"cursor": page.cursor, "rows": IMPORTS.c.rows + page.rows}
        if tx.connection.execute(moved.values(values)).rowcount != 1:
            raise AlertWorkerError(
                f"another import of {begun.source} is running; this one has stopped, and nothing was counted twice"
            )
        tx.ledger.add(page.ledger, max_entities=max_entities, exempt=exempt)

    return work
