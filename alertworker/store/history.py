"""History that other books bring: what was taken from each source, once, however often an import is stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

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
    """How far a source was taken: up to ``cursor``, of what happened from ``since`` until before ``until``."""

    since: datetime | None
    until: datetime
    cursor: str
    rows: int


class History(Database):
    """The ledger, as imports write it: a page and its cursor in one transaction."""

    def begin(
        self, source: str, until: datetime | None, *, since: datetime | None = None, beside: str | None = None
    ) -> Progress:
        """Give how far a source was taken; a new one needs its cut-over, which then never changes.

        ``beside`` is another source of the same calls, which must not have brought the same days.

        Raises:
            AlertWorkerError: for a new source without a cut-over or with days that are there already, and for other
                days than the first ones.
        """
        known = self._imported(source)
        if known is None:
            if until is None:
                raise AlertWorkerError(
                    f"{source} is new here: give --until, the moment from which the ledger has its own events"
                )
            self._apart(source, since, until, self._imported(beside) if beside else None)
            row = {"source": source, "since": since, "until": until, "cursor": "", "rows": 0}
            self.run(
                lambda tx: tx.connection.execute(insert_or(tx.connection, IMPORTS).values(row).on_conflict_do_nothing())
            )
            return self.begin(source, until, since=since)
        for option, given, first in (("until", until, known.until), ("since", since, known.since)):
            if given is not None and given != first:
                raise AlertWorkerError(
                    f"{source} was begun with {_spelt(option, first)}; another one would count twice, or skip"
                )
        return Progress(known.since, known.until, known.cursor, known.rows)

    def _imported(self, source: str) -> Any:
        statement = select(IMPORTS).where(IMPORTS.c.source == source)
        return self.run(lambda tx: tx.connection.execute(statement).first())

    @staticmethod
    def _apart(source: str, since: datetime | None, until: datetime, other: Any) -> None:
        if other is None or (since and since >= other.until) or (other.since and other.since >= until):
            return
        raise AlertWorkerError(
            f"{other.source} has brought the same calls {_spelt('since', other.since)} {_spelt('until', other.until)}: "
            f"give --since or --until so that {source} brings other days"
        )

    def take(self, source: str, cursor: str, pages: Iterable[Page], *, max_entities: int) -> Iterable[Page]:
        """Enter page after page, and give each when it is committed.

        Raises:
            AlertWorkerError: when another import of the same source runs.
        """
        for page in pages:
            self.run(_entry(source, cursor, page, max_entities))
            cursor = page.cursor
            yield page


def _spelt(option: str, moment: datetime | None) -> str:
    return f"--{option} {moment.isoformat()}" if moment else f"no --{option}"


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
