"""Two versions on one database: what the newer one has stored stops no worker, parks no batch and is not lost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from alertworker.alerts.alert import Alert
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import Step
from alertworker.alerts.outage_headline import OutageHeadline
from alertworker.alerts.state import AlertChange, AlertState, state_after, state_of
from alertworker.alerts.suppression import Suppression, SuppressionReason
from alertworker.budgets.configured import OwnBudget
from alertworker.budgets.readings import BudgetKey
from alertworker.pipeline import Runtime, ingest, sweep
from alertworker.ports import Clock
from alertworker.routing.matchers import parse
from alertworker.routing.silences import Silence
from alertworker.store import AdminStore, SqlStore
from alertworker.store.migrations import upgrade
from alertworker.store.schema.alerts import ALERTS
from alertworker.store.schema.batches import COUNTERS
from alertworker.store.schema.budgets import BUDGETS
from alertworker.store.schema.delivery import DEAD_LETTERS, NOTIFICATIONS
from alertworker.store.schema.outages import WINDOWS
from alertworker.store.schema.publishers import CLOCKS
from tests.integration.harness import NOW, Outbox, announced, answered, batch, failed, rows, run_until_quiet
from tests.integration.pages import signed_in
from tests.integration.test_schema import _migrate, _row
from tests.integration.test_work_per_alert import open_conditions

LATER = NOW + timedelta(seconds=20)
#: An open alert of a type that this version does not know, long overdue.
NEWER: dict[str, Any] = {"type": "quota_alerts", "next_summary_at": NOW - timedelta(days=1), "count": 2}


def unknown_values(store: SqlStore) -> dict[str, int]:
    """Return how often a value was read that only a newer version knows."""
    return {row.label: row.value for row in rows(store, COUNTERS) if row.name == "unknown_values"}


def change_alerts(store: SqlStore, **values: Any) -> None:
    """Change the open alerts, as a newer version would."""
    with store.engine.begin() as connection:
        connection.execute(update(ALERTS).where(ALERTS.c.open_fingerprint.is_not(None)).values(values))


def test_alerts_of_unknown_types_are_left_as_they_are_and_hold_nothing_up(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """The number of alerts and their age do not matter. They are counted each minute."""
    open_conditions(store, range(300), **NEWER)
    open_conditions(store, range(300, 301), **NEWER | {"deferred_channels": ["outbox"]})
    before = rows(store, ALERTS)
    ingest(batch(failed("a"), announced("b")), runtime, now=NOW)
    for seconds in (0, 11, 30):
        sweep(runtime, now=NOW + timedelta(seconds=seconds))
        run_until_quiet(runtime, NOW + timedelta(seconds=seconds))

    assert sorted(message.step for message in outbox.sent) == [Step.FIRING, Step.NOTICE]
    assert sorted(row for row in rows(store, ALERTS) if row.type == "quota_alerts") == sorted(before)
    assert unknown_values(store) == {"alert type quota_alerts": 301}
    sweep(runtime, now=NOW + timedelta(seconds=61))
    assert unknown_values(store) == {"alert type quota_alerts": 602}
    assert rows(store, DEAD_LETTERS) == []


@pytest.mark.parametrize(
    ("values", "unknown"),
    [
        ({"severity": "Critical"}, "severity Critical"),
        ({"figures": {"event": "quota_crossed", "scope": "team", "entity_id": "t", "spend_nanos": 1}}, "BudgetFigures"),
        ({"tables": [{"title": "t", "columns": [{"name": "c", "unit": "tokens"}], "rows": [[1]]}]}, "Table"),
        ({"headline_parts": {"subject": "s", "rank": "critical"}}, "OutageHeadline"),
        ({"suppressed_by": "quota 7", "last_suppressed_by": "quota 7"}, None),
    ],
)
def test_unknown_values_of_a_known_alert_neither_park_a_batch_nor_stop_a_sweep(
    runtime: Runtime, outbox: Outbox, store: SqlStore, values: dict[str, Any], unknown: str | None
) -> None:
    """Further occurrences are counted, and their summary is sent."""
    ingest(batch(failed("a")), runtime, now=NOW)
    run_until_quiet(runtime, NOW)
    ingest(batch(failed("b")), runtime, now=NOW)
    change_alerts(store, **values)
    sweep(runtime, now=LATER)
    run_until_quiet(runtime, LATER)
    change_alerts(store, **values)
    ingest(batch(failed("c")), runtime, now=LATER)

    assert [(message.count, message.total) for message in outbox.sent] == [(1, 1), (1, 2)]
    assert [row.count for row in rows(store, ALERTS)] == [3]
    assert set(unknown_values(store)) == ({unknown} if unknown else set())
    assert rows(store, DEAD_LETTERS) == []


@pytest.mark.parametrize("attempted", [True, False])
def test_a_message_of_an_unknown_type_is_sent_and_the_lane_continues(
    runtime: Runtime, outbox: Outbox, store: SqlStore, attempted: bool
) -> None:
    """This holds for sealed and unsealed messages. The messages behind it are sent, too."""
    ingest(batch(failed("a"), failed("b").model_copy(update={"model_group": "m2"})), runtime, now=NOW)
    first = min(rows(store, NOTIFICATIONS), key=lambda row: (row.created_at, str(row.id)))
    stored = {**json.loads(first.message), "type": "quota_alerts", "severity": "Critical", "step": "escalation"}
    body = first.message if attempted else None
    with store.engine.begin() as connection:
        own = update(NOTIFICATIONS).where(NOTIFICATIONS.c.id == first.id)
        connection.execute(own.values(message=json.dumps(stored), step="escalation:0", body=body))
    run_until_quiet(runtime, NOW)

    assert len(outbox.sent) == 2
    assert {row.status for row in rows(store, NOTIFICATIONS)} == {"sent"}
    assert {name.split()[0] for name in unknown_values(store)} == {"alert", "severity", "step"}


def test_pages_show_values_of_a_newer_version(runtime: Runtime, store: SqlStore) -> None:
    """The page shows the stored value."""
    ingest(batch(failed("a")), runtime, now=NOW)
    [alert] = rows(store, ALERTS)
    tables = [{"title": "t", "columns": [{"name": "c", "unit": "tokens"}], "rows": [[1]]}]
    change_alerts(store, type="quota_alerts", severity="Critical", suppressed_by="quota 7", tables=tables)
    with store.engine.begin() as connection:
        connection.execute(update(NOTIFICATIONS).values(status="escalated", step="escalation:1"))
    shown = signed_in(store, runtime).get(f"/alerts/{alert.id}")

    assert shown.status == 200
    assert "quota 7" in shown.text
    assert "escalated" in shown.text


def test_every_text_of_a_row_is_one_that_the_version_before_reads(
    runtime: Runtime, outbox: Outbox, store: SqlStore
) -> None:
    """The values are written out here as the previous version writes them: both versions have the same rows."""
    admin = AdminStore(store.engine)
    silenced = Silence("s1", (parse('model="quiet"'),), NOW, NOW + timedelta(hours=1), "ops", "r")
    admin.add_silence(silenced, now=NOW)
    runtime = replace(runtime, budgets=(OwnBudget(dimension="tag", max=1, thresholds=(50,)),))
    quiet = announced("b").model_copy(update={"model_group": "quiet"})
    ingest(batch(failed("a"), quiet, answered("c", tags=("nightly",), cost_nanos=6 * 10**8)), runtime, now=NOW)
    sweep(runtime, now=NOW)
    run_until_quiet(runtime, NOW)
    ingest(batch(failed("d")), runtime, now=NOW)
    sweep(runtime, now=LATER)
    run_until_quiet(runtime, LATER)

    assert {row.suppressed_by for row in rows(store, ALERTS)} == {None, "silence s1"}
    assert {row.last_suppressed_by for row in rows(store, ALERTS)} == {None, "silence s1"}
    assert {(row.step, row.status) for row in rows(store, NOTIFICATIONS)} == {
        ("notice:0", "sent"),
        ("firing:0", "sent"),
        ("summary:1", "sent"),
    }
    assert [(row.scope, row.entity) for row in rows(store, BUDGETS)] == [("own tag month", "nightly")]
    budget = next(row for row in rows(store, ALERTS) if row.type == "budget_alerts")
    assert budget.labels["budget"] == "own tag month"
    assert {row.name for row in rows(store, CLOCKS)} >= {"canary_sent", "owed_looked_at", "pruned", "zone_looked_at"}
    assert {row.label for row in rows(store, COUNTERS) if row.name == "muted"} == {"silence"}
    assert outbox.sent != []


def test_rows_of_the_first_schema_are_upgraded_and_used(runtime: Runtime, outbox: Outbox, store: SqlStore) -> None:
    """A suppressed condition, a budget of our own, and a waiting message, in that version's strings."""
    ingest(batch(failed("a")), runtime, now=NOW)  # its message waits as "notice:0"
    _migrate(store.engine, "downgrade", "0001")
    broken = Alert(AlertType.CHANNEL_BROKEN, Severity.HIGH, {"channel": "mail"}, "h", NOW, NOW)
    identity = {"fingerprint": broken.fingerprint, "open_fingerprint": broken.fingerprint, "labels": broken.identity}
    suppressed = {"type": "channel_broken", "suppressed_by": "silence gone", "next_summary_at": NOW}
    moments = dict.fromkeys(("at", "limits_at", "spent_at", "high_at"), NOW)
    sums = {"spend_nanos": 60, "max_nanos": 100, "notified_nanos": 50, "level": 1, "closed": False}
    budget = {"scope": "own tag month", "entity": "nightly", "who": {}, "shares": [50], **sums, **moments}
    with store.engine.begin() as connection:
        connection.execute(ALERTS.insert(), _row("1", **identity, **suppressed))
        connection.execute(BUDGETS.insert(), budget)
    upgrade(store.engine)

    opened = store.run(lambda tx: tx.alerts.find_open(broken.fingerprint))
    assert opened is not None
    assert opened.suppression == Suppression(SuppressionReason.SILENCE, "gone")
    key = BudgetKey("tag", "nightly", "month")
    assert list(store.run(lambda tx: tx.budgets.live_budgets())) == [key]
    assert store.run(lambda tx: tx.budgets.budget(key)) is not None
    sweep(runtime, now=NOW)
    run_until_quiet(runtime, NOW)
    assert [message.step for message in outbox.sent] == [Step.NOTICE, Step.FIRING]
    assert {row.step for row in rows(store, NOTIFICATIONS)} == {"notice:0", "firing:0"}


