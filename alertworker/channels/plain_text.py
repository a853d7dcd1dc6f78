"""The plain parts of a message that all receivers for people share. Every vendor escapes and arranges them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial, wraps
from typing import Final, TypeVar

from alertworker.alerts.advice import RUNBOOK, WHAT_TO_DO
from alertworker.alerts.catalogue import REPORTS, AlertType
from alertworker.alerts.message import Entry, Message, Step
from alertworker.text.format import spell, spell_moment, spell_moment_and_zone
from alertworker.text.sanitize import clean, cut, one_line
from alertworker.text.shorten import CUT

_C = TypeVar("_C")

_STEP_SIGNS: Final = {Step.RESOLVED: "🟢", Step.FIRED_AND_RESOLVED: "🟢", Step.DIGEST: "📦", Step.TEST: "✅"}
SIGNS: Final = {"High": "🔴", "Medium": "🟠", "Low": "🟡"}
#: The ends of the strings and lines in a body.
_ENDS: Final = re.compile(r'\\n|["\n]')

_LINK: Final = re.compile(r"https?://[!-~]{1,2000}")


def symbol_of(message: Message | Entry) -> str:
    """Return the sign that shows a message's kind at a glance."""
    return _STEP_SIGNS.get(message.step) or SIGNS[message.severity.value]


def has_ended(message: Message) -> bool:
    """Return whether the message is about the end of its condition."""
    return message.step in (Step.RESOLVED, Step.FIRED_AND_RESOLVED)


def title(message: Message, headline: str) -> str:
    """Return the first line of a message, around a headline that is already escaped."""
    return f"{symbol_of(message)} {headline} [{message.severity.value}]"


def entry_lines(message: Message, limit: int, escape: Callable[[str, int], str] = cut) -> list[str]:
    """Return a digest's lines, one for each message in it; ``escape`` makes a headline harmless within ``limit``."""
    return [
        f"{symbol_of(entry)} {escape(one_line(entry.headline), limit)}{f' ×{entry.count}' if entry.count > 1 else ''}"
        f" [{entry.severity.value}] {entry.alert_id}"
        for entry in message.entries
    ]


def member_lines(message: Message, show: Callable[[str], str]) -> list[str]:
    """Return a line for each occurrence that the message names, and a line with the number of the others."""
    lines = list(map(show, message.members))
    return [*lines, f"… and {message.members_more} more"] if message.members_more else lines


def fact_rows(message: Message, facts: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    """Return facts and then metadata, as name and value. A prefix marks metadata, since callers choose its names.

    The facts are the message's, unless ``facts`` holds some of them.
    """
    shown = message.facts if facts is None else facts
    metadata = [(f"Alerting metadata · {name}", value) for name, value in message.metadata.items()]
    return [(name, value) for name, value in (*shown.items(), *metadata) if value.strip()]


def advice_lines(message: Message, show: Callable[[str], str]) -> list[str]:
    """Return the line with the advice, and the line with the URL of the runbook, if there are any."""
    lines = ((WHAT_TO_DO, message.what_to_do), (RUNBOOK, message.runbook_url or ""))
    return [f"{name}: {show(text)}" for name, text in lines if text]


def with_advice(message: Message, render: Callable[[Message], str]) -> str:
    """Return the body of a message, without what to do if nothing else fits beside it.

    Facts come first: advice is left out if a limit of the vendor would cut anything for it.
    """
    body = render(message)
    if CUT not in body or not (message.what_to_do or message.runbook_url):
        return body
    bare = render(message.without_advice())
    return body if set(_ENDS.split(bare)) <= set(_ENDS.split(body)) else bare


def append_advice(render: Callable[[_C, Message], str]) -> Callable[[_C, Message], str]:
    """Decorate a channel's ``render`` with `with_advice`."""

    @wraps(render)
    def rendered(channel: _C, message: Message) -> str:
        return with_advice(message, partial(render, channel))

    return rendered


def time_of(message: Message) -> str:
    """Return when the step happened, with the name of the time zone."""
    return spell_moment_and_zone(message.at, message.time_zone)


def count_of(message: Message) -> str:
    """Return how often it happened: since the last message, and in total since the first."""
    since = spell_moment(message.since, message.time_zone)
    if message.step is Step.DIGEST:
        return f"{len(message.entries)} messages waited since {since}"
    if message.step is Step.SUMMARY:
        more = f"{message.count} more in {spell(message.at - (message.counted_since or message.since))}"
        return f"{more}; {message.total} in all since {since}"
    # A budget counts its limits, and the facts of an outage count its calls.
    if message.total > 1 and message.type is not AlertType.BUDGET_ALERTS and "Attempts" not in message.facts:
        return f"{message.total} times since {since}"
    return f"{'Up to' if message.type in REPORTS else 'Since'} {since}"


def is_link(text: str) -> bool:
    """Return whether a string is a URL that can be made a link."""
    return _LINK.fullmatch(text) is not None


def non_empty(**values: object) -> dict[str, object]:
    """Return the values that are not empty."""
    return {name: value for name, value in values.items() if value}


def details(values: Mapping[str, str], *, most: int = 40, name_limit: int = 100, limit: int = 1_000) -> dict[str, str]:
    """Return names and values for a table, cut to their limits. The last row says if rows are left out."""
    shown = {cut(one_line(name), name_limit): cut(clean(value), limit) for name, value in values.items()}
    return dict(list(shown.items())[:most]) | ({"…": CUT} if len(values) > most else {})
