"""Refused credentials in SQL. The locks ensure that two workers cannot both miss a refused credential."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict

from sqlalchemy import ColumnElement, func, literal, select, tuple_, update
from typing_extensions import override

from alertworker.outages.credentials import CredentialState, Refusals
from alertworker.outages.rows import CredentialKey, RefusalKey, RefusalSums
from alertworker.outages.windows import Calls
from alertworker.ports.credentials import CredentialPort
from alertworker.store.schema.outages import CREDENTIALS, OUTAGE_CALLS, REFUSALS, WINDOWS
from alertworker.store.upsert import Statements, insert_or

_KEY = (CREDENTIALS.c.provider, CREDENTIALS.c.credential)


class CredentialStatements(Statements, CredentialPort):
    """Credentials and the calls that providers refused, in SQL."""

    def add_refusals(self, refusals: Mapping[RefusalKey, RefusalSums], accepted: Mapping[CredentialKey, int]) -> None:
        """Add a batch's refused calls, and the last bucket in which each credential was accepted.

        The rows of all credentials that the batch changes or may judge are locked here, in their order. A success in a
        bucket that is known already changes nothing, so most batches write no row.
        """
        if not refusals and not accepted:
            return
        greatest = func.max if self.connection.dialect.name == "sqlite" else func.greatest
        known = self._states(tuple_(*_KEY).in_(sorted(accepted))) if accepted else {}
        news = {
            key: bucket for key, bucket in accepted.items() if bucket > known.get(key, CredentialState()).last_success
        }
        changed = {CredentialKey(*key[:2]): 0 for key in refusals} | news
        if changed:
            rows = [
                {**key._asdict(), "level": 0, "over_until": 0, "last_success": changed[key]} for key in sorted(changed)
            ]
            insert = insert_or(self.connection, CREDENTIALS)
            last = {"last_success": greatest(CREDENTIALS.c.last_success, insert.excluded.last_success)}
            self.connection.execute(insert.on_conflict_do_update(index_elements=list(_KEY), set_=last), rows)
        if refusals:
            insert = insert_or(self.connection, REFUSALS)
            sums: dict[str, object] = {
                name: REFUSALS.c[name] + insert.excluded[name] for name in ("unauthorized", "forbidden")
            }
            sums |= {name: greatest(REFUSALS.c[name], insert.excluded[name]) for name in ("last_refusal", "model")}
            upsert = insert.on_conflict_do_update(index_elements=list(REFUSALS.primary_key), set_=sums)
            self.connection.execute(upsert, [key._asdict() | asdict(refusals[key]) for key in sorted(refusals)])

    @override
    def lock_credentials(self, keys: Iterable[CredentialKey]) -> dict[CredentialKey, CredentialState]:
        wanted = sorted(keys)
        return self._states(tuple_(*_KEY).in_(wanted), lock=True) if wanted else {}

    @override
    def refused_credentials(self) -> dict[CredentialKey, CredentialState]:
        return self._states(CREDENTIALS.c.level > 0)

    @override
    def lock_refused_credentials(self) -> dict[CredentialKey, CredentialState]:
        return self._states(CREDENTIALS.c.level > 0, lock=True, skip_locked=True)

    @override
    def keep_credential(self, key: CredentialKey, state: CredentialState) -> None:
        statement = update(CREDENTIALS).where(tuple_(*_KEY) == tuple_(*map(literal, key)))
        self.connection.execute(statement.values(level=state.level, over_until=state.over_until))

    @override
    def refusals(self, key: CredentialKey, *, start: int) -> list[Refusals]:
        table = REFUSALS.c
        own = (table.provider == key.provider) & (table.credential == key.credential) & (table.bucket >= start)
        columns = (
            func.max(table.region),
            func.max(table.model),
            func.sum(table.unauthorized),
            func.sum(table.forbidden),
            func.min(table.bucket),
            func.max(table.bucket),
            func.max(table.last_refusal),
        )
        statement = select(table.deployment_id, *columns).where(own).group_by(table.deployment_id)
        rows = self.connection.execute(statement.order_by(table.deployment_id))
        return [Refusals(row[0], row[1], row[2], *map(int, row[3:])) for row in rows]

    @override
    def refused_with(self, deployment_ids: Collection[str], *, start: int) -> set[CredentialKey]:
        table = REFUSALS.c
        statement = select(table.provider, table.credential).where(
            table.deployment_id.in_(sorted(deployment_ids)), table.bucket >= start
        )
        return {CredentialKey(*row) for row in self.connection.execute(statement.distinct())}

    @override
    def last_successes(self, deployment_ids: Collection[str], *, start: int) -> dict[str, int]:
        table = WINDOWS.c
        statement = (
            select(table.deployment_id, func.max(table.last_success))
            .where(table.deployment_id.in_(sorted(deployment_ids)), table.bucket >= start)
            .group_by(table.deployment_id)
        )
        return {row[0]: int(row[1]) for row in self.connection.execute(statement)}

    @override
    def calls_failed_by_each(self, deployment_ids: Collection[str], *, start: int) -> dict[str, Calls]:
        table = OUTAGE_CALLS.c
        columns = (func.sum(table[name]).label(name) for name in ("by_fallback", "by_retry", "lost"))
        statement = (
            select(table.deployment_id, table.team, *columns)
            .where(table.deployment_id.in_(sorted(deployment_ids)), table.bucket >= start)
            .group_by(table.deployment_id, table.team)
        )
        found: dict[str, Calls] = {}
        for row in self.connection.execute(statement):
            own = found.get(row.deployment_id, Calls())
            lost = {**own.lost, row.team: int(row.lost)} if row.lost else own.lost
            found[row.deployment_id] = Calls(
                own.by_fallback + int(row.by_fallback), own.by_retry + int(row.by_retry), lost
            )
        return found

    def _states(
        self, which: ColumnElement[bool], *, lock: bool = False, skip_locked: bool = False
    ) -> dict[CredentialKey, CredentialState]:
        statement = select(CREDENTIALS).where(which).order_by(*_KEY)
        if lock:
            statement = statement.with_for_update(skip_locked=skip_locked)
        return {
            CredentialKey(row.provider, row.credential): CredentialState(row.level, row.over_until, row.last_success)
            for row in self.connection.execute(statement)
        }
