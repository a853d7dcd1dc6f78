"""Silences in SQL."""

from __future__ import annotations

import logging
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, select

from alertworker.routing.matchers import Matcher, MatcherError, parse
from alertworker.routing.silences import Silence
from alertworker.store.schema.alerts import SILENCES
from alertworker.store.upsert import Statements

_log: Final = logging.getLogger("alertworker.alerts")


class SilenceStatements(Statements):
    """The active silences, as one transaction sees them."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._silences: dict[datetime, list[Silence]] = {}

    def silences(self, *, now: datetime) -> list[Silence]:
        """Return the active silences. They are read once in a transaction."""
        if now not in self._silences:
            statement = select(SILENCES).where(SILENCES.c.starts_at <= now, SILENCES.c.ends_at > now)
            self._silences[now] = [read_silence(row) for row in self.connection.execute(statement)]
        return self._silences[now]


def read_silence(row: Any) -> Silence:
    """Read a silence from its row.

    One with matchers that this version refuses matches nothing, and has a ``problem``.
    """
    matchers: tuple[Matcher, ...] = ()
    problem = None
    try:
        matchers = tuple(parse(text) for text in row.matchers)
    except MatcherError as error:
        problem = str(error)
        _warn_of_silence(row.id, problem)
    return Silence(row.id, matchers, row.starts_at, row.ends_at, row.author, row.reason, problem)


@lru_cache(maxsize=1_000)
def _warn_of_silence(silence_id: str, problem: str) -> None:
    """Log once in each process, because every transaction reads the silences again."""
    _log.warning("silence %s is not applied: %s", silence_id, problem)
