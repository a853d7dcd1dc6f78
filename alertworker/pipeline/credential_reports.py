"""Reads refused credentials from the store. The number of statements does not depend on the number of credentials."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from alertworker.outages.credential_alert import fingerprint
from alertworker.outages.credentials import CredentialState, RefusalReport, Refusals, shared_by, unserved_models
from alertworker.outages.model import EndedCalls, add_up
from alertworker.outages.rows import CredentialKey
from alertworker.outages.verdict import DEAD_REACH
from alertworker.outages.windows import WINDOW_SECONDS, Calls, bucket_of
from alertworker.ports import Transaction


def read_reports(
    tx: Transaction, states: Mapping[CredentialKey, CredentialState], at: Mapping[CredentialKey, datetime]
) -> dict[CredentialKey, RefusalReport]:
    """Return the reports on refusals since each credential's last success, within the reach of the dead rule."""
    starts = {key: max(state.over_until, bucket_of(at[key].timestamp()) - DEAD_REACH) for key, state in states.items()}
    since = {key: max(start, states[key].last_success + WINDOW_SECONDS) for key, start in starts.items()}
    rows = tx.credentials.refusals(since)
    # Some producers do not report which credential succeeded. Any success of its deployments counts then.
    unreported = {key: rows[key] for key in rows if rows[key] and not states[key].last_success}
    if unreported:
        names = {row.deployment_id for own in unreported.values() for row in own}
        accepted = tx.credentials.last_successes(sorted(names), start=min(starts[key] for key in unreported))
        for key, own in unreported.items():
            last = max(accepted.get(row.deployment_id, 0) for row in own) // 1_000
            since[key] = max(since[key], bucket_of(last) + WINDOW_SECONDS)
        rows |= tx.credentials.refusals({key: since[key] for key in unreported})
    return _reports(tx, rows)


def own_conditions(tx: Transaction, keys: Collection[CredentialKey]) -> set[CredentialKey]:
    """Return the credentials that have an open condition of their own, and do not share one. Nothing is locked."""
    opened = tx.alerts.read_open([fingerprint(key) for key in keys])
    return {key for key in keys if fingerprint(key) in opened}


def condition_labels(tx: Transaction, keys: Collection[CredentialKey]) -> dict[CredentialKey, str]:
    """Return the label ``credential`` of the condition that each refused credential has, or shares."""
    own = own_conditions(tx, keys)
    return {key: (key if key in own else shared_by(key.provider)).credential for key in keys}


def reports_since(tx: Transaction, starts: Mapping[CredentialKey, int]) -> dict[CredentialKey, RefusalReport]:
    """Return the reports on each credential's refusals since its own epoch second."""
    return _reports(tx, tx.credentials.refusals(starts))


def _reports(
    tx: Transaction, refusals: Mapping[CredentialKey, Sequence[Refusals]]
) -> dict[CredentialKey, RefusalReport]:
    """Return the refusals, and how the calls ended that their deployments failed since.

    A call that is retried on several deployments of a credential counts once. A call that found no deployment counts if
    no other credential serves its model.
    """
    begun = {key: min(row.since for row in rows) for key, rows in refusals.items() if rows}
    users = {key: {row.deployment_id for row in refusals[key]} for key in begun}
    failed = tx.credentials.calls_failed_by_each(users, starts=begun) if begun else {}
    models = {key: {row.model for row in refusals[key] if row.model} for key in begun}
    ended = _ended(tx, models, begun)
    found = {key: RefusalReport(key, rows, Calls(), ()) for key, rows in refusals.items()}
    for key, since in begun.items():
        alone = unserved_models(refusals[key], failed[key])
        by_first = [one for model in sorted(models[key]) for one in ended[model] if one.bucket >= since]
        calls = add_up((one for one in by_first if one.deployment_id in users[key]), since=since)
        for own in failed[key].values():  # also calls without a known model
            calls = calls.at_least(own)
        starved = [one for model in alone if model for one in ended[model] if not one.deployment_id]
        found[key] = RefusalReport(key, refusals[key], calls + add_up(starved, since=since), alone, failed[key])
    return found


def _ended(
    tx: Transaction, models: Mapping[CredentialKey, Collection[str]], begun: Mapping[CredentialKey, int]
) -> dict[str, list[EndedCalls]]:
    starts: dict[str, int] = {}
    for key, own in models.items():
        starts |= {model: min(begun[key], starts.get(model, begun[key])) for model in own}
    return tx.models.ended_calls(starts)
