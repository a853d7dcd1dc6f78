"""The ledger's reading side: sums over days, for reports, budgets and the command line. No single request is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final

from sqlalchemy import FromClause, case, func, select
from sqlalchemy.sql.elements import ColumnElement

from alertworker.ledger.histogram import Latency
from alertworker.ledger.reader import Days, DeploymentDays, SpendRow
from alertworker.ledger.rows import SUMS, FallbackSums, SpendSums
from alertworker.store.database import Database
from alertworker.store.ledger.months import Rows, within
from alertworker.store.schema.ledger import ALIASES, DROPS, FALLBACKS, LATENCIES, OUTCOMES, SPEND
from alertworker.store.transaction import SqlTransaction

#: Where to look for who is behind an entity: dimension to look in, and the dimension its other half belongs to.
_BEHIND: Final = {
    "team": (("key", "key"), ("model", "model")),
    "key": (("key/model", "model"),),
    "user": (("user/model", "model"), ("user/key", "key")),
}
#: How many entities one look-up of names asks about.
_CHUNK: Final = 500
_Pair = tuple[str, str]
_NOTHING: Final = SpendSums()


class SqlLedgerReader(Database):
    """`LedgerReader` on SQLite and PostgreSQL. All sums are exact integers."""

    def total(self, days: Days, *, team_id: str | None = None) -> SpendSums:
        """Give the sums of all requests, or of a team's."""
        return self._sum(Rows("team", team_id), days)

    def spent(self, dimension: str, entity: str, days: Days, *, team_id: str | None = None) -> SpendSums:
        """Give the sums of one entity, over all teams or within one."""
        return self._sum(Rows(dimension, team_id, [entity]), days)

    def totals(
        self,
        dimension: str,
        days: Days,
        *,
        before: Days | None = None,
        team_id: str | None = None,
        limit: int | None = None,
    ) -> list[SpendRow]:
        """Give the entities of a dimension, what spent most first, beside what they spent ``before``."""
        rows, half = Rows(dimension, team_id), dimension.partition("/")[2] or dimension
        return self.run(lambda tx: _ranked(tx, rows, days, before=before, named=half, limit=limit))

    def by_day(self, days: Days, *, team_id: str | None = None) -> dict[date, SpendSums]:
        """Give the sums of all requests, or of a team's, for each day that has any."""
        where = [SPEND.c.dimension == "team", within(SPEND.c.day, days)]
        if team_id is not None:
            where.append(SPEND.c.team_id == team_id)
        statement = select(SPEND.c.day, *_added(SPEND)).where(*where).group_by(SPEND.c.day).order_by(SPEND.c.day)
        return self.run(lambda tx: {row.day: _sums(tuple(row)[1:]) for row in tx.connection.execute(statement)})

    def behind(self, dimension: str, entity: str, days: Days, *, limit: int) -> dict[str, list[SpendRow]]:
        """Give who is behind an entity's spend, by dimension."""

        def rows(place: str) -> Rows:
            return Rows(place, team_id=entity) if dimension == "team" else Rows(place, entities=[entity])

        return self.run(
            lambda tx: {
                named: _ranked(tx, rows(place), days, named=named, limit=limit)
                for place, named in _BEHIND.get(dimension, ())
            }
        )

    def fallbacks(self, days: Days) -> dict[tuple[str, str], FallbackSums]:
        """Give how calls ended that a fallback took."""
        statement = (
            select(FALLBACKS.c.asked, FALLBACKS.c.used, func.sum(FALLBACKS.c.succeeded), func.sum(FALLBACKS.c.failed))
            .where(within(FALLBACKS.c.day, days))
            .group_by(FALLBACKS.c.asked, FALLBACKS.c.used)
        )

        def work(tx: SqlTransaction) -> dict[tuple[str, str], FallbackSums]:
            rows = tx.connection.execute(statement)
            return {(asked, used): FallbackSums(int(saved), int(failed)) for asked, used, saved, failed in rows}

        return self.run(work)

    def dropped(self, days: Days) -> dict[str, int]:
        """Give how many events publishers dropped in these days: what stood at their end without what stood before."""
        end = func.max(DROPS.c.total)
        start = func.max(case((DROPS.c.day < days.first, DROPS.c.total), else_=0))
        each = select(DROPS.c.reason, (end - start).label("events")).where(DROPS.c.day <= days.last)
        found = each.group_by(DROPS.c.boot_id, DROPS.c.reason).subquery()
        statement = select(found.c.reason, func.sum(found.c.events)).group_by(found.c.reason).order_by(found.c.reason)
        rows = self.run(lambda tx: tx.connection.execute(statement).all())
        return {reason: int(events) for reason, events in rows if events}

    def deployments(self, days: Days) -> list[DeploymentDays]:
        """Give how each deployment did."""
        return self.run(lambda tx: _deployments(tx, days))

    def _sum(self, rows: Rows, days: Days) -> SpendSums:
        statement = select(*_added(rows.over(days)))
        return self.run(lambda tx: _sums(tuple(tx.connection.execute(statement).one())))


