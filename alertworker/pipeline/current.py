"""The current facts of an open alert, composed from the store at the time of notification, or when a page shows it.

There is one function for each type whose facts change while it is open. The facts of the other types stay true.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from alertworker.alerts.aggregate import with_common_facts
from alertworker.alerts.alert import Alert, OpenAlert, Subject, fingerprint_of
from alertworker.alerts.catalogue import CATALOGUE, FLAPPING, RELAYED, AlertType
from alertworker.alerts.message import Step
from alertworker.alerts.stored import StoredReader
from alertworker.budgets import alert as budgets
from alertworker.budgets.readings import BudgetKey, Reading
from alertworker.budgets.user_thresholds import explained
from alertworker.events import BudgetScope
from alertworker.outages import alert as outages
from alertworker.outages import callers, flapping
from alertworker.outages.credential_alert import key_of, total
from alertworker.outages.model import EndedCalls, add_up
from alertworker.outages.model_alert import is_about_model, total_of_model
from alertworker.outages.rows import CredentialKey
from alertworker.outages.windows import WINDOW_SECONDS, Bucket, Calls, Target, bucket_of
from alertworker.pipeline.counted_calls import CountedCalls, PlaceScope
from alertworker.pipeline.credential_reports import reports_since
from alertworker.ports import Transaction
from alertworker.ports.alert_search import AlertRow

_S = TypeVar("_S", bound=Subject)


def current(tx: Transaction, alert: _S, *, zone: ZoneInfo, now: datetime) -> _S:
    """Return an open alert with its current headline, facts and count."""
    if _is_whole(alert):
        return alert
    if alert.type in (AlertType.OUTAGE_ALERTS, AlertType.REGION_OUTAGE_ALERTS):
        return _current_outage(tx, alert, now)
    if alert.type is AlertType.CALLER_ERRORS:
        return alert if isinstance(alert, OpenAlert) and alert.opened else caller_total(tx, alert)
    if alert.type is AlertType.BUDGET_ALERTS:
        return _current_budget(tx, alert, zone, now)
    if alert.type is AlertType.CHANNEL_BROKEN:
        broken = broken_channel(alert, tx.notifications.broken_channels())
        waiting = tx.notifications.count_waiting(broken) if broken is not None else 0
        return replace(alert, facts={"Messages waiting": f"{waiting:,}", **alert.facts})
    return alert


def broken_channel(alert: Subject, names: Iterable[str]) -> str | None:
    """Return the channel of these that the alert reports as broken, ``None`` if it reports none of them.

    Its label is for people and may have changed since, so the fingerprint decides.
    """
    if alert.type is not AlertType.CHANNEL_BROKEN:
        return None
    fingerprints = {fingerprint_of(AlertType.CHANNEL_BROKEN, {"channel": name}): name for name in names}
    return fingerprints.get(alert.fingerprint)


def _is_whole(alert: Subject) -> bool:
    """Return whether a stored alert is complete. An alert that LiteLLM wrote always is."""
    if key_of(alert) is not None:
        return False
    return RELAYED in alert.labels or not alert.labels.keys() >= set(CATALOGUE[alert.type].identity)


def current_row(tx: Transaction, row: AlertRow, *, zone: ZoneInfo, now: datetime) -> AlertRow:
    """Return an alert's row with its current headline, facts and count. A closed alert has its last ones."""
    if row.type not in set(AlertType):
        return row
    stored = StoredReader()
    subject = Subject(
        id=row.id,
        type=AlertType(row.type),
        severity=stored.severity(row.severity),
        headline=row.headline,
        headline_parts=stored.headline_parts(row.headline_parts, row.headline),
        labels=row.labels,
        first_at=row.first_at,
        last_at=row.last_at,
        facts=row.facts,
        count=row.count,
        notified_count=row.notified_count,
        fingerprint=row.fingerprint,
    )
    found = subject if row.open_fingerprint is None else current(tx, subject, zone=zone, now=now)
    facts = with_common_facts(found, Step.FIRING, {}).facts
    return replace(row, headline=found.headline, facts=facts, count=found.count)


