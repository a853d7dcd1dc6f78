"""Coalescing: messages that wait for a slow receiver are merged into fewer messages, and none is lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from alertworker.alerts.catalogue import MAX_MEMBERS, AlertType, Severity
from alertworker.alerts.compose import fired_and_resolved
from alertworker.alerts.message import MAX_ENTRIES, Entry, Message, Step

#: Waiting messages become a digest if there are more than this. Summaries of severity Low become one from two on.
MERGE_FROM: Final = 10


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that was never attempted, with its notification's id."""

    id: str
    message: Message
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes of a lane's waiting messages.

    ``dropped`` are reminders that are out of date. ``replaced`` maps a notification to its new message, and
    ``absorbed`` maps the notifications that are merged into it. ``digest`` is a new message for all of ``digested``.
    """

    dropped: tuple[str, ...] = ()
    replaced: Mapping[str, Message] = field(default_factory=dict)
    absorbed: Mapping[str, str] = field(default_factory=dict)
    digest: Message | None = None
    digested: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Return whether there is anything to do."""
        return bool(self.dropped or self.replaced or self.digested)


def plan(waiting: Sequence[Waiting], *, digest_size: int, alert_id: str, now: datetime) -> Plan:
    """Return the changes for the messages that wait in one lane, oldest first. ``alert_id`` is for a digest."""
    by_alert: dict[str, list[Waiting]] = {}
    for item in waiting:
        by_alert.setdefault(item.message.alert_id, []).append(item)
    replaced: dict[str, Message] = {}
    absorbed: dict[str, str] = {}
    dropped: list[str] = []
    for items in by_alert.values():
        last = items[-1]
        if items[0].message.step is Step.FIRING and last.message.step is Step.RESOLVED:
            replaced[last.id] = fired_and_resolved(last.message)
            absorbed |= {item.id: last.id for item in items[:-1]}
            continue
        dropped += [item.id for item in items[:-1] if item.message.step is Step.REMINDER]
        rises = [item for item in items if item.message.step is Step.FIRING]
        if digest_size and len(rises) > 1:
            replaced[rises[-1].id] = _risen([item.message for item in rises])
            absorbed |= {item.id: rises[-1].id for item in rises[:-1]}
    gone = absorbed.keys() | set(dropped)
    left = [item for item in waiting if item.id not in gone and not _stands_alone(item.message)]
    size = min(digest_size, MAX_ENTRIES)
    part = (left if len(left) > MERGE_FROM else [item for item in left if _is_low_summary(item.message)])[:size]
    if len(part) < 2:
        return Plan(tuple(dropped), replaced, absorbed)
    messages = [replaced.get(item.id, item.message) for item in part]
    digest = compose_digest(messages, since=part[0].created_at, alert_id=alert_id, now=now)
    return Plan(tuple(dropped), replaced, absorbed, digest, tuple(item.id for item in part))


def _risen(messages: Sequence[Message]) -> Message:
    """Return the only message for a condition that rose before any notification: the last one, with all occurrences."""
    last = messages[-1]
    members = tuple(member for message in messages for member in message.members)[:MAX_MEMBERS]
    more = max(0, last.total - len(members)) if members else 0
    return last.model_copy(update={"count": last.total, "members": members, "members_more": more})


def compose_digest(messages: Sequence[Message], *, since: datetime, alert_id: str, now: datetime) -> Message:
    """Return one message with an entry for each of these. It has the advice of the most urgent one alone."""
    worst = max(messages, key=lambda message: message.severity.rank)
    open_ones = [message for message in messages if message.what_to_do or message.runbook_url]
    urgent = max(open_ones, key=lambda message: message.severity.rank, default=worst)
    return Message(
        alert_id=alert_id,
        type=worst.type,
        severity=worst.severity,
        step=Step.DIGEST,
        headline=f"{len(messages)} messages: {_breakdown(message.type for message in messages)}",
        at=now,
        since=since,
        count=sum(message.count for message in messages),
        total=len(messages),
        entries=tuple(
            Entry(
                alert_id=message.alert_id,
                type=message.type,
                severity=message.severity,
                step=message.step,
                headline=message.headline,
                count=message.count,
            )
            for message in messages
        ),
        proxy_url=messages[0].proxy_url,
        what_to_do=f"{urgent.type.value}: {urgent.what_to_do}" if urgent.what_to_do else "",
        runbook_url=urgent.runbook_url,
        zone=messages[0].zone,
    )


def _is_low_summary(message: Message) -> bool:
    """Return whether a message is a summary that needs no action. Several of these are always one digest."""
    return message.step is Step.SUMMARY and message.severity is Severity.LOW


def _stands_alone(message: Message) -> bool:
    """Return whether a message must not become part of a digest, which would show only its headline.

    These are unsent digests, reports with tables, and tests, because a person waits for the answer.
    """
    return message.step in (Step.DIGEST, Step.TEST) or bool(message.tables)


def _breakdown(types: Iterable[AlertType]) -> str:
    counts: dict[str, int] = {}
    for alert_type in types:
        counts[alert_type.value] = counts.get(alert_type.value, 0) + 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {name}" for name, count in ordered)
