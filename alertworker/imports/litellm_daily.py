"""LiteLLM's own daily sums, for days whose spend log is gone: by team, key, user, tag, customer and organization.

Tables and columns are those of ``schema.prisma`` in the package (1.106.2): a row is a UTC day of one entity, key, model
and provider, cut by the start of its calls. The users' table is of all calls, the teams' of those that had a team, so
that what the former has beyond the latter had none. The other tables do not say the team: it is that of the key, where
the key had only one on that day. Which calls had no tag, deployments, latencies and hits of caches are in none of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final

from sqlalchemy import Connection, Engine, text

from alertworker.events import Attribution
from alertworker.imports.progress import Left, Page
from alertworker.integrations.litellm.leaving import identity
from alertworker.ledger.postings import Postings
from alertworker.ledger.rows import AliasKey, AliasSpan, SpendKey, SpendSums
from alertworker.money import nanos_from_dollars

#: How many sums are one page, and so one transaction.
PAGE: Final = 2_000
_MODEL: Final = "COALESCE(NULLIF(model_group, ''), model, '')"
_SUMS: Final = "api_requests, failed_requests, prompt_tokens, completion_tokens, spend::numeric"
_OF_TEAMS: Final = """FROM "LiteLLM_DailyTeamSpend" WHERE date = :day AND team_id <> ''"""
#: Every call once: with its team, and of all calls what is left when those with a team are taken away.
_CALLS: Final = f"""
    SELECT team_id, api_key, {_MODEL}, COALESCE(custom_llm_provider, ''), {_SUMS}, 1 {_OF_TEAMS}
    UNION ALL SELECT '', api_key, {_MODEL}, COALESCE(custom_llm_provider, ''), {_SUMS}, 1
    FROM "LiteLLM_DailyUserSpend" WHERE date = :day
    UNION ALL SELECT '', api_key, {_MODEL}, COALESCE(custom_llm_provider, ''),
    -api_requests, -failed_requests, -prompt_tokens, -completion_tokens, -spend::numeric, 0 {_OF_TEAMS}"""  # noqa: S608 - constants of this module


@dataclass(frozen=True, slots=True)
class _Step:
    """What is taken of a day, one after the other: rows of a team, an entity and two names, with their sums.

    ``dimension`` is the entity's, "" for every call once.
    """

    dimension: str
    table: str
    column: str
    rows: str


def _step(dimension: str, table: str, column: str, more: str = "'', ''") -> _Step:
    """Give a step whose table does not say the team: that of its key is taken."""
    rows = f"""SELECT COALESCE(t.team, ''), {column}, {more}, {_SUMS}, 1 FROM "{table}" s LEFT JOIN
    (SELECT api_key AS of, MIN(team_id) AS team {_OF_TEAMS} GROUP BY 1 HAVING COUNT(DISTINCT team_id) = 1) t
    ON t.of = s.api_key WHERE date = :day AND {column} <> ''"""  # noqa: S608 - constants of this module
    return _Step(dimension, table, column, rows)


_STEPS: Final = (
    _Step("", "LiteLLM_DailyTeamSpend", "team_id", _CALLS),
    _step("user", "LiteLLM_DailyUserSpend", "user_id", f"{_MODEL}, api_key"),
    _step("tag", "LiteLLM_DailyTagSpend", "tag"),
    _step("customer", "LiteLLM_DailyEndUserSpend", "end_user_id"),
    _step("organization", "LiteLLM_DailyOrganizationSpend", "organization_id"),
)
#: Where the present names are.
_NAMES: Final = (
    ("team", "LiteLLM_TeamTable", "team_id", "team_alias"),
    ("key", "LiteLLM_VerificationToken", "token", "key_alias"),
    ("user", "LiteLLM_UserTable", "user_id", "user_email"),
    ("organization", "LiteLLM_OrganizationTable", "organization_id", "organization_alias"),
)


class DailySpend:
    """LiteLLM's daily tables, day after day, of UTC days from ``first`` until before ``until``."""

    def __init__(self, engine: Engine, first: date | None, until: date) -> None:
        self._engine = engine
        #: Sums that cannot be read: there are none.
        self.refused = 0
        self._days = {"first": str(first or date.min), "until": str(until)}
        with engine.connect() as connection:
            self._steps = [step for step in _STEPS if _exists(connection, step.table)]
            self._names = [name for name in _NAMES if _exists(connection, name[1])]

    def left(self, cursor: str) -> Left:
        """Give how many rows are left, and their first day; those of the day that was begun count whole."""
        first = max(self._days["first"], json.loads(cursor)[0] if cursor else "")
        places = [(step.table, f"{step.column} <> ''") for step in self._steps] + [("LiteLLM_DailyUserSpend", "TRUE")]
        within = "date >= :first AND date < :until"
        with self._engine.connect() as connection:
            counted = [
                text(f'SELECT COUNT(*), MIN(date) FROM "{table}" WHERE {within} AND {own}')  # noqa: S608
                for table, own in places
            ]
            found = [connection.execute(one, self._days | {"first": first}).one() for one in counted]
        days = [date.fromisoformat(day) for _, day in found if day]
        return Left(sum(rows for rows, _ in found), min(days, default=None))

    def pages(self, cursor: str) -> Iterator[Page]:
        """Give what is left, page by page."""
        begun_day, begun, *after = json.loads(cursor) if cursor else ("", 0)
        for day in self._left(begun_day):
            for number, step in enumerate(self._steps):
                if day != begun_day or number > begun:
                    yield from self._pages(day, number, step, [])
                elif number == begun:
                    yield from self._pages(day, number, step, after)

    def _left(self, first: str) -> list[str]:
        any_day = """SELECT DISTINCT date FROM (SELECT date FROM "LiteLLM_DailyUserSpend"
            UNION SELECT date FROM "LiteLLM_DailyTeamSpend") days WHERE date >= :first AND date < :until ORDER BY 1"""
        with self._engine.connect() as connection:
            values = self._days | {"first": max(first, self._days["first"])}
            return list(connection.execute(text(any_day), values).scalars())

    def _pages(self, day: str, number: int, step: _Step, after: Sequence[str]) -> Iterator[Page]:
        statement = text(
            f"""SELECT * FROM (SELECT a, b, c, d, SUM(e), SUM(f), SUM(g), SUM(h), SUM(i), SUM(n)
            FROM ({step.rows}) rows (a, b, c, d, e, f, g, h, i, n) GROUP BY a, b, c, d) sums
            WHERE :fresh OR (a, b, c, d) > (:a, :b, :c, :d) ORDER BY a, b, c, d LIMIT :size"""  # noqa: S608
        )
        while True:
            place = dict(zip("abcd", after or [""] * 4, strict=True))
            values = place | {"day": day, "size": PAGE, "fresh": not after}
            with self._engine.connect() as connection:
                rows = connection.execute(statement, values).all()
                ledger = _ledger(date.fromisoformat(day), step.dimension, rows)
                self._name(connection, ledger, date.fromisoformat(day))
            if rows:
                after = list(rows[-1][:4])
                yield Page(json.dumps([day, number, *after]), sum(int(row[9]) for row in rows), ledger)
            if len(rows) < PAGE:
                return

    def _name(self, connection: Connection, ledger: Postings, day: date) -> None:
        """Give entities the names that LiteLLM knows now, seen on that day: a later one of our own goes before."""
        at = datetime.combine(day, time(), UTC)
        for dimension, table, column, alias in self._names:
            ids = sorted({key.entity for key in ledger.spend() if key.dimension == dimension and key.entity})
            named = text(f"SELECT {column}, {alias} FROM \"{table}\" WHERE {column} = ANY(:ids) AND {alias} <> ''")  # noqa: S608
            for entity, name in connection.execute(named, {"ids": ids}) if ids else ():
                ledger.aliases[AliasKey(dimension, identity(entity), identity(name))] = AliasSpan(at, at)


def _ledger(day: date, dimension: str, rows: Sequence[Any]) -> Postings:
    ledger = Postings()
    for row in rows:
        team, entity, one, other = (identity(name) for name in row[:4])
        requests, failures, prompt, completion = (max(0, int(value)) for value in row[4:8])
        sums = SpendSums(requests, failures, prompt, completion, spend_nanos=max(0, nanos_from_dollars(row[8])))
        if sums == SpendSums():
            continue
        if not dimension:
            ledger.enter(day, Attribution(team_id=team, key_hash=entity, model=one, provider=other, tags=None), sums)
            continue
        ledger.book(SpendKey(day, dimension, team, entity), sums)
        if dimension == "user":
            for half, part in (("model", one), ("key", other)):
                if part:
                    ledger.book(SpendKey(day, f"user/{half}", team, entity, part), sums)
    return ledger


def _exists(connection: Connection, table: str) -> bool:
    """Tell whether this version of LiteLLM has a table."""
    return connection.execute(text("SELECT to_regclass(:name)"), {"name": f'"{table}"'}).scalar() is not None
