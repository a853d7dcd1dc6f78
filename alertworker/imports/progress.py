"""Imports of spend from other ledgers: each row of a source counts once, however often an import is stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import select, update

from alertworker.budgets.configured import NO_EXEMPTIONS, CapExemptions
from alertworker.errors import AlertWorkerError
from alertworker.ledger.postings import Postings
from alertworker.store.connection import columns_of
from alertworker.store.database import Database
from alertworker.store.schema.ledger import IMPORTS
from alertworker.store.transaction import SqlTransaction
from alertworker.store.upsert import insert_or


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a source, added up; ``cursor`` is where the next one begins."""

    cursor: str
    rows: int
    ledger: Postings


class Left(NamedTuple):
    """The rest of a source: the approximate count of rows, and the first day that would be imported, if any."""

    rows: int
    first: date | None


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a source: imported up to ``cursor``, of the time from ``since`` until before ``until``."""

    source: str
    since: datetime | None
    until: datetime
    cursor: str
    rows: int


class History(Database):
    """The ledger, as imports write it: each page and its cursor in one transaction."""

    def begin(
        self, source: str, until: datetime | None, *, since: datetime | None = None, beside: str | None = None
    ) -> Progress:
        """Return the progress of a source; a new one needs its cut-over, which never changes after its first page.

        ``beside`` is another source of the same calls, which must not have brought the same days.

        Raises:
            AlertWorkerError: A new source has no cut-over or brings days that exist already, or the days differ from
                those of the first import.
        """
        known = self._imported(source)
        if known is None:
            if until is None:
                raise AlertWorkerError(
                    f"{source} is new here: give --until, the moment from which the ledger has its own events"
                )
            self._apart(source, since, until, self._imported(beside) if beside else None)
            return Progress(source, since, until, "", 0)
        for option, given, first in (("until", until, known.until), ("since", since, known.since)):
            if given is not None and given != first:
                raise AlertWorkerError(
                    f"{source} was begun with {_spelt(option, first)}; another one would count twice, or skip"
                )
        return known

    def _imported(self, source: str) -> Progress | None:
        statement = select(*columns_of(Progress, IMPORTS)).where(IMPORTS.c.source == source)
        return next(iter(self.rows(Progress, statement)), None)

    @staticmethod
    def _apart(source: str, since: datetime | None, until: datetime, other: Progress | None) -> None:
        if other is None or (since and since >= other.until) or (other.since and other.since >= until):
            return
        raise AlertWorkerError(
            f"{other.source} has brought the same calls {_spelt('since', other.since)} {_spelt('until', other.until)}: "
            f"give --since or --until so that {source} brings other days"
        )

    def take(
        self, begun: Progress, pages: Iterable[Page], *, max_entities: int, exempt: CapExemptions = NO_EXEMPTIONS
    ) -> Iterable[Page]:
        """Import page after page within the ledger's cap, and yield each page when it is committed.

        Raises:
            AlertWorkerError: Another import of the same source runs.
        """
        cursor = begun.cursor
        for page in pages:
            self.run(_entry(begun, cursor, page, max_entities, exempt))
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
                f"another import of {begun.source} is running; this one has stopped, nothing was counted twice"
            )
        tx.add_ledger(page.ledger, max_entities=max_entities, exempt=exempt)

    return work
