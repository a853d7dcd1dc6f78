"""Outages of model groups and the calls of their deployments in SQL, under locks as in `outages`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, RowMapping, and_, bindparam, literal_column, or_, select, update
from typing_extensions import override

from alertworker.outages.model import EndedCalls
from alertworker.outages.verdict import DEAD_REACH
from alertworker.outages.windows import Bucket, Outage
from alertworker.ports.model_outages import ModelOutagePort
from alertworker.store.outages import bucket_from
from alertworker.store.schema.outages import CAUSES, MODEL_CALLS, MODEL_HAS_OUTAGE, MODEL_OUTAGES, WINDOWS
from alertworker.store.upsert import Statements, insert_or

_PLACE = ("deployment_id", "provider", "region", "bucket")


class ModelOutageStatements(Statements, ModelOutagePort):
    """The outage states of model groups, and the windows of all deployments of a model group, in SQL."""

    @override
    def lock_models(self, models: Iterable[str]) -> dict[str, Outage]:
        names = sorted(models)
        if not names:
            return {}
        rows = [{"model": name, "state": 0, "over_until": 0} for name in names]
        self.connection.execute(insert_or(self.connection, MODEL_OUTAGES).on_conflict_do_nothing(), rows)
        return self._read(MODEL_OUTAGES.c.model.in_(names))

    @override
    def open_models(self) -> dict[str, Outage]:
        return self._read(MODEL_HAS_OUTAGE, skip_locked=True)

    @override
    def keep_models(self, outages: Mapping[str, Outage]) -> None:
        rows = [
            {"own": name, "state": outages[name].state, "over_until": outages[name].over_until}
            for name in sorted(outages)
        ]
        if rows:
            self.connection.execute(update(MODEL_OUTAGES).where(MODEL_OUTAGES.c.model == bindparam("own")), rows)

    @override
    def model_buckets(self, starts: Mapping[str, int]) -> dict[str, list[Bucket]]:
        found: dict[str, list[Bucket]] = {model: [] for model in starts}
        if not starts:
            return found
        start = min(starts.values())
        unnamed = self._unnamed(sorted(starts), start)
        own: ColumnElement[bool] = WINDOWS.c.model.in_(sorted(starts))
        if unnamed:
            own = or_(own, (WINDOWS.c.model == "") & WINDOWS.c.deployment_id.in_(sorted(unnamed)))
        within = [own, WINDOWS.c.bucket >= start]
        same = [CAUSES.c[name] == WINDOWS.c[name] for name in _PLACE if name != "bucket"]
        # With a plain column SQLite reads all later causes of the deployment for each row.
        same.append(CAUSES.c.bucket == WINDOWS.c.bucket + literal_column("0"))
        failed: dict[tuple[object, ...], dict[str, RowMapping]] = {}
        for row in self.connection.execute(
            select(CAUSES).select_from(CAUSES.join(WINDOWS, and_(*same))).where(*within)
        ).mappings():
            failed.setdefault(_place(row), {})[row["cause"]] = row
        for row in self.connection.execute(select(WINDOWS).where(*within)).mappings():
            bucket = bucket_from(row, failed.get(_place(row), {}))
            for model in [bucket.model] if bucket.model else unnamed[bucket.deployment_id]:
                if bucket.start >= starts[model]:
                    found[model].append(replace(bucket, model=model))
        return found

    def _unnamed(self, models: Sequence[str], start: int) -> dict[str, list[str]]:
        """Return the models of deployments that have rows without a model since an epoch second.

        Workers of the previous version write such rows. Other rows of the deployment name its model.
        """
        table = WINDOWS.c
        without = select(table.deployment_id).where(table.model == "", table.bucket >= start).distinct()
        deployments = sorted(name for name in self.connection.execute(without).scalars() if name)
        if not deployments:
            return {}
        named = select(table.deployment_id, table.model).where(
            table.deployment_id.in_(deployments), table.model.in_(models), table.bucket >= start - DEAD_REACH
        )
        found: dict[str, list[str]] = {}
        for row in self.connection.execute(named.distinct()):
            found.setdefault(row.deployment_id, []).append(row.model)
        return found

    @override
    def ended_calls(self, starts: Mapping[str, int]) -> dict[str, list[EndedCalls]]:
        found: dict[str, list[EndedCalls]] = {model: [] for model in starts}
        if not starts:
            return found
        table = MODEL_CALLS.c
        statement = select(table.model, *(table[name] for name in EndedCalls._fields))
        within = statement.where(table.model.in_(sorted(starts)), table.bucket >= min(starts.values()))
        for row in self.connection.execute(within):
            if row.bucket >= starts[row.model]:
                found[row.model].append(EndedCalls(*row[1:]))
        return found

    def _read(self, which: ColumnElement[bool], *, skip_locked: bool = False) -> dict[str, Outage]:
        ordered = select(MODEL_OUTAGES).where(which).order_by(MODEL_OUTAGES.c.model)
        found = self.connection.execute(ordered.with_for_update(skip_locked=skip_locked))
        return {row.model: Outage(row.state, row.over_until) for row in found}


def _place(row: RowMapping) -> tuple[object, ...]:
    return tuple(row[name] for name in _PLACE)
