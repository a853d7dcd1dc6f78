"""Silences in SQL."""

from __future__ import annotations

import logging
from datetime import datetime
from functools import lru_cache
from typing import Final

from sqlalchemy import Connection, RowMapping, select
from typing_extensions import override

from alertworker.ports.silences import SilencePort
from alertworker.routing.matchers import Matcher, MatcherError, parse
from alertworker.routing.silences import Silence
from alertworker.store.schema.alerts import SILENCES
from alertworker.store.upsert import Statements

_log: Final = logging.getLogger(__name__)
#: The number of silences whose matchers a process keeps. Each batch reads all silences in its transaction.
_KEPT: Final = 32_768


class SilenceStatements(Statements, SilencePort):
    """The silences in force, as one transaction sees them."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._silences: dict[datetime, list[Silence]] = {}

    @override
    def current(self, *, now: datetime) -> list[Silence]:
        if now not in self._silences:  # read once in a transaction
            statement = select(SILENCES).where(SILENCES.c.starts_at <= now, SILENCES.c.ends_at > now)
            self._silences[now] = [read_silence(row) for row in self.connection.execute(statement).mappings()]
        return self._silences[now]

    @override
    def ended(self, since: datetime, *, now: datetime) -> list[Silence]:
        statement = select(SILENCES).where(SILENCES.c.ends_at > since, SILENCES.c.ends_at <= now)
        return [read_silence(row) for row in self.connection.execute(statement).mappings()]


def read_silence(row: RowMapping) -> Silence:
    """Return a row's silence; if this version rejects its matchers, it matches nothing and has the ``problem``."""
    matchers, problem = _read_matchers(tuple(row["matchers"]))
    if problem is not None:
        _warn_of_silence(row["id"], problem)
    return Silence(row["id"], matchers, row["starts_at"], row["ends_at"], row["author"], row["reason"], problem)


@lru_cache(maxsize=_KEPT)
def _read_matchers(texts: tuple[str, ...]) -> tuple[tuple[Matcher, ...], str | None]:
    """Return the matchers of a silence, or none and the reason why this version rejects them."""
    try:
        return tuple(parse(text) for text in texts), None
    except MatcherError as error:
        return (), str(error)


@lru_cache(maxsize=1_000)
def _warn_of_silence(silence_id: str, problem: str) -> None:
    """Log once in each process, because every transaction reads the silences again."""
    _log.warning("silence %s is not applied: %s", silence_id, problem)