def outage_sums(
    tx: Transaction, alert: Subject, counted: CountedCalls, *, until: int | None = None
) -> tuple[list[Bucket], Calls, Mapping[str, str]]:
    """Return a target's attempts since an outage began, how its calls ended, and the names of deployments by id.

    The attempts in the bucket of ``until`` are the last ones. A region's are those that count for it.
    """
    target, start = outages.target_of(alert), bucket_of(alert.first_at.timestamp())
    end = None if until is None else bucket_of(until) + WINDOW_SECONDS
    found = tx.outages.buckets(target, start=start, end=end)
    if target.deployment_id:
        return found, tx.outages.calls_failed_by(target, start=start), {}
    scope = PlaceScope(tx, counted)
    buckets = scope.total(target, found)
    calls = scope.calls_failed_by(target, start=start, buckets=found, counting=buckets)
    return buckets, calls, _names_of(tx, buckets)


def model_sums(tx: Transaction, alert: Subject, counted: CountedCalls) -> tuple[list[Bucket], Calls, Mapping[str, str]]:
    """Return what `outage_sums` does, of a model group's deployments."""
    model, since = alert.labels["model"], bucket_of(alert.first_at.timestamp())
    found = tx.models.model_buckets({model: since})[model]
    calls: Sequence[EndedCalls] = tx.models.ended_calls({model: since})[model]
    buckets = counted.without_silenced(found)
    return buckets, add_up(counted.ended_calls(calls, model, found), since=since), _names_of(tx, buckets)


def _names_of(tx: Transaction, buckets: Sequence[Bucket]) -> Mapping[str, str]:
    """Return the names of the deployments that failed calls, by id."""
    return names_of(tx, {row.deployment_id for row in buckets if row.failed})


def caller_total(tx: Transaction, alert: _S) -> _S:
    """Return a caller's problem with its totals since it began."""
    start = bucket_of(alert.first_at.timestamp())
    rows = tx.callers.failures_of(alert.labels["entity"], since=start)
    deployments = sorted({row.deployment_id for row in rows})
    found = tx.outages.buckets_of({Target(name): start for name in deployments})
    return callers.total(alert, rows, (row for own in found.values() for row in own), names_of(tx, deployments))


def names_of(tx: Transaction, deployments: Collection[str]) -> Mapping[str, str]:
    """Return the known names of deployments, by id."""
    return tx.aliases.deployment_titles(deployments) if deployments else {}


def _current_outage(tx: Transaction, alert: _S, now: datetime) -> _S:
    if is_about_model(alert):
        return total_of_model(alert, *model_sums(tx, alert, CountedCalls(tx, now=now)))
    if (key := key_of(alert)) is not None:
        return _current_credential(tx, alert, key)
    found = outages.total(alert, *outage_sums(tx, alert, CountedCalls(tx, now=now)))
    if FLAPPING not in alert.labels:
        return found
    return flapping.describe(found, tx.outages.outage_of(outages.target_of(alert)), until=int(now.timestamp()))


def _current_credential(tx: Transaction, alert: _S, key: CredentialKey) -> _S:
    report = reports_since(tx, {key: bucket_of(alert.first_at.timestamp())})[key]
    return total(alert, report, names_of(tx, {row.deployment_id for row in report.rows}))


def _current_budget(tx: Transaction, alert: _S, zone: ZoneInfo, now: datetime) -> _S:
    if isinstance(alert, OpenAlert) and (alert.opened or alert.rose):
        return alert  # the transaction that claims it composed it
    key = BudgetKey.parse(alert.labels["budget"], alert.labels["entity"])
    state = tx.budgets.budget(key)
    limit = budgets.highest(key, state.reading) if state is not None else None
    if state is None or limit is None or budgets.fingerprint(key, state) != alert.fingerprint:
        return alert
    found = budgets.describe(key, state, limit, now=now, zone=zone)
    facts = explain_budget(tx, key, state.reading, found, zone).facts
    return replace(alert, headline=found.headline, facts=facts, figures=found.figures)


def explain_budget(tx: Transaction, key: BudgetKey, reading: Reading, alert: Alert, zone: ZoneInfo) -> Alert:
    """Return a budget's alert with its top contributors since the period's start, or of 30 days without a period."""
    dimension = str(key.scope)
    entities = [(reading.owner.id_of(dimension) if reading.part else "") or key.entity]
    if dimension == BudgetScope.KEY:
        alias = reading.owner.key_alias
        entities = tx.aliases.ids_by_alias(dimension, [alias])[alias] if alias else [reading.owner.key_hash]
    start = budgets.start_of(reading) or reading.at - timedelta(days=30)
    first, last = (moment.astimezone(zone).date() for moment in (start, max(start, reading.at)))
    return replace(alert, facts=explained(alert, tx.user_totals.top_contributors(dimension, entities, first, last)))
