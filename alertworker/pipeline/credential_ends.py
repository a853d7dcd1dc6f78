"""The ends of refused credentials and of the outages that they explain, which the sweep judges."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from alertworker.alerts.alert import OpenAlert
from alertworker.alerts.catalogue import AlertType
from alertworker.events.batch import REDELIVERED_WITHIN
from alertworker.outages import alert as outages
from alertworker.outages import credential_alert, credentials, model_alert
from alertworker.outages.credentials import CredentialState, Refusals
from alertworker.outages.ending import End, Ending
from alertworker.outages.facts import without_error
from alertworker.outages.rows import CredentialKey
from alertworker.outages.windows import Outage, Target, bucket_of
from alertworker.pipeline.counted_calls import CountedCalls
from alertworker.pipeline.credential_reports import own_conditions, reports_since
from alertworker.pipeline.current import model_sums, names_of, outage_sums
from alertworker.pipeline.explained import settle_explained
from alertworker.pipeline.notify import resolve
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Clock, Transaction

_OUTAGES: Final = (AlertType.OUTAGE_ALERTS, AlertType.REGION_OUTAGE_ALERTS)


def end_credentials(tx: Transaction, runtime: Runtime, *, limit: int, now: datetime) -> bool:
    """Resolve at most ``limit`` conditions that are over. Return whether more may be left.

    Outages that the credential explains end with it. Only the time before the newest returned canary is judged, and
    nothing while a publisher has a backlog. Otherwise events may be missing.

    Rows are locked in the order of ingest: credentials, their alerts, outages, the alerts of these, notices.
    """
    arrived = tx.clock.read(Clock.CANARY_ARRIVED)
    if arrived is None or tx.publishers.backlogged():
        return False
    until = bucket_of((arrived - REDELIVERED_WITHIN).timestamp())
    states = tx.credentials.lock_refused_credentials()
    alerts = tx.alerts.find_all_open(map(credential_alert.fingerprint, states))
    opened = {key: alerts.get(credential_alert.fingerprint(key)) for key in states}
    rows = tx.credentials.refusals({key: _start(opened[key], one, until) for key, one in states.items()})
    ends = _ends(tx, states, rows, until)
    ended = {key: ends[key] for key in sorted(ends)[:limit]}
    _resolve(tx, {key: (alert, ended[key]) for key in ended if (alert := opened[key]) is not None}, runtime, now=now)
    for key in ended:
        over_until = max(states[key].over_until, until)
        tx.credentials.keep_credential(key, replace(states[key], level=0, over_until=over_until))
    shared = _resolve_shared(tx, {key for key in ended if opened[key] is None}, runtime, now=now)
    labels = {key.credential for key in (*ended, *shared)}
    _end_explained(tx, {key: rows[key] for key in ended}, labels, until, runtime, now=now)
    return len(ended) < len(ends)


def _start(alert: OpenAlert | None, state: CredentialState, until: int) -> int:
    since = bucket_of(alert.first_at.timestamp()) if alert is not None else until - credentials.UNUSED_SECONDS
    return max(since, state.over_until)


def _ends(
    tx: Transaction,
    states: Mapping[CredentialKey, CredentialState],
    rows: Mapping[CredentialKey, Sequence[Refusals]],
    until: int,
) -> dict[CredentialKey, End]:
    """Return the ends of the credentials' conditions that are over."""
    names = {row.deployment_id for own in rows.values() for row in own}
    first = min((row.since for own in rows.values() for row in own), default=0)
    successes = tx.credentials.last_successes(sorted(names), start=first) if names else {}
    found = {key: credentials.ended(rows[key], one, successes, until=until) for key, one in states.items()}
    return {key: end for key, end in found.items() if end is not None}


def _resolve(
    tx: Transaction, over: Mapping[CredentialKey, tuple[OpenAlert, End]], runtime: Runtime, *, now: datetime
) -> None:
    """Resolve conditions with the totals since each began."""
    reports = reports_since(tx, {key: bucket_of(alert.first_at.timestamp()) for key, (alert, _) in over.items()})
    names = names_of(tx, {row.deployment_id for one in reports.values() for row in one.rows})
    for key, (alert, end) in over.items():
        report = reports[key]
        found = credential_alert.total(alert, report, names, is_over=True)
        facts = without_error(found.facts)
        last = max((row.last_refusal for row in report.rows), default=0)
        ended_at = datetime.fromtimestamp(last / 1_000, UTC) if last else None
        resolve(tx, replace(found, facts=facts, ended_at=ended_at, unknown=end is End.UNKNOWN), runtime, now=now)


