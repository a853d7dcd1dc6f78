"""Conditions on composite keys work for any number of keys, and use the index of their columns."""

from __future__ import annotations

from sqlalchemy import Table

from alertworker.outages.windows import Target
from alertworker.store import SqlStore
from alertworker.store.schema.outages import CAUSES, WINDOWS
from tests.integration.plans import recorded

#: PostgreSQL's default ``max_stack_depth`` is too small for a list of this many row values.
MANY = 20_000


def add(store: SqlStore, table: Table, **sums: object) -> None:
    """Add a row for each of many regions, and a second one for the first region."""
    keys = [{"deployment_id": f"d{n}", "provider": "azure", "region": f"r{n}", "bucket": 10} for n in range(MANY)]
    with store.engine.begin() as connection:
        connection.execute(table.insert(), [key | sums for key in [*keys, keys[0] | {"bucket": 20}]])


def test_many_regions_are_read_at_once(store: SqlStore) -> None:
    add(store, WINDOWS, succeeded=1, last_success=1)
    add(store, CAUSES, cause="503", attempts=2, last_failure=1)
    targets = [Target(provider="azure", region=f"r{n}") for n in range(MANY)]

    found = store.run(lambda tx: tx.outages.buckets_of(dict.fromkeys(targets, 10), end=30))
    failing = store.run(lambda tx: tx.outages.failing(targets, start=10, least=2))

    assert sum(map(len, found.values())) == MANY + 1
    assert [(row.start, row.causes) for row in found[targets[0]]] == [(10, {"503": 2}), (20, {"503": 2})]
    assert failing == set(targets)


def test_few_regions_among_many_are_read_by_their_index(store: SqlStore) -> None:
    add(store, WINDOWS, succeeded=1, last_success=1)
    add(store, CAUSES, cause="503", attempts=2, last_failure=1)
    targets = [Target(provider="azure", region=f"r{n}") for n in range(3)]

    with recorded(store.engine) as plans:
        store.run(lambda tx: tx.outages.buckets_of(dict.fromkeys(targets, 10)))
        store.run(lambda tx: tx.outages.failing(targets, start=10, least=2))

    assert len(plans) >= 3
    assert {statement: scanned for statement, scanned in plans.items() if scanned} == {}