def test_outages_of_a_schema_without_parts_of_headlines_go_on_after_the_upgrade(store: SqlStore) -> None:
    """An open outage keeps its headline. So does an alert that a worker of that version opens or changes afterwards."""
    headline = "Minor Service Outage: d2 (gpt-4o)"
    alerts = {
        "1": Alert(AlertType.OUTAGE_ALERTS, Severity.MEDIUM, {"deployment": "d2"}, headline, NOW, NOW),
        "2": Alert(AlertType.OUTAGE_ALERTS, Severity.MEDIUM, {"deployment": "d3"}, headline, NOW, NOW),
    }
    stored = {
        name: _row(name, fingerprint=one.fingerprint, open_fingerprint=one.fingerprint, headline=headline)
        | {"labels": {**one.identity, "model": "gpt-4o"}}
        for name, one in alerts.items()
    }
    _migrate(store.engine, "downgrade", "0008")
    with store.engine.begin() as connection:
        connection.execute(ALERTS.insert(), stored["1"])
    upgrade(store.engine)
    with store.engine.begin() as connection:
        connection.execute(ALERTS.insert(), stored["2"])

    found = store.run(lambda tx: tx.alerts.find_all_open(one.fingerprint for one in alerts.values()))
    assert {(one.id, one.headline, one.headline_parts) for one in found.values()} == {
        ("1", headline, None),
        ("2", headline, None),
    }
    parts = OutageHeadline(subject="azure/gpt-4o (d2)", is_major=True)
    own = replace(alerts["1"], headline=parts.text, headline_parts=parts)
    raised = store.run(lambda tx: tx.alerts.raise_alert(own, next_summary_at=NOW, now=NOW))
    assert (raised.id, raised.headline, raised.headline_parts) == ("1", parts.text, parts)
    change_alerts(store, headline=headline)  # the previous version leaves the parts as they are
    changed = store.run(lambda tx: tx.alerts.find_open(own.fingerprint))
    assert changed is not None
    assert (changed.headline, changed.headline_parts) == (headline, None)
    assert unknown_values(store) == {}


