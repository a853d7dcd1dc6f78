"""The statements that add a batch's sums do not grow with its rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

from alertworker.events import AttemptFailed, Event, Failure, Origin
from alertworker.pipeline import Runtime, ingest
from alertworker.store import SqlStore
from alertworker.store.schema.outages import CAUSES, FAILING_KEYS, REFUSALS, WINDOWS
from tests.integration.harness import NOW, answered, batch, ledger_days, rows

#: The tables to which each call may add a row.
SUMS = (
    "spend",
    "spend_months",
    "outcomes",
    "latencies",
    WINDOWS.name,
    CAUSES.name,
    FAILING_KEYS.name,
    REFUSALS.name,
)


def calls(count: int) -> list[Event]:
    """Return answered and refused calls, each of another team, key, deployment and provider's key."""
    found: list[Event] = []
    for number in range(count):
        refused = AttemptFailed(
            call_id=f"a{number}",
            started_at=NOW,
            occurred_at=NOW,
            deployment_id=f"d{number}",
            key_hash=f"k{number}",
            provider="openai",
            credential=f"{number:012x}",
            failure=Failure(error_class="AuthenticationError", status_code=401, origin=Origin.PROVIDER),
        )
        own: dict[str, Any] = {"team_id": f"t{number}", "key_hash": f"k{number}", "deployment_id": f"e{number}"}
        found += [answered(f"c{number}", completion_tokens=5 + number, **own), refused]
    return found


@contextmanager
def additions(engine: Engine) -> Iterator[list[tuple[str, int]]]:
    """Collect the table and the number of values of each statement that adds sums."""
    found: list[tuple[str, int]] = []

    def executed(*about: Any) -> None:
        statement, parameters = about[2:4]
        added = re.search(r"\bINSERT INTO (\w+)", statement)  # PostgreSQL's may begin with WITH
        if added is not None and added[1] in SUMS:
            sets = parameters if isinstance(parameters, list) else [parameters]
            found.append((added[1], sum(map(len, sets))))

    event.listen(engine, "after_cursor_execute", executed)
    try:
        yield found
    finally:
        event.remove(engine, "after_cursor_execute", executed)


def test_rows_of_a_table_are_added_by_one_statement(store: SqlStore, runtime: Runtime) -> None:
    """A value for each column of each row cost most of the worker's time."""
    with additions(store.engine) as one:
        ingest(batch(*calls(1)), runtime, now=NOW)
    with additions(store.engine) as many:
        ingest(batch(*calls(20)), runtime, now=NOW)

    assert sorted(name for name, _ in many) == sorted(SUMS)
    assert sorted(many) == sorted(one)
    assert len(rows(store, WINDOWS)) == 40
    assert len(rows(store, REFUSALS)) == 20
    assert len({key.entity for key in ledger_days(store) if key.dimension == "team"}) == 20


def test_names_are_stored_as_they_are(store: SqlStore, runtime: Runtime) -> None:
    """Rows travel as JSON, and array literals and SQL have quotes of their own."""
    names = ['"', "'", "\\", "{a,b}", "\t\n\x01\x7f", "$[0]", "%s :x", "ключ 🔑", "NULL", "\u2028", ""]
    for number in range(2):
        ingest(batch(*(answered(f"{number}-{name}", user_id=name or None) for name in names)), runtime, now=NOW)

    users = {key.entity: sums.requests for key, sums in ledger_days(store).items() if key.dimension == "user"}
    assert users == {name: 2 for name in names if name}
