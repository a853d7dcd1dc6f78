"""Silences: a person mutes matching alerts until a certain time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from alertworker.routing.matchers import Matcher, all_pass


class SilenceState(StrEnum):
    """Whether a silence has started, and whether it has ended."""

    PENDING = "pending"
    ACTIVE = "active"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Silence:
    """The author, matchers, reason, start and end of a silence. A silence that starts later is a maintenance window.

    ``problem`` is the reason why a silence that an earlier version stored cannot be applied: it has no matchers and
    matches nothing.
    """

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: datetime
    ends_at: datetime
    author: str
    reason: str
    problem: str | None = None

    def state(self, *, now: datetime) -> SilenceState:
        """Return the state of the silence at a moment."""
        if self.ends_at <= now:
            return SilenceState.ENDED
        return SilenceState.ACTIVE if self.starts_at <= now else SilenceState.PENDING

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether the matchers match these labels."""
        return self.problem is None and all_pass(self.matchers, labels)

    def effect(self, matching: int, *, now: datetime) -> str:
        """Return what the silence does to the open alerts that it matches, for the person who adds it."""
        alerts = "1 open alert" if matching == 1 else f"{matching:,} open alerts"
        if self.state(now=now) is SilenceState.PENDING:
            return f"Matches {alerts} now, and suppresses those that are still open when it starts"
        return f"Suppresses {alerts} now"

    def mutes(self, labels: Mapping[str, str], *, now: datetime) -> bool:
        """Return whether the silence mutes an alert now."""
        return self.state(now=now) is SilenceState.ACTIVE and self.matches(labels)


def find_silence(labels: Mapping[str, str], silences: Iterable[Silence], *, now: datetime) -> Silence | None:
    """Return the silence that mutes an alert and ends last, or ``None``."""
    muting = [silence for silence in silences if silence.mutes(labels, now=now)]
    return max(muting, key=lambda silence: (silence.ends_at, silence.id), default=None)
