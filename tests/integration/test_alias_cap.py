"""The names of an entity have a cap: a caller of a wildcard deployment may invent one for each call."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import delete, select

from alertworker.events import RequestSucceeded
from alertworker.pipeline import Runtime, ingest
from alertworker.store import SqlStore
from alertworker.store.ledger.aliases import MAX_NAMES
from alertworker.store.schema.ledger import ALIASES
from tests.integration.harness import NOW, batch


def served(model: str, second: int) -> RequestSucceeded:
    """Return a call of a model that one deployment served."""
    at = NOW + timedelta(seconds=second)
    return RequestSucceeded(
        call_id=f"{model}-{second}",
        started_at=at,
        ended_at=at,
        model=model,
        deployment_id="wildcard",
        provider="openai",
    )


def names(store: SqlStore) -> set[str]:
    with store.engine.connect() as connection:
        wanted = select(ALIASES.c.alias).where(ALIASES.c.dimension == "deployment", ALIASES.c.entity == "wildcard")
        return set(connection.execute(wanted).scalars())


@pytest.mark.parametrize("sizes", [[100], [1] * 30, [15, 15, 30]])
def test_the_newest_names_are_kept(runtime: Runtime, store: SqlStore, sizes: Sequence[int]) -> None:
    """However the batches are cut. Each batch with an entity reads its names."""
    second = 0
    for size in sizes:
        ingest(batch(*(served(f"m{second + one}", second + one) for one in range(size))), runtime, now=NOW)
        second += size

    assert names(store) == {f"m{number}" for number in range(second - MAX_NAMES, second)}
    title = store.read(lambda tx: tx.aliases.deployment_titles(["wildcard"]))
    assert title == {"wildcard": f"openai/m{second - 1}"}


def test_a_name_that_is_used_again_is_kept(runtime: Runtime, store: SqlStore) -> None:
    """A call of it comes with each new name, two days later."""
    for number in range(30):
        second = number * 2 * 86_400
        at = NOW + timedelta(seconds=second)
        ingest(batch(served("real", second), served(f"m{number}", second), sealed_at=at), runtime, now=at)

    assert "real" in names(store)
    assert len(names(store)) == MAX_NAMES


def test_names_of_an_older_version_are_deleted(runtime: Runtime, store: SqlStore) -> None:
    with store.engine.begin() as connection:
        connection.execute(delete(ALIASES))
        old = {"dimension": "deployment", "entity": "wildcard", "first_at": NOW, "last_at": NOW}
        connection.execute(ALIASES.insert(), [old | {"alias": f"old-{number}"} for number in range(200)])
    ingest(batch(served("new", 1)), runtime, now=NOW)

    assert len(names(store)) == MAX_NAMES
    assert "new" in names(store)
