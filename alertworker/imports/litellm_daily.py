"""LiteLLM's own daily sums, for days whose spend log is gone: by team, key, user, tag, customer and organization.

Tables and columns are those of ``schema.prisma`` in the package (1.106.2). A row holds the sums of a UTC day for one
entity, key, model and provider. Calls are counted on the day of their start. The users' table has all calls. The teams'
table has those with a team, so what the users' table has beyond it had none. The other tables do not name the team: it
is the key's team, if the key had only one on that day. No table shows which calls had no tag, which deployment served
them, how long they took, or which were cache hits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import partial
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Numeric,
    Row,
    Select,
    Subquery,
    TableClause,
    cast,
    column,
    func,
    literal,
    select,
    table,
    tuple_,
    union,
    union_all,
)

from alertworker.events import Attribution
from alertworker.imports.litellm_database import reading
from alertworker.imports.progress import Left, Page
from alertworker.integrations.litellm.outgoing import identity
from alertworker.ledger.postings import Postings
from alertworker.ledger.rows import AliasKey, AliasSpan, SpendKey, SpendSums
from alertworker.money import nanos_from_dollars

#: How many sums are one page, and so one transaction.
PAGE: Final = 2_000
#: The columns of a day's rows that are added up. ``counted`` is how many rows of LiteLLM's tables a sum stands for.
_SUMS: Final = ("requests", "failures", "prompt_tokens", "completion_tokens", "dollars", "counted")


def _daily(name: str, entity: str) -> TableClause:
    """Return a daily table with the columns that all of them have, and that of its entity."""
    shared = ("date", "api_key", "model", "model_group", "custom_llm_provider", "spend")
    counts = ("api_requests", "failed_requests", "prompt_tokens", "completion_tokens")
    return table(name, *(column(one) for one in (entity, *shared, *counts)))


_TEAMS: Final = _daily("LiteLLM_DailyTeamSpend", "team_id")
_USERS: Final = _daily("LiteLLM_DailyUserSpend", "user_id")
_TAGS: Final = _daily("LiteLLM_DailyTagSpend", "tag")
_CUSTOMERS: Final = _daily("LiteLLM_DailyEndUserSpend", "end_user_id")
_ORGANIZATIONS: Final = _daily("LiteLLM_DailyOrganizationSpend", "organization_id")


@dataclass(frozen=True, slots=True)
class _Step:
    """One thing that is read of each day, in the order of `_STEPS`.

    ``dimension`` is that of the entity, empty for the step that reads every call once. ``rows`` returns the rows of a
    day: team, entity, model and detail, with their sums. ``entity`` is not empty in the rows of ``daily`` that count.
    """

    dimension: str
    daily: TableClause
    entity: ColumnElement[str]
    rows: Callable[[str], Subquery]


def _rows(
    daily: TableClause,
    day: str,
    names: tuple[ColumnElement[str], ColumnElement[str], ColumnElement[str], ColumnElement[str]],
    sign: int = 1,
) -> Select[Any]:
    """Select a day's rows with four names each; with ``sign`` -1 their sums are taken away and they do not count."""
    team, entity, model, detail = names
    return select(
        team.label("team"),
        entity.label("entity"),
        model.label("model"),
        detail.label("detail"),
        (daily.c.api_requests * sign).label("requests"),
        (daily.c.failed_requests * sign).label("failures"),
        (daily.c.prompt_tokens * sign).label("prompt_tokens"),
        (daily.c.completion_tokens * sign).label("completion_tokens"),
        (cast(daily.c.spend, Numeric) * sign).label("dollars"),
        literal(max(sign, 0)).label("counted"),
    ).where(daily.c.date == day)


def _calls(day: str) -> Subquery:
    """Select every call once: first the calls with a team, then all other calls. The entity is the key."""
    no_team, with_team = literal(""), _TEAMS.c.team_id != ""
    of_teams, of_all = (
        (one.c.api_key, _model(one), func.coalesce(one.c.custom_llm_provider, "")) for one in (_TEAMS, _USERS)
    )
    return union_all(
        _rows(_TEAMS, day, (_TEAMS.c.team_id, *of_teams)).where(with_team),
        _rows(_USERS, day, (no_team, *of_all)),
        _rows(_TEAMS, day, (no_team, *of_teams), sign=-1).where(with_team),
    ).subquery("calls")


def _entities(daily: TableClause, entity: ColumnElement[str], day: str, *, by_model: bool = False) -> Subquery:
    """Select the rows of a table without a team column. The team is that of the row's key, if it had only one.

    With ``by_model`` rows keep their model, and their key as the detail.
    """
    team = func.min(_TEAMS.c.team_id).label("team")
    owners = (
        select(_TEAMS.c.api_key, team)
        .where(_TEAMS.c.date == day, _TEAMS.c.team_id != "")
        .group_by(_TEAMS.c.api_key)
        .having(func.count(_TEAMS.c.team_id.distinct()) == 1)
        .subquery("owners")
    )
    parts = (_model(daily), daily.c.api_key) if by_model else (literal(""), literal(""))
    rows = _rows(daily, day, (func.coalesce(owners.c.team, ""), entity, *parts))
    joined = daily.outerjoin(owners, owners.c.api_key == daily.c.api_key)
    return rows.select_from(joined).where(entity != "").subquery("entities")


def _model(daily: TableClause) -> ColumnElement[str]:
    return func.coalesce(func.nullif(daily.c.model_group, ""), daily.c.model, "")


