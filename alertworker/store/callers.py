"""Callers whose calls fail, in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import groupby

from sqlalchemy import Select, bindparam, select
from typing_extensions import override

from alertworker.alerts.catalogue import AlertType
from alertworker.outages.callers import MAX_KEYS, KeyRow
from alertworker.outages.rows import FailingKey, KeyFailures
from alertworker.outages.windows import Target
from alertworker.ports.callers import CallerPort
from alertworker.store.keys import one_of
from alertworker.store.rows import rows_of
from alertworker.store.schema.alerts import ALERTS, OPEN
from alertworker.store.schema.outages import FAILING_KEYS, HAS_OUTAGE, OUTAGES
from alertworker.store.upsert import Statements

#: How many buckets one statement names.
_CHUNK = 500
#: The columns that name a bucket of a deployment.
_PLACE = (FAILING_KEYS.c.deployment_id, FAILING_KEYS.c.provider, FAILING_KEYS.c.region, FAILING_KEYS.c.bucket)
_Place = tuple[str, str, str, int]


class CallerStatements(Statements, CallerPort):
    """Failing keys in SQL."""

    def add_failing_keys(self, failures: Mapping[FailingKey, KeyFailures]) -> None:
        """Add a batch's failures.

        Only the smallest keys of a bucket count. A key that is once too large for them never counts again. So the sums
        of the keys that count are exact, in any order of batches. Two workers at the same time may store a few more
        keys. Readers leave these out.
        """
        stored = self._stored({key[:4] for key in failures})
        kept: dict[FailingKey, KeyFailures] = {}
        for place, group in groupby(sorted(failures), key=lambda key: key[:4]):
            keys = list(group)
            smallest = set(sorted(stored.get(place, set()) | {key.key_hash for key in keys})[:MAX_KEYS])
            kept |= {key: failures[key] for key in keys if key.key_hash in smallest}
        self._add(FAILING_KEYS, rows_of(kept), latest=("model",))

    @override
    def failing_keys(self, target: Target, *, start: int, end: int) -> list[KeyRow]:
        statement = _failing_keys(tuple(target.columns))
        found = self.connection.execute(statement, {**target.columns, "start": start, "end": end})
        return [
            KeyRow(row.bucket, row.deployment_id, row.key_hash, row.model, row.failed)
            for _, rows in groupby(found, key=lambda row: tuple(row[:4]))
            for row in list(rows)[:MAX_KEYS]
        ]

    @override
    def failures_of(self, key_hash: str, *, since: int) -> list[KeyRow]:
        table = FAILING_KEYS.c
        columns = (table.bucket, table.deployment_id, table.key_hash, table.model, table.failed)
        statement = select(*columns).where(table.key_hash == key_hash, table.bucket >= since)
        return [KeyRow._make(row) for row in self.connection.execute(statement.order_by(*_PLACE))]

    @override
    def fails_elsewhere(self, key_hash: str, *, since: int) -> bool:
        table = FAILING_KEYS.c
        has_outage = (
            select(OUTAGES.c.level)
            .where(OUTAGES.c.deployment_id == table.deployment_id, OUTAGES.c.provider == "", OUTAGES.c.region == "")
            .where(HAS_OUTAGE)
            .exists()
        )
        statement = select(table.deployment_id).where(table.key_hash == key_hash, table.bucket >= since, ~has_outage)
        return self.connection.execute(statement.limit(1)).first() is not None

    @override
    def quiet_callers(self, *, before: datetime, limit: int) -> Sequence[str]:
        statement = (
            select(ALERTS.c.fingerprint)
            .where(OPEN, ALERTS.c.type == AlertType.CALLER_ERRORS.value, ALERTS.c.last_at < before)
            .order_by(ALERTS.c.fingerprint)
            .limit(limit)
        )
        return list(self.connection.execute(statement).scalars())

    def _stored(self, places: Iterable[_Place]) -> dict[_Place, set[str]]:
        """Return the keys that are stored for each of some buckets."""
        stored: dict[_Place, set[str]] = {}
        for chunk in _chunks(sorted(places)):
            statement = select(*_PLACE, FAILING_KEYS.c.key_hash).where(one_of(self.connection, _PLACE, chunk))
            for row in self.connection.execute(statement):
                stored.setdefault((row[0], row[1], row[2], row[3]), set()).add(row.key_hash)
        return stored


@cache
def _failing_keys(names: tuple[str, ...]) -> Select[*tuple[object, ...]]:
    """Return the query for the failing keys of a target. It runs for each failing target."""
    table = FAILING_KEYS.c
    own = (table[name] == bindparam(name) for name in names)
    within = (table.bucket >= bindparam("start"), table.bucket < bindparam("end"))
    return select(FAILING_KEYS).where(*own, *within).order_by(*_PLACE, table.key_hash)


def _chunks(places: Sequence[_Place]) -> Iterator[Sequence[_Place]]:
    for start in range(0, len(places), _CHUNK):
        yield places[start : start + _CHUNK]
