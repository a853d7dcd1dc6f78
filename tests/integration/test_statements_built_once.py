"""To build a statement costs more CPU than to execute it, so no batch builds statements for each of its alerts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from alertworker.events import Budget, BudgetScope, Event
from alertworker.pipeline import Runtime, ingest
from alertworker.store import SqlStore
from alertworker.store.schema.alerts import ALERTS
from tests.integration.harness import NOW, Outbox, announced, answered, batch, failed, rows
from tests.integration.statements import counted
from tests.integration.test_alerts_per_transaction import attempt

#: The highest number of statements for an alert. To execute them is most of what it costs.
MOST = 11


def with_channels(runtime: Runtime, count: int) -> Runtime:
    """Return the runtime with channels to which each alert is routed."""
    names = tuple(f"channel{n}" for n in range(count))
    router = replace(runtime.router, receivers={"all": names})
    return replace(runtime, channels={name: Outbox() for name in names}, router=router)


def failures(marker: str, count: int) -> list[Event]:
    """Return failed calls, each of a model of its own."""
    return [failed(f"{marker}{n}").model_copy(update={"model_group": f"{marker}{n}"}) for n in range(count)]


def late_failures(marker: str, count: int) -> list[Event]:
    """Return the same, reported a minute late, so that conditions that are closed by now may explain them."""
    late = NOW - timedelta(minutes=1)
    return [failed(f"{marker}{n}", at=late).model_copy(update={"model_group": f"{marker}{n}"}) for n in range(count)]


def hanging(marker: str, count: int) -> list[Event]:
    """Return announcements, each of a model of its own."""
    return [announced(f"{marker}{n}").model_copy(update={"model_group": f"{marker}{n}"}) for n in range(count)]


def ended(marker: str, count: int) -> list[Event]:
    """Return failed calls of one model that were announced or not."""
    return [failed(f"{marker}{n}") for n in range(count)]


def budgets(marker: str, count: int) -> list[Event]:
    """Return calls that report budgets that are used up."""
    return [
        answered(
            f"{marker}{n}",
            budgets=(Budget(scope=BudgetScope.TEAM, entity_id=f"{marker}{n}", spend_nanos=2, max_nanos=1),),
        )
        for n in range(count)
    ]


def outages(marker: str, count: int) -> list[Event]:
    """Return ten failed attempts of each deployment, in a region of its own."""
    return [attempt(n, deployment=f"{marker}{n % count}", region=f"{marker}{n % count}") for n in range(10 * count)]


@pytest.mark.parametrize("shape", [failures, late_failures, hanging, ended, budgets, outages])
def test_a_batch_builds_no_more_statements_for_more_alerts(
    runtime: Runtime, store: SqlStore, shape: Callable[[str, int], list[Event]]
) -> None:
    """A batch of ten times as many alerts executes the same statements, with other parameters."""
    runtime = with_channels(runtime, 4)
    built = []
    for marker, count in (("warm", 2), ("few", 3), ("many", 30)):
        with counted(store.engine) as work:
            ingest(batch(*shape(marker, count)), runtime, now=NOW)
        built.append(work.built)

    assert built[2] <= built[1] + 2


@pytest.mark.parametrize("shape", [failures, hanging, budgets])
def test_an_alert_takes_few_statements(
    runtime: Runtime, store: SqlStore, shape: Callable[[str, int], list[Event]]
) -> None:
    """All channels are notified by one of them."""
    runtime = with_channels(runtime, 4)
    ingest(batch(*shape("warm", 2)), runtime, now=NOW)
    with counted(store.engine) as few:
        ingest(batch(*shape("few", 3)), runtime, now=NOW)
    before = len(rows(store, ALERTS))
    with counted(store.engine) as many:
        ingest(batch(*shape("many", 30)), runtime, now=NOW)

    assert len(rows(store, ALERTS)) == before + 30
    assert many.statements - few.statements <= 27 * MOST
