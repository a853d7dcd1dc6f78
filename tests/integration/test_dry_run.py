"""A dry run shows the results of ingest with ingest's own code, and leaves no trace."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from alertworker.alerts.catalogue import AlertType
from alertworker.alerts.message import Step
from alertworker.alerts.suppression import Suppression, SuppressionReason
from alertworker.events import Event, Origin
from alertworker.pipeline import Runtime, dry_run, ingest
from alertworker.routing.matchers import parse
from alertworker.routing.silences import Silence
from alertworker.store import AdminStore, SqlStore
from alertworker.store.schema.base import METADATA
from tests.integration.harness import NOW, Outbox, announced, batch, failed, rows, run_until_quiet


def everything(store: SqlStore) -> dict[str, list[Any]]:
    """Read every table."""
    return {table.name: rows(store, table) for table in METADATA.sorted_tables}


def items(*events: Event) -> list[object]:
    """Return events as a file contains them."""
    return [json.loads(event.model_dump_json(exclude_none=True)) for event in events]


def test_a_dry_run_predicts_ingest_and_changes_nothing(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """A first failure is notified, a second counted. Afterwards neither is in any table, and nothing was sent."""
    ingest(batch(announced("before")), runtime, now=NOW)
    before = everything(store)
    found = dry_run(items(failed("a"), failed("b")), runtime, now=NOW)

    assert [[outcome.step for outcome in event.outcomes] for event in found] == [[Step.NOTICE], [None]]
    assert found[0].type == "llm.request.failed"
    assert everything(store) == before

    ingest(batch(failed("a")), runtime, now=NOW)
    run_until_quiet(runtime, NOW)
    predicted = found[0].outcomes[0].message
    assert predicted is not None
    assert outbox.sent[-1] == predicted.model_copy(update={"alert_id": outbox.sent[-1].alert_id})


def test_a_dry_run_names_the_mute_and_its_reason(runtime: Runtime, store: SqlStore) -> None:
    """The report has a silence by its id, a disabled type without channels, and a bad event by name."""
    silence = Silence("s1", (parse('team="search"'),), NOW, NOW + timedelta(hours=1), "ops", "night")
    AdminStore(store.engine).add_silence(silence, now=NOW)
    other = failed("b").model_copy(update={"team_id": "billing"})
    off = replace(runtime, router=replace(runtime.router, types=frozenset({AlertType.DAILY_REPORTS})))
    given = [*items(failed("a"), failed("c", Origin.CALLER)), {"type": "no.such"}]
    muted, caller, bad = dry_run(given, runtime, now=NOW)
    [nowhere] = dry_run(items(other), off, now=NOW)

    assert [(outcome.suppression, outcome.message) for outcome in muted.outcomes] == [
        (Suppression(SuppressionReason.SILENCE, "s1"), None)
    ]
    assert (caller.outcomes, caller.refused) == ((), None)
    assert bad.refused is not None
    assert bad.refused.startswith("event: ")
    assert [outcome.channels for outcome in nowhere.outcomes] == [()]


def test_lanes_show_why_messages_wait(runtime: Runtime, store: SqlStore) -> None:
    """The output has the number of waiting messages and their age. A lane without a worker is not busy."""
    ingest(batch(failed("a"), announced("b")), runtime, now=NOW)
    [state] = store.lanes.states(now=NOW).values()

    assert (state.channel, state.waiting, state.waiting_since, state.busy) == ("outbox", 2, NOW, False)
    run_until_quiet(runtime, NOW)
    assert store.lanes.states(now=NOW)["outbox"].waiting == 0