def _step(dimension: str, daily: TableClause, entity: str, *, by_model: bool = False) -> _Step:
    return _Step(dimension, daily, daily.c[entity], partial(_entities, daily, daily.c[entity], by_model=by_model))


#: A cursor holds the number of a step, so the order must not change.
_STEPS: Final = (
    _Step("", _TEAMS, _TEAMS.c.team_id, _calls),
    _step("user", _USERS, "user_id", by_model=True),
    _step("tag", _TAGS, "tag"),
    _step("customer", _CUSTOMERS, "end_user_id"),
    _step("organization", _ORGANIZATIONS, "organization_id"),
)
#: The tables that have the present names: dimension, table, column of the id, column of the name.
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
        #: The number of skipped rows, always 0: no row of these tables is invalid.
        self.refused = 0
        self._first, self._until = str(first or date.min), str(until)
        with reading(engine) as connection:
            self._steps = [step for step in _STEPS if _exists(connection, step.daily.name)]
            self._names = [name for name in _NAMES if _exists(connection, name[1])]

    def left(self, cursor: str) -> Left:
        """Return how many rows are left and their first day. All rows of the cursor's day are counted."""
        first = json.loads(cursor)[0] if cursor else ""
        counted = [self._count(step.daily, first).where(step.entity != "") for step in self._steps]
        with reading(self._engine) as connection:
            found = [connection.execute(one).one() for one in (*counted, self._count(_USERS, first))]
        days = [date.fromisoformat(day) for _, day in found if day]
        return Left(sum(rows for rows, _ in found), min(days, default=None))

    def pages(self, cursor: str) -> Iterator[Page]:
        """Yield the rows after the cursor, page by page."""
        begun_day, begun, *after = json.loads(cursor) if cursor else ("", 0)
        for day in self._days(begun_day):
            for number, step in enumerate(self._steps):
                if day != begun_day or number > begun:
                    yield from self._pages(day, number, step, [])
                elif number == begun:
                    yield from self._pages(day, number, step, after)

    def _within(self, daily: TableClause, first: str) -> ColumnElement[bool]:
        return (daily.c.date >= max(first, self._first)) & (daily.c.date < self._until)

    def _count(self, daily: TableClause, first: str) -> Select[int, Any]:
        return select(func.count(), func.min(daily.c.date)).select_from(daily).where(self._within(daily, first))

    def _days(self, first: str) -> list[str]:
        """Return the days from ``first`` on that have any calls."""
        days = union(*(select(daily.c.date).where(self._within(daily, first)) for daily in (_USERS, _TEAMS)))
        with reading(self._engine) as connection:
            return sorted(connection.execute(days).scalars())

    def _pages(self, day: str, number: int, step: _Step, after: Sequence[str]) -> Iterator[Page]:
        rows = step.rows(day)
        names = (rows.c.team, rows.c.entity, rows.c.model, rows.c.detail)
        sums = (func.sum(rows.c[name]).label(name) for name in _SUMS)
        page = select(*names, *sums).group_by(*names).order_by(*names).limit(PAGE)
        while True:
            statement = page.where(tuple_(*names) > tuple_(*map(literal, after))) if after else page
            with reading(self._engine) as connection:
                found = connection.execute(statement).all()
                ledger = _ledger(date.fromisoformat(day), step.dimension, found)
                self._name(connection, ledger, date.fromisoformat(day))
            if found:
                after = list(found[-1][:4])
                yield Page(json.dumps([day, number, *after]), sum(int(row.counted) for row in found), ledger)
            if len(found) < PAGE:
                return

    def _name(self, connection: Connection, ledger: Postings, day: date) -> None:
        """Add the present names of entities, as seen on that day: a later name from our own events wins."""
        at = datetime.combine(day, time(), UTC)
        for dimension, name, own, alias in self._names:
            ids = sorted({key.entity for key in ledger.spend() if key.dimension == dimension and key.entity})
            known = table(name, column(own), column(alias))
            named = select(known.c[own], known.c[alias]).where(known.c[own].in_(ids), known.c[alias] != "")
            for entity, shown in connection.execute(named) if ids else ():
                ledger.aliases[AliasKey(dimension, identity(entity), identity(shown))] = AliasSpan(at, at)


def _ledger(day: date, dimension: str, rows: Sequence[Row[Any]]) -> Postings:
    ledger = Postings()
    for row in rows:
        team, entity, model, detail = (identity(name) for name in (row.team, row.entity, row.model, row.detail))
        sums = _sums(row)
        if sums == SpendSums():
            continue
        if not dimension:
            ledger.add_calls(
                day, Attribution(team_id=team, key_hash=entity, model=model, provider=detail, tags=None), sums
            )
            continue
        ledger.add_row(SpendKey(day, dimension, team, entity), sums)
        if dimension == "user":
            for half, part in (("model", model), ("key", detail)):
                if part:
                    ledger.add_row(SpendKey(day, f"user/{half}", team, entity, part), sums)
    return ledger


def _sums(row: Row[Any]) -> SpendSums:
    """Return a row's sums. A negative difference is a correction by LiteLLM and counts as 0."""
    return SpendSums(
        requests=max(0, int(row.requests)),
        failures=max(0, int(row.failures)),
        prompt_tokens=max(0, int(row.prompt_tokens)),
        completion_tokens=max(0, int(row.completion_tokens)),
        spend_nanos=max(0, nanos_from_dollars(row.dollars)),
    )


def _exists(connection: Connection, name: str) -> bool:
    """Return whether this version of LiteLLM has a table."""
    return connection.scalar(select(func.to_regclass(f'"{name}"'))) is not None
