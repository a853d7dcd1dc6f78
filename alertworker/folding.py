"""Folding: a batch's events become few rows and groups, so that the cost in SQL grows with entities, not with events.

Pure. Days and windows are cut by event time. A time more than `MAX_AHEAD` in the future is clamped to the present.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from alertworker.alerts.budget_payload import BudgetEvent
from alertworker.budgets.readings import BudgetKey, Reading, read, read_report
from alertworker.budgets.state import merge
from alertworker.events import (
    AlertRelayed,
    AttemptFailed,
    BudgetReported,
    Canary,
    DeploymentCooledDown,
    EndEvent,
    EntityChanged,
    Event,
    FailedOn,
    PublisherEvent,
    RequestAnnounced,
    RequestFailed,
    RequestSucceeded,
)
from alertworker.ledger.postings import Postings
from alertworker.ledger.rows import MAX_PART
from alertworker.outages.rows import (
    CallKey,
    CallSums,
    CauseKey,
    CauseSums,
    CredentialKey,
    FailingKey,
    KeyFailures,
    ModelCallKey,
    RefusalKey,
    RefusalSums,
    WindowKey,
    WindowSums,
)
from alertworker.outages.windows import (
    FORBIDDEN,
    NO_DEPLOYMENTS,
    REFUSED,
    UNAUTHORIZED,
    bucket_of,
    cause,
    model_of,
    targets_of,
)
from alertworker.text.shorten import shorten_id

#: How far a producer's clock may be ahead of ours. A later time is clamped.
MAX_AHEAD: Final = timedelta(minutes=5)


class DropKey(NamedTuple):
    """Events that a publisher's process dropped for one reason by the end of a day."""

    boot_id: str
    day: date
    reason: str


@dataclass(slots=True)
class Fold:
    """One batch, added up."""

    ledger: Postings = field(default_factory=Postings)
    windows: dict[WindowKey, WindowSums] = field(default_factory=dict)
    causes: dict[CauseKey, CauseSums] = field(default_factory=dict)
    calls: dict[CallKey, CallSums] = field(default_factory=dict)
    models: dict[ModelCallKey, CallSums] = field(default_factory=dict)
    failing_keys: dict[FailingKey, KeyFailures] = field(default_factory=dict)
    refusals: dict[RefusalKey, RefusalSums] = field(default_factory=dict)
    #: The last bucket in which a provider accepted a credential.
    accepted: dict[CredentialKey, int] = field(default_factory=dict)
    #: Failed attempts that a deployment is to blame for; each is counted in ``causes``.
    blamed: list[AttemptFailed] = field(default_factory=list)
    slow: list[RequestSucceeded] = field(default_factory=list)
    #: Answered calls that used tokens and have no known price.
    unpriced: list[RequestSucceeded] = field(default_factory=list)
    failed: list[RequestFailed] = field(default_factory=list)
    announced: dict[str, RequestAnnounced] = field(default_factory=dict)
    #: Ends of calls that were announced. All other ends need no look-up.
    ended: dict[str, EndEvent] = field(default_factory=dict)
    publishers: dict[str, PublisherEvent] = field(default_factory=dict)
    #: How many events publishers dropped since they started: the highest count of each day.
    drops: dict[DropKey, int] = field(default_factory=dict)
    budgets: dict[BudgetKey, Reading] = field(default_factory=dict)
    #: The last call of each key and team, by dimension and id. It names the owner of a budget of our own.
    callers: dict[tuple[str, str], EndEvent] = field(default_factory=dict)
    cooled_down: list[DeploymentCooledDown] = field(default_factory=list)
    changed: list[EntityChanged] = field(default_factory=list)
    #: Changes that a LiteLLM proxy's own alerting reported.
    changed_relayed: list[EntityChanged] = field(default_factory=list)
    relayed: list[AlertRelayed] = field(default_factory=list)
    #: Calls of customers with a cost, and reports of such calls by LiteLLM's own webhook.
    tracked: list[EndEvent | BudgetReported] = field(default_factory=list)
    canary_sent_at: datetime | None = None
    counts: Counter[str] = field(default_factory=Counter)
    #: How many events had a time too far in the future.
    clamped: int = 0


