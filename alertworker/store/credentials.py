"""Refused credentials in SQL. The locks ensure that two workers cannot both miss a refused credential."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, func, literal, select, tuple_, union_all, update
from typing_extensions import override

from alertworker.outages.credentials import CredentialState, Refusals
from alertworker.outages.ending import NO_TRAFFIC_SECONDS
from alertworker.outages.rows import CallKey, CallSums, CredentialKey, RefusalKey, RefusalSums
from alertworker.outages.windows import Calls
from alertworker.ports.credentials import CredentialPort
from alertworker.store.keys import one_of
from alertworker.store.rows import rows_of
from alertworker.store.schema.outages import CREDENTIALS, OUTAGE_CALLS, REFUSALS, REFUSED, WINDOWS
from alertworker.store.sums import capped_sum
from alertworker.store.upsert import Statements, insert_or

_T = TypeVar("_T")

_KEY = (CREDENTIALS.c.provider, CREDENTIALS.c.credential)
#: The number of credentials that one statement asks about.
_CHUNK: Final = 100


class CredentialStatements(Statements, CredentialPort):
    """Credentials and the calls that providers refused, in SQL."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        #: The credentials that the batch may judge. `add_refusals` has locked their rows.
        self._judged: set[CredentialKey] = set()

    def add_refusals(
        self,
        refusals: Mapping[RefusalKey, RefusalSums],
        accepted: Mapping[CredentialKey, int],
        ended: Mapping[CallKey, CallSums],
    ) -> None:
        """Add a batch's refused calls, and the last bucket in which each credential was accepted.

        The rows of all credentials that the batch changes or may judge are locked here, in their order. These include
        the credentials of deployments that failed a lost call of ``ended``. A success in a bucket that is known already
        changes nothing, so most batches write no row.
        """
        refused = {CredentialKey(*key[:2]) for key in refusals}
        self._judged = refused | self._hurt(ended)
        greatest = func.max if self.connection.dialect.name == "sqlite" else func.greatest
        known = self._states(one_of(self.connection, _KEY, sorted(accepted))) if accepted else {}
        news = {
            key: bucket for key, bucket in accepted.items() if bucket > known.get(key, CredentialState()).last_success
        }
        changed = dict.fromkeys(self._judged, 0) | news
        if changed:
            rows = [
                {**key._asdict(), "level": 0, "over_until": 0, "last_success": changed[key]} for key in sorted(changed)
            ]
            insert = insert_or(self.connection, CREDENTIALS)
            last = {"last_success": greatest(CREDENTIALS.c.last_success, insert.excluded.last_success)}
            self.connection.execute(insert.on_conflict_do_update(index_elements=list(_KEY), set_=last), rows)
        self._add(REFUSALS, rows_of(refusals), latest=("last_refusal", "model"))

    def _hurt(self, ended: Mapping[CallKey, CallSums]) -> set[CredentialKey]:
        """Return the refused credentials of deployments that failed a lost call."""
        lost = [key for key, sums in ended.items() if sums.lost and key.deployment_id]
        start = min((key.bucket for key in lost), default=0) - NO_TRAFFIC_SECONDS
        return set(self.refusing({key.deployment_id for key in lost}, start=start))

    @override
    def judged_credentials(self) -> dict[CredentialKey, CredentialState]:
        return self._states(one_of(self.connection, _KEY, sorted(self._judged))) if self._judged else {}

    @override
    def refused_credentials(self) -> dict[CredentialKey, CredentialState]:
        return self._states(REFUSED)

    @override
    def refusing(self, deployment_ids: Collection[str], *, start: int) -> dict[CredentialKey, set[str]]:
        table, found = REFUSALS.c, dict[CredentialKey, set[str]]()
        same = (table.provider == CREDENTIALS.c.provider) & (table.credential == CREDENTIALS.c.credential)
        statement = (
            select(table.provider, table.credential, table.deployment_id)
            .join(CREDENTIALS, same & (REFUSED))
            .where(table.deployment_id.in_(sorted(deployment_ids)), table.bucket >= start)
            .distinct()
        )
        for provider, credential, deployment_id in self.connection.execute(statement) if deployment_ids else ():
            found.setdefault(CredentialKey(provider, credential), set()).add(deployment_id)
        return found

    @override
    def lock_refused_credentials(self) -> dict[CredentialKey, CredentialState]:
        return self._states(REFUSED, lock=True, skip_locked=True)

    @override
    def refused_often(self, keys: Collection[CredentialKey], *, start: int, least: int) -> set[CredentialKey]:
        table = REFUSALS.c
        own = (table.provider, table.credential)
        unauthorized, forbidden = capped_sum(table.unauthorized), capped_sum(table.forbidden)
        within = (one_of(self.connection, own, sorted(keys)), table.bucket >= start)
        statement = select(*own).where(*within).group_by(*own).having(unauthorized + forbidden >= least)
        return {CredentialKey(*row) for row in self.connection.execute(statement)}

    @override
    def keep_credential(self, key: CredentialKey, state: CredentialState) -> None:
        statement = update(CREDENTIALS).where(tuple_(*_KEY) == tuple_(*map(literal, key)))
        self.connection.execute(statement.values(level=state.level, over_until=state.over_until))

    @override
    def refusals(self, starts: Mapping[CredentialKey, int]) -> dict[CredentialKey, list[Refusals]]:
        table = REFUSALS.c
        columns = (
            func.max(table.region),
            func.max(table.model),
            capped_sum(table.unauthorized),
            capped_sum(table.forbidden),
            func.min(table.bucket),
            func.max(table.bucket),
            func.max(table.last_refusal),
        )
        each = {
            key: select(table.deployment_id, *columns)
            .where(table.provider == key.provider, table.credential == key.credential, table.bucket >= start)
            .group_by(table.deployment_id)
            for key, start in starts.items()
        }
        found: dict[CredentialKey, list[Refusals]] = {key: [] for key in starts}
        for key, refused in self._of_each(_refusals, each):
            found[key].append(refused)
        return {key: sorted(rows, key=lambda one: one.deployment_id) for key, rows in found.items()}

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
    def calls_failed_by_each(
        self, deployments: Mapping[CredentialKey, Collection[str]], *, starts: Mapping[CredentialKey, int]
    ) -> dict[CredentialKey, dict[str, Calls]]:
        table = OUTAGE_CALLS.c
        columns = [capped_sum(table[name]) for name in ("by_fallback", "by_retry", "lost")]
        each = {
            key: select(table.deployment_id, table.team, *columns)
            .where(table.deployment_id.in_(sorted(names)), table.bucket >= starts[key])
            .group_by(table.deployment_id, table.team)
            for key, names in deployments.items()
            if names
        }
        found: dict[CredentialKey, dict[str, Calls]] = {key: {} for key in deployments}
        for key, ended in self._of_each(_Ended, each):
            own = found[key].get(ended.deployment_id, Calls())
            teams = {**own.lost, ended.team: int(ended.lost)} if ended.lost else own.lost
            found[key][ended.deployment_id] = Calls(
                own.by_fallback + int(ended.by_fallback), own.by_retry + int(ended.by_retry), teams
            )
        return found

    def _of_each(
        self, make: Callable[..., _T], each: Mapping[CredentialKey, Select[*tuple[object, ...]]]
    ) -> Iterator[tuple[CredentialKey, _T]]:
        """Yield what each credential's query found, made of its columns, by one statement for `_CHUNK` credentials."""
        keys = sorted(each)
        for begin in range(0, len(keys), _CHUNK):
            chunk = keys[begin : begin + _CHUNK]
            parts = [
                select(literal(number).label("number"), *each[key].subquery().c) for number, key in enumerate(chunk)
            ]
            for row in self.connection.execute(union_all(*parts)):
                yield chunk[row[0]], make(*row[1:])

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


class _Ended(NamedTuple):
    """How calls of a team ended that a deployment had failed."""

    deployment_id: str
    team: str
    by_fallback: int
    by_retry: int
    lost: int


def _refusals(deployment_id: str, region: str, model: str, *sums: int) -> Refusals:
    return Refusals(deployment_id, region, model, *map(int, sums))  # PostgreSQL's sums are decimals
