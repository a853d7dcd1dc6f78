"""Outages and the calls on deployments in SQL. The locks ensure that two workers cannot both miss an outage."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Executable,
    RowMapping,
    Select,
    Table,
    bindparam,
    or_,
    select,
    tuple_,
    update,
)
from typing_extensions import override

from alertworker.outages.rows import BY_GROUP
from alertworker.outages.sums import OutageSums
from alertworker.outages.windows import Bucket, Calls, Episode, Outage, Target
from alertworker.ports import OutagePort
from alertworker.store.callers import CallerStatements
from alertworker.store.connection import columns_of, read_rows
from alertworker.store.credentials import CredentialStatements
from alertworker.store.keys import is_one_of, key_parameters, one_of
from alertworker.store.rows import rows_of
from alertworker.store.schema.outages import (
    CAUSES,
    HAS_OUTAGE,
    MODEL_CALLS,
    OUTAGE_CALLS,
    OUTAGES,
    PROVIDER_HAS_OUTAGE,
    WINDOWS,
)
from alertworker.store.sums import capped_sum
from alertworker.store.upsert import Statements, insert_missing

_KEY = (OUTAGES.c.deployment_id, OUTAGES.c.provider, OUTAGES.c.region)
_NAMED = tuple_(bindparam("own_deployment"), bindparam("own_provider"), bindparam("own_region"))
_KEEP: Final = update(OUTAGES).where(tuple_(*_KEY) == _NAMED)
#: The epoch seconds from which on and before which buckets count.
_START, _END = bindparam("start", type_=BigInteger), bindparam("end", type_=BigInteger)

#: A bucket with the deployment, the provider and the region of its calls.
_Place = tuple[int, str, str, str]


@dataclass(frozen=True, slots=True)
class _OutageRow:
    """A target's outage as it is stored; `OUTAGES` explains the columns."""

    deployment_id: str
    provider: str
    region: str
    level: int
    over_until: int
    episodes: Sequence[tuple[int, int]] | None


_ROW = columns_of(_OutageRow, OUTAGES)


class OutageStatements(Statements, OutagePort):
    """Windows, and the outage states of targets, in SQL."""

    def __init__(self, connection: Connection, callers: CallerStatements, credentials: CredentialStatements) -> None:
        super().__init__(connection)
        self._callers = callers
        self._credentials = credentials

    @override
    def add_sums(self, sums: OutageSums) -> None:
        self._add(WINDOWS, rows_of(sums.windows), latest=("last_success", "model"))
        self._add(CAUSES, rows_of(sums.causes), latest=("last_failure",), earliest="first_failure")
        self._add(OUTAGE_CALLS, rows_of(sums.calls))
        self._add(MODEL_CALLS, rows_of(sums.models))
        self._callers.add_failing_keys(sums.failing_keys)
        self._credentials.add_refusals(sums.refusals, sums.accepted, sums.calls)

    @override
    def lock_outages(self, targets: Iterable[Target]) -> dict[Target, Outage]:
        keys = sorted(targets)
        if not keys:
            return {}
        rows = [key._asdict() | {"level": 0, "over_until": 0} for key in keys]
        self.connection.execute(insert_missing(self.connection.dialect.name, OUTAGES), rows)
        return self._read(one_of(self.connection, _KEY, keys))

    @override
    def open_outages(self) -> dict[Target, Outage]:
        return self._read(or_(HAS_OUTAGE, PROVIDER_HAS_OUTAGE), skip_locked=True)

    @override
    def outage_of(self, target: Target) -> Outage:
        rows = self._rows(select(*_ROW).where(one_of(self.connection, _KEY, [target])))
        return _outage(rows[0]) if rows else Outage()

    @override
    def outages_over(self, deployments: Collection[str]) -> dict[str, int]:
        if not deployments:
            return {}
        own = (OUTAGES.c.deployment_id.in_(sorted(deployments)), OUTAGES.c.provider == "", OUTAGES.c.region == "")
        statement = select(OUTAGES.c.deployment_id, OUTAGES.c.over_until).where(*own, OUTAGES.c.over_until > 0)
        return {row.deployment_id: row.over_until for row in self.connection.execute(statement)}

    @override
    def failing_regions(self, deployments: Collection[str], *, start: int) -> dict[Target, set[str]]:
        region = (OUTAGES.c.provider, OUTAGES.c.region)
        failing = self.connection.execute(select(*region).where(HAS_OUTAGE, OUTAGES.c.deployment_id == ""))
        wanted = sorted((row.provider, row.region) for row in failing)
        if not wanted or not deployments:
            return {}
        table = WINDOWS.c
        statement = select(table.deployment_id, table.provider, table.region).where(
            one_of(self.connection, (table.provider, table.region), wanted),
            table.bucket >= start,
            table.deployment_id.in_(sorted(deployments)),
        )
        found: dict[Target, set[str]] = {}
        for row in self.connection.execute(statement.distinct()):
            found.setdefault(Target(provider=row.provider, region=row.region), set()).add(row.deployment_id)
        return found

    @override
    def failing(self, targets: Iterable[Target], *, start: int, least: int) -> set[Target]:
        table, found = CAUSES.c, set[Target]()
        for names, keys in _by_columns(targets).items():
            columns = [table[name] for name in names]
            counted = select(*columns).where(one_of(self.connection, columns, keys), table.bucket >= start)
            enough = counted.group_by(*columns).having(capped_sum(table.attempts) >= least)
            found |= {Target(**row) for row in self.connection.execute(enough).mappings()}
        return found

    @override
    def keep_outages(self, outages: Mapping[Target, Outage]) -> None:
        rows = [
            {
                **_named(key),
                "level": -outages[key].state if key.is_provider else outages[key].state,
                "over_until": outages[key].over_until,
                "episodes": [list(one) for one in outages[key].episodes] or None,
            }
            for key in sorted(outages)
        ]
        if rows:
            self.connection.execute(_KEEP, rows)

    @override
    def buckets(self, target: Target, *, start: int, end: int | None = None) -> list[Bucket]:
        return self.buckets_of({target: start}, end=end)[target]

    @override
    def buckets_of(self, starts: Mapping[Target, int], *, end: int | None = None) -> dict[Target, list[Bucket]]:
        causes: dict[_Place, dict[str, RowMapping]] = {}
        for key, row in self._range(CAUSES, starts, end):
            causes.setdefault(key, {})[row["cause"]] = row
        found: dict[Target, list[Bucket]] = {target: [] for target in starts}
        for key, row in dict(self._range(WINDOWS, starts, end)).items():
            bucket = bucket_from(row, causes.get(key, {}))
            own = [Target(bucket.deployment_id)] if bucket.deployment_id else []
            place = Target(provider=bucket.provider, region=bucket.region)
            for target in {*own, place, place._replace(region="")}:
                if target in starts and bucket.start >= starts[target]:
                    found[target].append(bucket)
        return found

    @override
    def calls_failed_by(self, target: Target, *, start: int, end: int | None = None) -> Calls:
        values = {**_named(target), "start": start, "end": end}
        rows = self.connection.execute(_ended_calls(has_end=end is not None), values).all()
        return Calls(
            int(sum(row.by_fallback for row in rows)),
            int(sum(row.by_retry for row in rows)),
            {row.team: int(row.lost) for row in rows if row.lost},
        )

    def _read(self, which: ColumnElement[bool], *, skip_locked: bool = False) -> dict[Target, Outage]:
        statement = select(*_ROW).where(which).order_by(*_KEY).with_for_update(skip_locked=skip_locked)
        return {Target(row.deployment_id, row.provider, row.region): _outage(row) for row in self._rows(statement)}

    def _rows(self, statement: Executable) -> list[_OutageRow]:
        return read_rows(self.connection, _OutageRow, statement)

    def _range(
        self, table: Table, starts: Mapping[Target, int], end: int | None
    ) -> Iterator[tuple[_Place, RowMapping]]:
        """Yield the rows of these targets with their keys. A row of several targets may come several times."""
        dialect, start = self.connection.dialect.name, min(starts.values(), default=0)
        for names, keys in _by_columns(starts).items():
            wanted = (
                key_parameters(dialect, "wanted", keys, len(names))
                if len(names) > 1
                else {"wanted": [key for (key,) in keys]}
            )
            statement = _rows_within(table, dialect, names, has_end=end is not None)
            found = self.connection.execute(statement, {**wanted, "start": start, "end": end})
            for row in found.mappings():
                yield (row["bucket"], row["deployment_id"], row["provider"], row["region"]), row