def fold(events: Iterable[Event], *, slow_seconds: float, zone: ZoneInfo, now: datetime) -> Fold:
    """Return the fold of events. A call that took longer than ``slow_seconds`` is kept as slow."""
    result = Fold()
    for published in events:
        event = _clamped(result, published, now)
        result.counts[type(event).__name__] += 1
        if isinstance(event, EndEvent):
            _end(result, event, zone)
            if isinstance(event, RequestSucceeded):
                if _seconds(event) > slow_seconds:
                    result.slow.append(event)
                if _lacks_price(event):
                    result.unpriced.append(event)
        else:
            _other_event(result, event, zone)
    return result


def _other_event(result: Fold, event: Event, zone: ZoneInfo) -> None:
    if isinstance(event, AttemptFailed):
        _blame(result, event)
        result.ledger.attempt(event, event.occurred_at.astimezone(zone).date())
    elif isinstance(event, RequestAnnounced):
        previous = result.announced.get(event.call_id)
        if previous is None or previous.age_seconds < event.age_seconds:
            result.announced[event.call_id] = event
    elif isinstance(event, PublisherEvent):
        _publisher(result, event, zone)
    elif isinstance(event, BudgetReported):
        _budgets(result, read_report(event))
        if event.event == BudgetEvent.SPEND_TRACKED and event.spend_nanos is not None:
            result.tracked.append(event)
    elif isinstance(event, Canary):
        result.canary_sent_at = max(result.canary_sent_at or event.occurred_at, event.occurred_at)
    else:
        _admin_event(result, event)


def _admin_event(result: Fold, event: Event) -> None:
    """Keep changes, cooldowns and relayed alerts one by one: there are few of them."""
    if isinstance(event, DeploymentCooledDown):
        result.cooled_down.append(event)
    elif isinstance(event, EntityChanged):
        (result.changed if event.source_host is None else result.changed_relayed).append(event)
    elif isinstance(event, AlertRelayed):
        result.relayed.append(event)


def _clamped(result: Fold, event: Event, now: datetime) -> Event:
    """Return the event, moved to ``now`` if its producer's clock is too far ahead."""
    if event.occurred_at <= now + MAX_AHEAD:
        return event
    result.clamped += 1
    return event.model_copy(update={"occurred_at": now})


def _seconds(event: EndEvent) -> float:
    return (event.ended_at - event.started_at).total_seconds()


def _lacks_price(event: RequestSucceeded) -> bool:
    """Return whether a call has no known price. A cost of 0 is a price, unless its producer could not price it."""
    if event.cost_nanos or event.cache_hit or not event.prompt_tokens + event.completion_tokens:
        return False
    return event.cost_nanos is None or event.cost_failure is not None


def _publisher(result: Fold, event: PublisherEvent, zone: ZoneInfo) -> None:
    previous = result.publishers.get(event.boot_id)
    if previous is None or previous.occurred_at <= event.occurred_at:
        result.publishers[event.boot_id] = event
    day = event.occurred_at.astimezone(zone).date()
    for reason, total in event.counters.dropped.items():
        key = DropKey(event.boot_id, day, reason)
        result.drops[key] = max(result.drops.get(key, 0), total)


def _end(result: Fold, event: EndEvent, zone: ZoneInfo) -> None:
    if event.announced:
        result.ended[event.call_id] = event
    if not event.health_check:  # the proxy's own checks are not clients' calls
        _outcome(result, event)
    result.ledger.end(event, event.occurred_at.astimezone(zone).date())
    if event.customer_id and event.cost_nanos is not None:
        result.tracked.append(event)
    if event.budgets:
        _budgets(result, read(event))
    if event.key_hash:
        result.callers["key", event.key_hash] = event
    if event.team_id:
        result.callers["team", event.team_id] = event


def _outcome(result: Fold, event: EndEvent) -> None:
    if isinstance(event, RequestFailed):
        result.failed.append(event)
    elif isinstance(event, RequestSucceeded) and event.deployment_id and not event.cache_hit:
        window = _window(result, event)
        # A call counts once on a deployment. If it failed there before it succeeded, it counts as failed.
        window.succeeded += event.deployment_id not in {failed.deployment_id for failed in event.failed_on}
        window.last_success = max(window.last_success, _milliseconds(event))
        if event.credential is not None:
            key = CredentialKey(event.provider or "", event.credential)
            result.accepted[key] = max(result.accepted.get(key, 0), bucket_of(event.occurred_at.timestamp()))
    _saved_or_lost(result, event)


