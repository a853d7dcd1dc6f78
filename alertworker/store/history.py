"""History that other books bring: what was taken from each source, once, however often an import is stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from alertworker.errors import AlertWorkerError
from alertworker.ledger import Ledger
from alertworker.store.database import Database
from alertworker.store.ledger_tables import IMPORTS
from alertworker.store.statements import insert_or
from alertworker.store.transaction import SqlTransaction


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of a source, added up; ``cursor`` is where the next one begins."""

    cursor: str
    rows: int
    ledger: Ledger


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a source was taken: up to ``cursor``, of what happened before ``until``, the cut-over."""

    until: datetime
    cursor: str
    rows: int


class History(Database):
    """The ledger, as imports write it: a page and its cursor in one transaction."""

    def begin(self, source: str, until: datetime | None) -> Progress:
        """Give how far a source was taken; a new one needs its cut-over, which then never changes.

        Raises:
            AlertWorkerError: for a new source without a cut-over, and for another cut-over than the first one.
        """
        known = self.run(lambda tx: tx.connection.execute(select(IMPORTS).where(IMPORTS.c.source == source)).first())
        if known is None:
            if until is None:
                raise AlertWorkerError(
                    f"{source} is new here: give --until, the moment from which the ledger has its own events"
                )
            row = {"source": source, "until": until, "cursor": "", "rows": 0}
            self.run(
                lambda tx: tx.connection.execute(insert_or(tx.connection, IMPORTS).values(row).on_conflict_do_nothing())
            )
            return self.begin(source, until)
        if until is not None and until != known.until:
            raise AlertWorkerError(
                f"{source} was begun with --until {known.until.isoformat()}; another one would count twice, or skip"
            )
        return Progress(known.until, known.cursor, known.rows)

    def take(self, source: str, cursor: str, pages: Iterable[Page], *, max_entities: int) -> Iterable[Page]:
        """Enter page after page, and give each when it is committed.

        Raises:
            AlertWorkerError: when another import of the same source runs.
        """
        for page in pages:
            self.run(_entry(source, cursor, page, max_entities))
            cursor = page.cursor
            yield page


def _entry(source: str, cursor: str, page: Page, max_entities: int) -> Callable[[SqlTransaction], None]:
    def work(tx: SqlTransaction) -> None:
        moved = update(IMPORTS).where(IMPORTS.c.source == source, IMPORTS.c.cursor == cursor)
        values = {"cursor": page.cursor, "rows": IMPORTS.c.rows + page.rows}
        if tx.connection.execute(moved.values(values)).rowcount != 1:
            raise AlertWorkerError(
                f"another import of {source} is running; this one has stopped, nothing was counted twice"
            )
        tx.add_ledger(page.ledger, max_entities=max_entities)

    return work
