"""The index of open conditions finds the same inhibitions as a scan of all of them."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import pytest

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.pipeline import Runtime
from alertworker.pipeline.notify import claim
from alertworker.routing.inhibitions import Inhibition, OpenCondition, find_inhibited
from alertworker.routing.matchers import parse
from alertworker.store import SqlStore
from alertworker.store.schema.alerts import ALERTS
from tests.integration.harness import NOW, rows
from tests.integration.test_work_per_alert import open_conditions

SOURCES = (
    'severity="High"',
    'severity=~"High|Low"',
    'alert_type="outage_alerts"',
    'alert_type!="budget_alerts"',
    'team=""',
)
TARGETS = ('severity=~"Medium|Low"', 'alert_type="llm_exceptions"', 'deployment=~"old.*"')
EQUAL = ("alert_type", "severity", "provider", "region", "team", "model", "deployment", "nowhere")


def test_alerts_of_the_same_type_are_inhibited_where_a_rule_asks_for_the_type(
    runtime: Runtime, store: SqlStore
) -> None:
    """Alertmanager's standard rule: a critical alert mutes the warnings of its name."""
    rule = Inhibition((parse('severity="High"'),), (parse('severity=~"Medium|Low"'),), ("alert_type",))
    runtime = replace(runtime, inhibitions=(rule,))
    open_conditions(store, range(1), type="outage_alerts")
    alert = Alert(AlertType.OUTAGE_ALERTS, Severity.MEDIUM, {"deployment": "new"}, "h", NOW, NOW)
    store.run(partial(claim, alert=alert, runtime=runtime, now=NOW))

    assert [row.suppressed_by for row in rows(store, ALERTS) if row.labels["deployment"] == "new"] == [f"alert {0:036}"]


@pytest.mark.parametrize("seed", range(4))
def test_the_lookup_finds_the_same_as_a_scan(store: SqlStore, seed: int) -> None:
    """The rules and the alert are random."""
    chance = random.Random(seed)
    for number in range(40):
        alert_type = chance.choice([AlertType.OUTAGE_ALERTS, AlertType.REGION_OUTAGE_ALERTS, AlertType.BUDGET_ALERTS])
        severity = chance.choice(list(Severity))
        open_conditions(store, range(number, number + 1), type=alert_type.value, severity=severity.value)
    every = [
        OpenCondition(row.id, {**row.labels, "alert_type": row.type, "severity": row.severity}, frozenset({"outbox"}))
        for row in sorted(rows(store, ALERTS), key=lambda row: str(row.id))
    ]
    missed = []
    for source, target in product(SOURCES, TARGETS):
        rule = Inhibition((parse(source),), (parse(target),), tuple(chance.sample(EQUAL, chance.randint(1, 2))))
        labels = {**chance.choice(every).labels, "severity": chance.choice(list(Severity)).value}
        labels |= {"alert_type": chance.choice(["llm_exceptions", labels["alert_type"]])}
        found = store.run(partial(_found, labels=labels, rule=rule))
        if found != find_inhibited("new", labels, {"outbox"}, (rule,), lambda _wanted: every):
            missed.append((rule, labels))

    assert missed == []


def _found(tx: Any, *, labels: dict[str, str], rule: Inhibition) -> dict[str, str]:
    return find_inhibited(
        "new", labels, {"outbox"}, (rule,), partial(tx.inhibitions.open_conditions, channels={"outbox"}, shadow=False)
    )
