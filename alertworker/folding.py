"""Folding: a batch's events become few rows and groups, so that the cost in SQL grows with entities, not with events.

Pure. `Postings` and `OutageSums` add up what the ledger and the windows get. Days and windows are cut by event time. A
time more than `MAX_AHEAD` in the future is clamped to the present.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
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
    PublisherEvent,
    RequestAnnounced,
    RequestFailed,
    RequestSucceeded,
)
from alertworker.ledger.postings import Postings
from alertworker.ledger.time_zone import day_of
from alertworker.outages.sums import OutageSums

#: How far a producer's clock may be ahead of ours. A later time is clamped.
MAX_AHEAD: Final = timedelta(minutes=5)
#: The other times that events have of their producer's clock.
_OTHER_TIMES: Final = ("started_at", "ended_at", "first_token_at", "last_progress_at")


class DropKey(NamedTuple):
    """Events that a publisher's process dropped for one reason by the end of a day."""

    boot_id: str
    day: date
    reason: str


@dataclass(slots=True)
class Fold:
    """One batch, added up."""

    ledger: Postings = field(default_factory=Postings)
    outages: OutageSums = field(default_factory=OutageSums)
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
    #: How many events had a time too far in the future.
    clamped: int = 0


def fold(events: Iterable[Event], *, slow_seconds: float, zone: ZoneInfo, now: datetime) -> Fold:
    """Return the fold of events. A call that took longer than ``slow_seconds`` is kept as slow."""
    result = Fold()
    latest = (now + MAX_AHEAD).timestamp()
    for published in events:
        # Once for each event: pydantic's times are slow to calculate with.
        event, second = published, published.occurred_at.timestamp()
        if second > latest:
            event, second = _moved_back(result, published, now), now.timestamp()
        if isinstance(event, RequestSucceeded):
            _end(result, event, second, zone)
            if _seconds(event) > slow_seconds:
                result.slow.append(event)
            if _lacks_price(event):
                result.unpriced.append(event)
        elif isinstance(event, EndEvent):
            _end(result, event, second, zone)
            if isinstance(event, RequestFailed) and not event.health_check:
                result.failed.append(event)
        else:
            _other_event(result, event, second, zone)
    return result


def _other_event(result: Fold, event: Event, second: float, zone: ZoneInfo) -> None:
    if isinstance(event, AttemptFailed):
        result.outages.add_attempt(event, second)
        result.ledger.add_attempt(event, day_of(second, zone), datetime.fromtimestamp(second, UTC))
    elif isinstance(event, RequestAnnounced):
        previous = result.announced.get(event.call_id)
        if previous is None or previous.age_seconds < event.age_seconds:
            result.announced[event.call_id] = event
    elif isinstance(event, PublisherEvent):
        _publisher(result, event, day_of(second, zone))
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


def _moved_back(result: Fold, event: Event, now: datetime) -> Event:
    """Return an event whose producer's clock is too far ahead, with all its times moved back. Durations stay."""
    result.clamped += 1
    ahead = event.occurred_at - now
    times: dict[str, datetime | None] = {name: getattr(event, name, None) for name in _OTHER_TIMES}
    moved = {name: at - ahead for name, at in times.items() if at is not None}
    return event.model_copy(update={"occurred_at": now} | moved)


def _seconds(event: EndEvent) -> float:
    return (event.ended_at - event.started_at).total_seconds()


def _lacks_price(event: RequestSucceeded) -> bool:
    """Return whether a call has no known price. A cost of 0 is a price, unless its producer could not price it."""
    if event.cost_nanos or event.cache_hit or not event.prompt_tokens + event.completion_tokens:
        return False
    return event.cost_nanos is None or event.cost_failure is not None


def _publisher(result: Fold, event: PublisherEvent, day: date) -> None:
    previous = result.publishers.get(event.boot_id)
    if previous is None or previous.occurred_at <= event.occurred_at:
        result.publishers[event.boot_id] = event
    for reason, total in event.counters.dropped.items():
        key = DropKey(event.boot_id, day, reason)
        result.drops[key] = max(result.drops.get(key, 0), total)


def _end(result: Fold, event: EndEvent, second: float, zone: ZoneInfo) -> None:
    if event.announced:
        result.ended[event.call_id] = event
    result.outages.add_end(event, second)
    result.ledger.add_end(event, day_of(second, zone), datetime.fromtimestamp(second, UTC))
    if event.customer_id and event.cost_nanos is not None:
        result.tracked.append(event)
    if event.budgets:
        _budgets(result, read(event))
    if event.key_hash:
        result.callers["key", event.key_hash] = event
    if event.team_id:
        result.callers["team", event.team_id] = event


def _budgets(result: Fold, readings: Iterable[tuple[BudgetKey, Reading]]) -> None:
    for key, reading in readings:
        known = result.budgets.get(key)
        result.budgets[key] = reading if known is None else merge(known, reading)