def _resolve_shared(
    tx: Transaction, ended: Collection[CredentialKey], runtime: Runtime, *, now: datetime
) -> list[CredentialKey]:
    """Resolve each shared condition whose last credential has ended. Return their keys."""
    if not ended:
        return []
    left = tx.credentials.refused_credentials()
    sharing = {key.provider for key in left.keys() - own_conditions(tx, left)}
    over = [credentials.shared_by(name) for name in {key.provider for key in ended} - sharing]
    alerts = tx.alerts.find_all_open(map(credential_alert.fingerprint, over))
    for _, alert in sorted(alerts.items()):
        facts = without_error(alert.facts)
        resolve(tx, replace(alert, facts=facts, ended_at=alert.last_at), runtime, now=now)
    return over


def _end_explained(
    tx: Transaction,
    rows: Mapping[CredentialKey, Sequence[Refusals]],
    labels: Collection[str],
    until: int,
    runtime: Runtime,
    *,
    now: datetime,
) -> None:
    """End the outages that the credentials explain. Most channels were not notified of these.

    ``rows`` are the refusals of the credentials that have ended. ``labels`` are the values of the label ``credential``
    of the conditions that have ended. A shared one also explains outages of credentials that ended before.

    Notices that they explain count as notified, so no summary of what they inhibited is sent after their end.
    """
    if not labels:
        return
    # Ingest may open outages of these until their rows are locked.
    subjects = {one for key, own in rows.items() for row in own for one in _subjects(key, row)}
    labelled = tx.alerts.labelled_alerts("credential", labels, _OUTAGES)
    subjects.update(_subject(alert) for alert in tx.alerts.read_open(labelled).values())
    targets = tx.outages.lock_outages(one for one in subjects if isinstance(one, Target))
    models = tx.models.lock_models(one for one in subjects if isinstance(one, str))
    labelled = tx.alerts.labelled_alerts("credential", labels, _OUTAGES)
    counted = CountedCalls(tx, now=now)
    for _, alert in sorted(tx.alerts.find_all_open(labelled).items()):
        one = _subject(alert)
        if isinstance(one, Target) and one in targets:
            resolve(tx, _total(tx, alert, counted, now), runtime, now=now)
            tx.outages.keep_outages({one: Outage(over_until=max(targets[one].over_until, until))})
        elif isinstance(one, str) and one in models:
            resolve(tx, _total(tx, alert, counted, now), runtime, now=now)
            tx.models.keep_models({one: Outage(over_until=max(models[one].over_until, until))})
    settle_explained(tx, "credential", labels, now=now)


def _subjects(key: CredentialKey, row: Refusals) -> Iterator[Target | str]:
    """Yield what may have an outage because of a credential's refused calls: targets, and the name of a model group."""
    if row.deployment_id:
        yield Target(row.deployment_id)
    if key.provider:
        yield Target(provider=key.provider)
    if key.provider and row.region:
        yield Target(provider=key.provider, region=row.region)
    if row.model:
        yield row.model


def _subject(alert: OpenAlert) -> Target | str:
    """Return what an outage's alert is about: a target, or the name of a model group."""
    return alert.labels["model"] if model_alert.is_about_model(alert) else outages.target_of(alert)


def _total(tx: Transaction, alert: OpenAlert, counted: CountedCalls, now: datetime) -> OpenAlert:
    """Return an outage with its totals. It ended with its last failure."""
    is_model = model_alert.is_about_model(alert)
    buckets, calls, names = model_sums(tx, alert, counted) if is_model else outage_sums(tx, alert, counted)
    last = max((row.last_failure for row in buckets), default=0) // 1_000
    ending = Ending(End.RECOVERED, last or int(alert.last_at.timestamp()))
    close = model_alert.close_model if is_model else outages.closing
    return close(alert, buckets, calls, names, ending, quiet=now - alert.last_at)
