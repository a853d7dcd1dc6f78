"""The states of budgets, read and written under the locks of their rows, so that two workers cannot both alert."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import RowMapping, bindparam, delete, select, tuple_, update
from typing_extensions import override

from alertworker.budgets.readings import BudgetKey, Reading
from alertworker.budgets.state import BudgetState
from alertworker.events import Attribution
from alertworker.ports.budgets import BudgetPort
from alertworker.store.keys import one_of
from alertworker.store.schema.budgets import BUDGETS, LIVE
from alertworker.store.sums import fitted
from alertworker.store.upsert import Statements, insert_or

_OWN = (BUDGETS.c.scope == bindparam("own_scope")) & (BUDGETS.c.entity == bindparam("own_entity"))
#: The fields of a budget's owner that its row stores under their own names.
_OWNER_FIELDS = tuple(name for name in Attribution._fields if name not in {"tags", "team_receiver"})
#: The level of a row that was inserted only to lock it: the budget was never judged.
_UNJUDGED = -1


class BudgetStatements(Statements, BudgetPort):
    """Budgets in SQL, by scope and entity."""

    @override
    def lock_budgets(self, readings: Mapping[BudgetKey, Reading]) -> dict[BudgetKey, BudgetState]:
        # Inserting first makes one of two workers with a new budget wait for the other.
        keys = _in_order(readings)
        if not keys:
            return {}
        rows = [
            {"scope": key.name, "entity": key.entity} | _values(BudgetState(readings[key], level=_UNJUDGED))
            for key in keys
        ]
        self.connection.execute(insert_or(self.connection, BUDGETS).on_conflict_do_nothing(), rows)
        own = one_of(self.connection, (BUDGETS.c.scope, BUDGETS.c.entity), [key.stored for key in keys])
        statement = select(BUDGETS).where(own).order_by(BUDGETS.c.scope, BUDGETS.c.entity).with_for_update()
        return {
            _key(row): _state(row) for row in self.connection.execute(statement).mappings() if row["level"] != _UNJUDGED
        }

    @override
    def keep_budgets(self, states: Mapping[BudgetKey, BudgetState]) -> None:
        rows = [_values(states[key]) | {"own_scope": key.name, "own_entity": key.entity} for key in _in_order(states)]
        if rows:
            self.connection.execute(update(BUDGETS).where(_OWN), rows)

    @override
    def budget(self, key: BudgetKey) -> BudgetState | None:
        statement = select(BUDGETS).where(BUDGETS.c.scope == key.name, BUDGETS.c.entity == key.entity)
        row = self.connection.execute(statement).mappings().first()
        return _state(row) if row is not None else None

    @override
    def live_budgets(self) -> dict[BudgetKey, BudgetState]:
        statement = select(BUDGETS).where(LIVE, BUDGETS.c.level != _UNJUDGED)
        return {_key(row): _state(row) for row in self.connection.execute(statement).mappings()}

    @override
    def ended_budgets(self, *, limit: int, now: datetime) -> dict[BudgetKey, BudgetState]:
        key, over = (BUDGETS.c.scope, BUDGETS.c.entity), (BUDGETS.c.reset_at <= now, LIVE)
        # By the time, which has an index of live budgets, and then in the order of locks.
        some = select(*key).where(*over).order_by(BUDGETS.c.reset_at).limit(limit)
        statement = (
            select(BUDGETS).where(tuple_(*key).in_(some), *over).order_by(*key).with_for_update(skip_locked=True)
        )
        return {_key(row): _state(row) for row in self.connection.execute(statement).mappings()}

    @override
    def forget_budgets(self, *, before: datetime, limit: int) -> dict[BudgetKey, BudgetState]:
        old = BUDGETS.c.reset_at.is_(None) & (BUDGETS.c.at < before)
        key = (BUDGETS.c.scope, BUDGETS.c.entity)
        piece = delete(BUDGETS).where(old, tuple_(*key).in_(select(*key).where(old).limit(limit))).returning(BUDGETS)
        return {_key(row): _state(row) for row in self.connection.execute(piece).mappings()}


def read_budget(row: RowMapping) -> tuple[BudgetKey, BudgetState]:
    """Return the budget of a row."""
    return _key(row), _state(row)


def _in_order(keys: Iterable[BudgetKey]) -> list[BudgetKey]:
    return sorted(keys, key=lambda key: key.stored)


def _key(row: RowMapping) -> BudgetKey:
    return BudgetKey.parse(row["scope"], row["entity"])


def _state(row: RowMapping) -> BudgetState:
    reading = Reading(
        at=row["at"],
        limits_at=row["limits_at"],
        spent_at=row["spent_at"],
        high_at=row["high_at"],
        spend_nanos=row["spend_nanos"],
        max_nanos=row["max_nanos"],
        soft_nanos=row["soft_nanos"],
        duration=row["duration"],
        reset_at=row["reset_at"],
        rejected_at=row["rejected_at"],
        owner=_owner(row["who"]),
        shares=tuple(row["shares"]),
        part=row["who"].get("part", ""),
    )
    return BudgetState(reading, row["notified_nanos"], row["level"], row["closed"])


def _owner(who: Mapping[str, str]) -> Attribution:
    named = Attribution(tags=(who["tag"],) if "tag" in who else ())
    known = {name: who[name] for name in _OWNER_FIELDS if name in who}
    return Attribution._make((named._asdict() | known).values())


def _who(reading: Reading) -> dict[str, str]:
    """Return the row's names of a budget's owner. Unknown names are left out."""
    names = {name: getattr(reading.owner, name) for name in _OWNER_FIELDS}
    names |= {"tag": ",".join(reading.owner.tags or ()), "part": reading.part}
    return {name: value for name, value in names.items() if value}


def _values(state: BudgetState) -> dict[str, object]:
    reading = state.reading
    row: dict[str, object] = {
        "reset_at": reading.reset_at,
        "duration": reading.duration,
        "spend_nanos": reading.spend_nanos,
        "max_nanos": reading.max_nanos,
        "soft_nanos": reading.soft_nanos,
        "at": reading.at,
        "limits_at": reading.limits_at,
        "spent_at": reading.spent_at,
        "high_at": reading.high_at,
        "rejected_at": reading.rejected_at,
        "who": _who(reading),
        "shares": list(reading.shares),
        "notified_nanos": state.notified_nanos,
        "level": state.level,
        "closed": state.closed,
    }
    return fitted(BUDGETS, row)