def test_sums_that_only_the_previous_version_writes_are_left_as_they_are(runtime: Runtime, store: SqlStore) -> None:
    """Both versions add to one bucket. A row that this version makes has zeros there."""
    bucket = int(NOW.timestamp()) // 10 * 10
    key = {"deployment_id": "d1", "provider": "", "region": "", "bucket": bucket}
    sums = {"succeeded": 2, "failed": 3, "milliseconds": 500, "completion_tokens": 70, "last_success": 1}
    with store.engine.begin() as connection:
        connection.execute(WINDOWS.insert(), key | sums)

    ingest(batch(answered("a"), answered("b", deployment_id="d2")), runtime, now=NOW)

    found = {row.deployment_id: row for row in rows(store, WINDOWS)}
    last = int(NOW.timestamp() * 1_000)
    assert tuple(found["d1"])[4:9] == (3, 3, 500, 70, last)
    assert tuple(found["d2"])[4:9] == (1, 0, 0, 0, last)


def test_the_moments_have_the_names_of_the_version_before() -> None:
    """Workers of both versions share the clocks."""
    assert [clock.value for clock in Clock] == [
        "canary_sent",
        "canary_arrived",
        "heartbeat_pinged",
        "owed_looked_at",
        "pruned",
        "users_looked_at",
        "users_piece",  # only this version has it
        "zone_looked_at",
        "publishers_judged",  # only this version has it
        "unknown_types_looked_at",
    ]


