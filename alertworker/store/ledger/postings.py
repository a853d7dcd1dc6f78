"""The ledger's writing side: a batch's sums, in upserts of sorted keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Final, NamedTuple

from sqlalchemy import Connection, Table, func, select
from typing_extensions import override

from alertworker.budgets.configured import NO_EXEMPTIONS, CapExemptions
from alertworker.folding import DropKey
from alertworker.ledger.cardinality import MAX_FALLBACKS, MAX_OUTCOMES, OTHER, capped
from alertworker.ledger.postings import Postings
from alertworker.ledger.rows import (
    SUCCEEDED,
    FallbackKey,
    FallbackSums,
    OutcomeKey,
    OutcomeSums,
    SpendKey,
    SpendSums,
)
from alertworker.ports.postings import PostingPort
from alertworker.store.additions import look_up, parameters
from alertworker.store.keys import one_of
from alertworker.store.ledger.aliases import AliasStatements, Entity
from alertworker.store.ledger.days import add_days
from alertworker.store.ledger.months import month_of
from alertworker.store.rows import Rows, rows_of
from alertworker.store.schema.ledger import (
    DROPS,
    FALLBACKS,
    LATENCIES,
    MONTHLY,
    OUTCOMES,
    SPEND,
    SPEND_MONTHS,
    SPEND_SIZES,
)
from alertworker.store.upsert import Statements

#: The dimension without a cap: operators create teams, and the totals are the sums of teams.
_UNCAPPED: Final = "team"
#: A row's key, or the first columns of one.
_Key = tuple[object, ...]


class PostingStatements(Statements, PostingPort):
    """Adds batches to the ledger. To avoid deadlocks, tables are written in the order of this module, and keys are
    sorted.
    """

    def __init__(self, connection: Connection, aliases: AliasStatements) -> None:
        super().__init__(connection)
        self._aliases = aliases

    @override
    def add_drops(self, drops: Mapping[DropKey, int]) -> None:
        rows = [(*key, drops[key]) for key in sorted(drops) if drops[key]]
        self._add(DROPS, Rows((*DropKey._fields, "total"), rows), latest=("total",))

    @override
    def add(self, ledger: Postings, *, max_entities: int, exempt: CapExemptions = NO_EXEMPTIONS) -> None:
        spend = self._within(ledger, max_entities, exempt)
        self._post_days(rows_of(spend))
        self._add(SPEND_MONTHS, rows_of(_by_month(spend)))
        self._add(OUTCOMES, rows_of(self._outcomes(ledger.outcomes)))
        self._add(LATENCIES, rows_of(ledger.latencies))
        self._add(FALLBACKS, rows_of(self._fallbacks(ledger.fallbacks)))
        self._aliases.keep_names(ledger.aliases)

    def _within(self, ledger: Postings, most: int, exempt: CapExemptions) -> dict[SpendKey, SpendSums]:
        """Return the batch's sums. Those of entities beyond the cap are added up under "(other)".

        Batches that are applied at the same moment do not see each other's rows. So a day may exceed the cap by the
        number of these rows. The sums stay exact.
        """
        spend = ledger.spend()
        asked = Counter((key.day, key.dimension) for key in spend if key.dimension != _UNCAPPED)
        sizes = dict.fromkeys(asked, 0)
        days, dimensions = sorted({day for day, _ in asked}), sorted({dimension for _, dimension in asked})
        places = select(SPEND_SIZES).where(SPEND_SIZES.c.dimension.in_(dimensions), SPEND_SIZES.c.day.in_(days))
        for row in self.connection.execute(places) if asked else ():
            if (row.day, row.dimension) in sizes:
                sizes[row.day, row.dimension] = row.rows
        room = {place: most - size for place, size in sizes.items() if size + asked[place] > most}
        if not room:
            return spend
        wanted = [key for key in spend if (key.day, key.dimension) in room]
        known = set(map(SpendKey._make, self._known(SPEND, SpendKey._fields, wanted)))
        held = self._held(((key.dimension, key.entity) for key in wanted if key not in known), ledger, exempt)
        return capped(
            spend,
            # The row without a value ("no tag") is always kept: no caller invented it.
            known=[*known, *(key for key in spend if not key.entity or (key.dimension, key.entity) in held)],
            room=room,
            place=lambda key: (key.day, key.dimension),
            other=lambda key: SpendKey(key.day, key.dimension, key.team_id, OTHER),
        )

    def _held(self, entities: Iterable[Entity], ledger: Postings, exempt: CapExemptions) -> set[Entity]:
        """Return the entities that are exempt by their ids, their current names or the names in this batch."""
        asked = {entity for entity in entities if entity[0] in exempt.dimensions}
        names = {entity: {name} for entity, name in self._aliases.newest_names(asked).items()}
        for alias in ledger.aliases:
            names.setdefault(alias[:2], set()).add(alias.alias)
        return {entity for entity in asked if exempt.covers(*entity, names.get(entity, ()))}

    def _outcomes(self, outcomes: Mapping[OutcomeKey, OutcomeSums]) -> dict[OutcomeKey, OutcomeSums]:
        """Return the outcomes. A deployment's error classes beyond the cap of a day are added up in one."""
        errors = [key for key in outcomes if key.outcome != SUCCEEDED]
        known, room = self._room(OUTCOMES, errors, MAX_OUTCOMES, width=2)
        return capped(
            outcomes,
            known=[key for key in outcomes if key in known or key.outcome == SUCCEEDED],
            room=room,
            place=lambda key: (key.day, key.deployment_id),
            other=lambda key: key._replace(outcome=OTHER),
        )

    def _fallbacks(self, fallbacks: Mapping[FallbackKey, FallbackSums]) -> dict[FallbackKey, FallbackSums]:
        known, room = self._room(FALLBACKS, list(fallbacks), MAX_FALLBACKS, width=1)
        return capped(
            fallbacks,
            known=[key for key in fallbacks if key in known],
            room=room,
            place=lambda key: (key.day,),
            other=lambda key: key._replace(asked=OTHER),
        )

    def _room(self, table: Table, keys: Sequence[_Key], most: int, *, width: int) -> tuple[set[_Key], dict[_Key, int]]:
        """Return which keys have a row, and how many more rows fit beside the others.

        A place is the first ``width`` columns of a key. If all keys have a row, as is usual, one statement is enough.
        """
        fields = tuple(column.name for column in table.primary_key)
        known = set(self._known(table, fields, keys))
        places = sorted({key[:width] for key in keys if key not in known})
        if not places:
            return known, {}
        columns = list(table.primary_key)[:width]
        counted = select(*columns, func.count()).where(one_of(self.connection, columns, places)).group_by(*columns)
        taken = {tuple(row[:width]): row[width] for row in self.connection.execute(counted)}
        return known, {place: max(0, most - taken.get(place, 0)) for place in places}

    def _known(self, table: Table, fields: tuple[str, ...], keys: Sequence[_Key]) -> Iterator[_Key]:
        if keys:
            statement = look_up(table, fields, self.connection.dialect.name)
            for row in self.connection.execute(statement, parameters(Rows(fields, keys))):
                yield tuple(row._mapping[name] for name in fields)  # noqa: SLF001 - the public name of the mapping

    def _post_days(self, rows: Rows) -> None:
        """Add rows to `SPEND`, and the number of new ones to `SPEND_SIZES`."""
        created = add_days(self.connection, rows)
        grown = sorted((*place, new) for place, new in created.items() if place[0] != _UNCAPPED)
        self._add(SPEND_SIZES, Rows(("dimension", "day", "rows"), grown))


class _MonthKey(NamedTuple):
    """The key of a row of `SPEND_MONTHS`."""

    dimension: str
    month: date
    entity: str
    team_id: str


def _by_month(spend: Mapping[SpendKey, SpendSums]) -> dict[_MonthKey, SpendSums]:
    months: dict[_MonthKey, SpendSums] = {}
    for key, sums in spend.items():
        if key.dimension in MONTHLY:
            month = _MonthKey(key.dimension, month_of(key.day), key.entity, key.team_id)
            months.setdefault(month, SpendSums()).add(sums)
    return months