def _by_columns(targets: Iterable[Target]) -> dict[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the values that select targets by the names of their columns: each set of columns takes one statement."""
    found: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for target in sorted(targets):
        found.setdefault(tuple(target.columns), []).append(tuple(target.columns.values()))
    return found


@cache
def _rows_within(table: Table, dialect: str, names: tuple[str, ...], *, has_end: bool) -> Select[*tuple[object, ...]]:
    """Return the query for rows of targets with some columns. A failing target takes several of them."""
    columns = [table.c[name] for name in names]
    own = (
        is_one_of(dialect, columns, "wanted")
        if len(columns) > 1
        else columns[0].in_(bindparam("wanted", expanding=True))
    )
    return select(table).where(own).where(table.c.bucket >= _START, *([table.c.bucket < _END] if has_end else []))


@cache
def _ended_calls(*, has_end: bool) -> Select[*tuple[object, ...]]:
    """Return the query for the calls, by team, that a target had failed."""
    table = OUTAGE_CALLS.c
    columns = (capped_sum(table[name]).label(name) for name in ("by_fallback", "by_retry", "lost"))
    own = tuple_(table.deployment_id, table.provider, table.region) == _NAMED
    within = [table.bucket >= _START, *([table.bucket < _END] if has_end else [])]
    return select(table.team, *columns).where(own, *within).group_by(table.team)


def _named(target: Target) -> dict[str, object]:
    """Return a target as the parameters of `_NAMED`."""
    return {
        "own_deployment": target.deployment_id,
        "own_provider": target.provider,
        "own_region": target.region,
    }


def _outage(row: _OutageRow) -> Outage:
    return Outage(abs(row.level), row.over_until, tuple(Episode(*one) for one in row.episodes or ()))


def bucket_from(row: RowMapping, failed: Mapping[str, RowMapping]) -> Bucket:
    """Return a row of `WINDOWS` with its rows of `CAUSES` by cause."""
    return Bucket(
        row["bucket"],
        row["deployment_id"],
        row["succeeded"],
        {name: one["attempts"] for name, one in failed.items()},
        row["last_success"],
        max((one["last_failure"] for one in failed.values()), default=0),
        row["provider"],
        row["region"],
        row["model"],
        first_failure=min((one["first_failure"] or 0 for one in failed.values()), default=0),
        by_group=tuple(row[name] for name in BY_GROUP),
    )