class Life:
    """One alert in the store, changed as workers and people change it."""

    def __init__(self, store: SqlStore, name: str) -> None:
        self.store = store
        self.alert = Alert(AlertType.BUDGET_ALERTS, Severity.LOW, {"team": name}, "h", NOW, NOW)
        self.level = 1
        self.id = ""

    def make(self, change: AlertChange) -> None:
        """Make a change with the pipeline's own statements."""
        if change is AlertChange.ROSE:
            self.level += 1
        alert = replace(self.alert, level=self.level)
        suppression = Suppression(SuppressionReason.TIME)

        def work(tx: Any) -> None:
            if change in (AlertChange.RAISED, AlertChange.COUNTED, AlertChange.ROSE):
                self.id = tx.alerts.raise_alert(alert, next_summary_at=NOW, now=NOW).id
            elif change is AlertChange.SUPPRESSED:
                tx.alerts.suppress(self.id, suppression, check_again_at=NOW)
            elif change is AlertChange.NOTIFIED:
                tx.alerts.record_notified(self.id, count=1, next_summary_at=NOW, now=NOW)
            elif change is AlertChange.CLOSED:
                tx.alerts.close(self.id, count=1, now=NOW)

        self.store.run(work)
        if change is AlertChange.ACKNOWLEDGED:
            assert AdminStore(self.store.engine).acknowledge(self.id, by="ops", note="", now=NOW)

    def state(self) -> tuple[AlertState, bool]:
        """Return the state by the row's columns, and whether the alert is acknowledged."""
        [row] = [row for row in rows(self.store, ALERTS) if row.id == self.id]
        columns = {"is_open": row.open_fingerprint is not None, "is_suppressed": row.suppressed_by is not None}
        return state_of(**columns, is_acknowledged=row.acked_at is not None), row.acked_at is not None


def paths(state: AlertState | None, length: int) -> list[list[AlertChange]]:
    """Return every sequence of this many changes that can happen to an alert in this state."""
    if length == 0:
        return [[]]
    found = []
    for change in AlertChange:
        after = state_after(state, change)
        if after is not None:
            found += [[change, *more] for more in paths(after, length - 1)] or [[change]]
    return found


def test_the_store_changes_alerts_as_in_the_table(store: SqlStore) -> None:
    """The test runs every sequence of four changes, starting without an alert."""
    wrong: list[Sequence[AlertChange]] = []
    for number, changes in enumerate(paths(None, 4)):
        life, expected = Life(store, f"team{number}"), None
        for change in changes:
            life.make(change)
            found, acknowledged = life.state()
            expected = state_after(expected, change, acknowledged=acknowledged)
            if found is not expected:
                wrong.append(changes)

    assert wrong == []
