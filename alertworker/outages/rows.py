"""The rows of windows: keys and sums of attempts, of their causes and of the calls behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class WindowKey(NamedTuple):
    """One deployment's bucket, which begins at epoch second ``bucket``; an unknown field is empty."""

    deployment_id: str
    provider: str
    region: str
    bucket: int


class CallKey(NamedTuple):
    """The team of calls that a target failed and that ended in a bucket. The first three fields are the `Target`."""

    deployment_id: str
    provider: str
    region: str
    bucket: int
    team: str


class CauseKey(NamedTuple):
    """One cause, from `windows.cause`, of failed attempts in one deployment's bucket."""

    deployment_id: str
    provider: str
    region: str
    bucket: int
    cause: str


@dataclass(slots=True)
class WindowSums:
    """The sums of a bucket; durations in milliseconds.

    ``failed`` are all failed attempts; ``last_success`` is in epoch milliseconds, 0 for never.
    """

    succeeded: int = 0
    failed: int = 0
    milliseconds: int = 0
    completion_tokens: int = 0
    last_success: int = 0


@dataclass(slots=True)
class CallSums:
    """How many calls that a target failed were answered by a fallback or by a retry, and how many were lost."""

    by_fallback: int = 0
    by_retry: int = 0
    lost: int = 0


@dataclass(slots=True)
class CauseSums:
    """How many attempts failed by one cause; ``last_failure`` is in epoch milliseconds."""

    attempts: int = 0
    last_failure: int = 0
