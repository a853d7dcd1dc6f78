"""The plain parts of a message that all receivers for people share. Every vendor escapes and arranges them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from alertworker.alerts.catalogue import REPORTS, AlertType
from alertworker.alerts.message import Entry, Message, Step
from alertworker.text.format import spell, spell_moment, spell_moment_and_zone
from alertworker.text.sanitize import cut, one_line

_STEP_SIGNS: Final = {Step.RESOLVED: "🟢", Step.FIRED_AND_RESOLVED: "🟢", Step.DIGEST: "📦", Step.TEST: "✅"}
SIGNS: Final = {"High": "🔴", "Medium": "🟠", "Low": "🟡"}


def sign(message: Message | Entry) -> str:
    """Return the sign that shows a message's kind at a glance."""
    return _STEP_SIGNS.get(message.step) or SIGNS[message.severity.value]


def has_ended(message: Message) -> bool:
    """Return whether the message says that its condition ended."""
    return message.step in (Step.RESOLVED, Step.FIRED_AND_RESOLVED)


def title(message: Message, headline: str) -> str:
    """Return the first line of a message, around a headline that is already escaped."""
    return f"{sign(message)} {headline} [{message.severity.value}]"


def entry_lines(message: Message, limit: int, escape: Callable[[str, int], str] = cut) -> list[str]:
    """Return a digest's lines, one for each message in it; ``escape`` makes a headline harmless within ``limit``."""
    return [
        f"{sign(entry)} {escape(one_line(entry.headline), limit)}{f' ×{entry.count}' if entry.count > 1 else ''}"
        f" [{entry.severity.value}] {entry.alert_id}"
        for entry in message.entries
    ]


def member_lines(message: Message, show: Callable[[str], str]) -> list[str]:
    """Return a line for each occurrence that the message names, and one that counts the others."""
    lines = list(map(show, message.members))
    return [*lines, f"… and {message.members_more} more"] if message.members_more else lines


def named(message: Message, facts: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    """Return facts and then metadata, as name and value. A prefix marks metadata, since callers choose its names.

    The facts are the message's, unless ``facts`` holds some of them.
    """
    shown = message.facts if facts is None else facts
    metadata = [(f"Alerting metadata · {name}", value) for name, value in message.metadata.items()]
    return [(name, value) for name, value in (*shown.items(), *metadata) if value.strip()]


def stamp(message: Message) -> str:
    """Return when the step happened, with the name of the time zone."""
    return spell_moment_and_zone(message.at, message.time_zone)


def counted(message: Message) -> str:
    """Return how often it happened: since the last message, and in total since the first."""
    since = spell_moment(message.since, message.time_zone)
    if message.step is Step.DIGEST:
        return f"{len(message.entries)} messages waited since {since}"
    if message.step is Step.SUMMARY:
        more = f"{message.count} more in {spell(message.at - (message.counted_since or message.since))}"
        return f"{more}; {message.total} in all since {since}"
    if message.total > 1 and message.type is not AlertType.BUDGET_ALERTS:  # which counts its limits
        return f"{message.total} times since {since}"
    return f"{'Up to' if message.type in REPORTS else 'Since'} {since}"
