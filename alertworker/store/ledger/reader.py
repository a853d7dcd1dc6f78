"""The ledger's reading side: sums over days, for reports, budgets and the command line. No single request is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Final

from sqlalchemy import Connection, case, func, select
from typing_extensions import override

from alertworker.events.system import by_known_reason
from alertworker.ledger.histogram import Latency
from alertworker.ledger.reader import Days, DeploymentDays, LedgerReader, SpendRow
from alertworker.ledger.rows import FallbackSums, LatencySums, SpendSums
from alertworker.store.connection import ConnectionRunner
from alertworker.store.ledger.aliases import AliasStatements
from alertworker.store.ledger.contributors import contributors
from alertworker.store.ledger.months import LedgerRows, read_sums, summed, within
from alertworker.store.schema.ledger import DROPS, FALLBACKS, LATENCIES, OUTCOMES, SPEND
from alertworker.store.sums import capped_sum

_Pair = tuple[str, str]
_NOTHING: Final = SpendSums()


class SqlLedgerReader(ConnectionRunner, LedgerReader):
    """`LedgerReader` on SQLite and PostgreSQL. All sums are exact integers."""

    @override
    def total(self, days: Days, *, team_id: str | None = None) -> SpendSums:
        return self._sum(LedgerRows("team", _of_team(team_id)), days)

    @override
    def spent(self, dimension: str, entity: str, days: Days, *, team_id: str | None = None) -> SpendSums:
        return self._sum(LedgerRows(dimension, {**_of_team(team_id), "entity": [entity]}), days)

    @override
    def totals(
        self,
        dimension: str,
        days: Days,
        *,
        before: Days | None = None,
        team_id: str | None = None,
        limit: int | None = None,
    ) -> list[SpendRow]:
        rows, named = LedgerRows(dimension, _of_team(team_id)), dimension.partition("/")[2] or dimension
        return self.read_on_connection(
            lambda connection: _ranked(connection, rows, days, before=before, named=named, limit=limit)
        )

    @override
    def by_day(self, days: Days, *, team_id: str | None = None) -> dict[date, SpendSums]:
        where = [SPEND.c.dimension == "team", within(SPEND.c.day, days)]
        if team_id is not None:
            where.append(SPEND.c.team_id == team_id)
        statement = select(SPEND.c.day, *summed(SPEND)).where(*where).group_by(SPEND.c.day).order_by(SPEND.c.day)
        return self.read_on_connection(
            lambda connection: {row.day: read_sums(tuple(row)[1:]) for row in connection.execute(statement)}
        )

    @override
    def top_contributors(self, dimension: str, entity: str, days: Days, *, limit: int) -> dict[str, list[SpendRow]]:
        return self.read_on_connection(
            lambda connection: contributors(connection, dimension, [entity], days, limit=limit)
        )

    @override
    def fallbacks(self, days: Days) -> dict[tuple[str, str], FallbackSums]:
        statement = (
            select(
                FALLBACKS.c.asked, FALLBACKS.c.used, capped_sum(FALLBACKS.c.succeeded), capped_sum(FALLBACKS.c.failed)
            )
            .where(within(FALLBACKS.c.day, days))
            .group_by(FALLBACKS.c.asked, FALLBACKS.c.used)
        )

        def work(connection: Connection) -> dict[tuple[str, str], FallbackSums]:
            rows = connection.execute(statement)
            return {(asked, used): FallbackSums(int(saved), int(failed)) for asked, used, saved, failed in rows}

        return self.read_on_connection(work)

    @override
    def dropped(self, days: Days) -> dict[str, int]:
        # The total of each publisher at the end of the days, less its total before them. Without a report both are
        # equal.
        end = func.max(DROPS.c.total)
        start = func.max(case((DROPS.c.day < days.first, DROPS.c.total), else_=0))
        reported = select(DROPS.c.boot_id).where(within(DROPS.c.day, days))
        each = select(DROPS.c.reason, (end - start).label("events")).where(
            DROPS.c.boot_id.in_(reported), DROPS.c.day <= days.last
        )
        found = each.group_by(DROPS.c.boot_id, DROPS.c.reason).subquery()
        statement = select(found.c.reason, capped_sum(found.c.events)).group_by(found.c.reason).order_by(found.c.reason)
        rows = self.read_on_connection(lambda connection: connection.execute(statement).all())
        # A previous version stored the reasons as publishers sent them.
        return by_known_reason({reason: int(events) for reason, events in rows if events})

    @override
    def deployments(self, days: Days) -> list[DeploymentDays]:
        return self.read_on_connection(lambda connection: _deployments(connection, days))

    def _sum(self, rows: LedgerRows, days: Days) -> SpendSums:
        statement = select(*summed(rows.over(days)))
        return self.read_on_connection(lambda connection: read_sums(tuple(connection.execute(statement).one())))


def _of_team(team_id: str | None) -> Mapping[str, Collection[str]]:
    """Return the restriction to one team's rows. "" means calls without a team, and ``None`` means all rows."""
    return {} if team_id is None else {"team_id": [team_id]}


