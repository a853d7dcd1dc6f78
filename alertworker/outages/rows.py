"""The rows of windows: what attempts, their causes and the calls behind them are counted by, and what is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class WindowKey(NamedTuple):
    """One deployment's window: ``bucket`` is the epoch second at which it begins; what is unknown is empty."""

    deployment_id: str
    provider: str
    region: str
    bucket: int


class CallKey(NamedTuple):
    """Whose calls ended in a bucket that a target had failed; the first three name the `windows.Target`."""

    deployment_id: str
    provider: str
    region: str
    bucket: int
    team: str


class CauseKey(NamedTuple):
    """One cause of failed attempts in one deployment's window, as `windows.cause` names it."""

    deployment_id: str
    provider: str
    region: str
    bucket: int
    cause: str


@dataclass(slots=True)
class WindowSums:
    """What is counted per window; durations in milliseconds.

    ``failed`` are all failed attempts; ``last_success`` is in epoch milliseconds, 0 for never.
    """

    succeeded: int = 0
    failed: int = 0
    milliseconds: int = 0
    completion_tokens: int = 0
    last_success: int = 0


@dataclass(slots=True)
class CallSums:
    """How many calls that a target had failed were answered by a fallback, or by a retry, and how many were lost."""

    by_fallback: int = 0
    by_retry: int = 0
    lost: int = 0


@dataclass(slots=True)
class CauseSums:
    """How many attempts failed of one cause; ``last_failure`` is in epoch milliseconds."""

    attempts: int = 0
    last_failure: int = 0