def _ranked(
    tx: SqlTransaction,
    rows: Rows,
    days: Days,
    *,
    named: str,
    limit: int | None,
    before: Days | None = None,
) -> list[SpendRow]:
    now = _grouped(tx, rows, days, limit)
    then: dict[_Pair, SpendSums] = {}
    if before is not None:
        told = limit is not None and len(now) >= limit
        earlier = replace(rows, entities={entity for entity, _ in now}) if told else rows
        then = _grouped(tx, earlier, before, None)
    pairs = sorted(now.keys() | then.keys(), key=lambda pair: (-now.get(pair, _NOTHING).spend_nanos, *pair))[:limit]
    names = _names(tx, named, sorted({part or entity for entity, part in pairs}))
    return [
        SpendRow(
            entity,
            part,
            names.get(part or entity, ""),
            now.get((entity, part), SpendSums()),
            then.get((entity, part), SpendSums()),
        )
        for entity, part in pairs
    ]


def _grouped(tx: SqlTransaction, rows: Rows, days: Days, limit: int | None) -> dict[_Pair, SpendSums]:
    spent = rows.over(days)
    columns = _added(spent)
    statement = (
        select(spent.c.entity, spent.c.part, *columns)
        .group_by(spent.c.entity, spent.c.part)
        .order_by(columns[-1].desc(), spent.c.entity, spent.c.part)
        .limit(limit)
    )
    return {(row.entity, row.part): _sums(tuple(row)[2:]) for row in tx.connection.execute(statement)}


def _names(tx: SqlTransaction, dimension: str, entities: Sequence[str]) -> dict[str, str]:
    """Give the name that each entity was seen under last."""
    names: dict[str, str] = {}
    for start in range(0, len(entities), _CHUNK):
        chunk = entities[start : start + _CHUNK]
        statement = (
            select(ALIASES.c.entity, ALIASES.c.alias)
            .where(ALIASES.c.dimension == dimension, ALIASES.c.entity.in_(chunk))
            .order_by(ALIASES.c.last_at, ALIASES.c.first_at, ALIASES.c.alias)
        )
        names |= {row.entity: row.alias for row in tx.connection.execute(statement)}
    return names


def _deployments(tx: SqlTransaction, days: Days) -> list[DeploymentDays]:
    attempts: dict[str, dict[str, int]] = {}
    outcomes = (
        select(OUTCOMES.c.deployment_id, OUTCOMES.c.outcome, func.sum(OUTCOMES.c.attempts).label("attempts"))
        .where(within(OUTCOMES.c.day, days))
        .group_by(OUTCOMES.c.deployment_id, OUTCOMES.c.outcome)
    )
    for row in tx.connection.execute(outcomes):
        attempts.setdefault(row.deployment_id, {})[row.outcome] = int(row.attempts)
    buckets: dict[tuple[str, str], dict[int, int]] = {}
    microseconds: dict[tuple[str, str], int] = {}
    key = (LATENCIES.c.deployment_id, LATENCIES.c.measure)
    latencies = (
        select(*key, LATENCIES.c.bucket, func.sum(LATENCIES.c.count), func.sum(LATENCIES.c.microseconds))
        .where(within(LATENCIES.c.day, days))
        .group_by(*key, LATENCIES.c.bucket)
    )
    for deployment_id, measure, bucket, count, spent in tx.connection.execute(latencies):
        buckets.setdefault((deployment_id, measure), {})[bucket] = int(count)
        microseconds[deployment_id, measure] = microseconds.get((deployment_id, measure), 0) + int(spent)

    def latency(deployment_id: str, measure: str) -> Latency:
        place = (deployment_id, measure)
        return Latency(buckets.get(place, {}), microseconds.get(place, 0))

    names = _names(tx, "deployment", sorted(attempts))
    return [
        DeploymentDays(one, names.get(one, ""), attempts[one], latency(one, "per_token"), latency(one, "first_token"))
        for one in sorted(attempts)
    ]


def _added(rows: FromClause) -> list[ColumnElement[Any]]:
    return [func.coalesce(func.sum(rows.c[name]), 0) for name in SUMS]


def _sums(values: Sequence[Any]) -> SpendSums:
    return SpendSums(*(int(value) for value in values))