def _ranked(
    connection: Connection,
    rows: LedgerRows,
    days: Days,
    *,
    named: str,
    limit: int | None,
    before: Days | None,
) -> list[SpendRow]:
    now = _grouped(connection, rows, days, limit)
    then: dict[_Pair, SpendSums] = {}
    if before is not None:
        full = limit is not None and len(now) >= limit
        earlier = LedgerRows(rows.dimension, {**rows.only, "entity": {entity for entity, _ in now}}) if full else rows
        then = _grouped(connection, earlier, before, None)
    pairs = sorted(now.keys() | then.keys(), key=lambda pair: (-now.get(pair, _NOTHING).spend_nanos, *pair))[:limit]
    names = AliasStatements(connection).newest_names((named, part or entity) for entity, part in pairs)
    return [
        SpendRow(
            entity,
            part,
            names.get((named, part or entity), ""),
            now.get((entity, part), SpendSums()),
            then.get((entity, part), SpendSums()),
        )
        for entity, part in pairs
    ]


def _grouped(connection: Connection, rows: LedgerRows, days: Days, limit: int | None) -> dict[_Pair, SpendSums]:
    spent = rows.over(days)
    columns = summed(spent)
    statement = (
        select(spent.c.entity, spent.c.part, *columns)
        .group_by(spent.c.entity, spent.c.part)
        .order_by(columns[-1].desc(), spent.c.entity, spent.c.part)
        .limit(limit)
    )
    return {(row.entity, row.part): read_sums(tuple(row)[2:]) for row in connection.execute(statement)}


def _deployments(connection: Connection, days: Days) -> list[DeploymentDays]:
    attempts: dict[str, dict[str, int]] = {}
    outcomes = (
        select(OUTCOMES.c.deployment_id, OUTCOMES.c.outcome, capped_sum(OUTCOMES.c.attempts).label("attempts"))
        .where(within(OUTCOMES.c.day, days))
        .group_by(OUTCOMES.c.deployment_id, OUTCOMES.c.outcome)
    )
    for row in connection.execute(outcomes):
        attempts.setdefault(row.deployment_id, {})[row.outcome] = int(row.attempts)
    buckets: dict[tuple[str, str], dict[int, LatencySums]] = {}
    key = (LATENCIES.c.deployment_id, LATENCIES.c.measure)
    latencies = (
        select(*key, LATENCIES.c.bucket, capped_sum(LATENCIES.c.count), capped_sum(LATENCIES.c.microseconds))
        .where(within(LATENCIES.c.day, days))
        .group_by(*key, LATENCIES.c.bucket)
    )
    for deployment_id, measure, bucket, count, spent in connection.execute(latencies):
        buckets.setdefault((deployment_id, measure), {})[bucket] = LatencySums(int(count), int(spent))

    aliases = AliasStatements(connection)
    names = aliases.newest_names(("deployment", one) for one in attempts)
    titles = aliases.deployment_titles(attempts)
    return [
        DeploymentDays(
            one,
            names.get(("deployment", one), ""),
            attempts[one],
            Latency(buckets.get((one, "per_token"), {})),
            Latency(buckets.get((one, "first_token"), {})),
            titles.get(one, ""),
        )
        for one in sorted(attempts)
    ]