def _saved_or_lost(result: Fold, event: EndEvent) -> None:
    """Count a call's end once for each deployment, and each region, that failed it.

    If its producer names no failed attempts, the deployment counts that the call ended on.
    """
    if not isinstance(event, RequestSucceeded | RequestFailed):
        return
    failed_on = event.failed_on
    if not failed_on and isinstance(event, RequestFailed) and event.deployment_id and _cause(event):
        failed_on = (FailedOn(deployment_id=event.deployment_id, provider=event.provider, region=event.region),)
    bucket, team = bucket_of(event.occurred_at.timestamp()), event.attribution.team
    for target in {target for failed in failed_on for target in targets_of(failed)}:
        _add_end(result.calls.setdefault(CallKey(*target, bucket, team), CallSums()), event)
    model = event.original_model_group or model_of(event)
    if model and (failed_on or event.fallbacks or _found_no_deployment(event)):
        first = failed_on[0].deployment_id if failed_on else ""
        _add_end(result.models.setdefault(ModelCallKey(model, first, bucket, team), CallSums()), event)


def _add_end(sums: CallSums, event: EndEvent) -> None:
    if isinstance(event, RequestFailed):
        sums.lost += 1
    elif event.fallbacks:
        sums.by_fallback += 1
    else:
        sums.by_retry += 1


def _found_no_deployment(event: EndEvent) -> bool:
    """Return whether a call failed because all deployments of its model group were cooling down."""
    return isinstance(event, RequestFailed) and event.failure.error_class.startswith(NO_DEPLOYMENTS)


def _budgets(result: Fold, readings: Iterable[tuple[BudgetKey, Reading]]) -> None:
    for key, reading in readings:
        known = result.budgets.get(key)
        result.budgets[key] = reading if known is None else merge(known, reading)


def _blame(result: Fold, event: AttemptFailed) -> None:
    """Count a failed call under its cause, if the deployment is to blame."""
    if event.health_check:
        return
    _window(result, event)  # causes are read with the row of their bucket
    named = _cause(event)
    if named is None or event.first_on_deployment is False:
        return  # a call that is retried on a deployment is one failed call
    key = CauseKey(*_window_key(event), named)
    sums = result.causes.setdefault(key, CauseSums())
    sums.attempts += 1
    at = _milliseconds(event)
    sums.first_failure = min(sums.first_failure or at, at)
    sums.last_failure = max(sums.last_failure, at)
    result.blamed.append(event)
    _blame_on(result, event, key)


def _blame_on(result: Fold, event: AttemptFailed, where: CauseKey) -> None:
    """Count a failed call for its caller, and for the credential that the provider refused."""
    model = shorten_id(event.attribution.model, MAX_PART)
    failing = result.failing_keys.setdefault(FailingKey(*where[:4], event.key_hash or ""), KeyFailures())
    failing.failed += 1
    failing.model = max(failing.model, model)
    if event.credential is None or where.cause not in REFUSED:
        return
    key = RefusalKey(where.provider, event.credential, where.deployment_id, where.region, where.bucket)
    refused = result.refusals.setdefault(key, RefusalSums())
    refused.unauthorized += where.cause == UNAUTHORIZED
    refused.forbidden += where.cause == FORBIDDEN
    refused.last_refusal = max(refused.last_refusal, _milliseconds(event))
    refused.model = max(refused.model, model)


def _cause(event: AttemptFailed | RequestFailed) -> str | None:
    failure = event.failure
    return cause(failure.error_class, failure.status_code, failure.origin) if event.deployment_id else None


def _milliseconds(event: Event) -> int:
    return int(event.occurred_at.timestamp() * 1_000)


def _window(result: Fold, event: EndEvent | AttemptFailed) -> WindowSums:
    window = result.windows.setdefault(_window_key(event), WindowSums())
    window.model = max(window.model, model_of(event))
    return window


def _window_key(event: EndEvent | AttemptFailed) -> WindowKey:
    bucket = bucket_of(event.occurred_at.timestamp())
    return WindowKey(event.deployment_id or "", event.provider or "", event.region or "", bucket)
