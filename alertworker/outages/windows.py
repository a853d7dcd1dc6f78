"""Windows: whether failed attempts on a deployment, or in a region, are an outage, by event time.

Pure. The verdict is a function of the sums alone, so it does not depend on how events were cut into batches, nor on the
order of batches. Sums are kept in buckets of `WINDOW_SECONDS`. A window is as many buckets as the configured time can
touch (`Limits.span`), so it misses no burst that fits into that time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from typing import Final, NamedTuple

from alertworker.events import AttemptFailed, FailedOn, Origin

#: The length of a bucket, in seconds of event time.
WINDOW_SECONDS: Final = 10
#: An outage without any attempt for so many seconds is closed, and its end is unknown.
NO_TRAFFIC_SECONDS: Final = 900
#: Statuses that count by themselves if the provider or our credentials caused them. So do all 5xx.
_STATUSES: Final = frozenset({401, 403, 404, 408, 429})
_SERVER_ERRORS: Final = range(500, 600)


class Level(IntEnum):
    """How bad an outage is; a condition's level."""

    NONE = 0
    MINOR = 1
    MAJOR = 2


@dataclass(frozen=True, slots=True)
class Limits:
    """When failed attempts are an outage: counts within ``seconds``, and the traffic that they need to matter.

    ``minor`` and ``major`` are counts of failed attempts. ``share`` is the least part of all attempts that must have
    failed (0 to 1), ``traffic`` the least number of attempts; 0 requires nothing. ``deployments`` is how many distinct
    deployments must fail: two for a region.
    """

    seconds: int
    minor: int
    major: int
    share: float = 0.0
    traffic: int = 0
    deployments: int = 1

    @property
    def span(self) -> int:
        """The window's length in seconds: ``seconds`` rounded up to whole buckets, and one bucket more.

        Failures within ``seconds`` of each other always count together. Failures that are ``span`` or more apart never
        do. In between, the edges of the buckets decide: the tolerance is less than `WINDOW_SECONDS` if ``seconds`` is
        a multiple of it, else less than twice that.

        >>> Limits(seconds=60, minor=5, major=10).span, Limits(seconds=15, minor=5, major=10).span
        (70, 30)
        """
        return (-(-self.seconds // WINDOW_SECONDS) + 1) * WINDOW_SECONDS


@dataclass(frozen=True, slots=True)
class OutagePolicy:
    """When failed attempts are an outage. An alert names at most ``max_details`` of them."""

    deployment: Limits = Limits(seconds=60, minor=5, major=10)
    region: Limits = Limits(seconds=60, minor=5, major=10, deployments=2)
    max_details: int = 1_000


class Target(NamedTuple):
    """What has an outage: a deployment by its id alone, or a region by provider and name. Regions sort first."""

    deployment_id: str = ""
    provider: str = ""
    region: str = ""


def targets_of(failed: FailedOn | AttemptFailed) -> Iterable[Target]:
    """Return the deployment and, where it is known, the region of a failed attempt."""
    yield Target(deployment_id=failed.deployment_id or "")
    if failed.provider and failed.region:
        yield Target(provider=failed.provider, region=failed.region)


@dataclass(frozen=True, slots=True)
class Outage:
    """The state of a target: its outage's level, and the epoch second before which all outages are over for good.

    A late event from before ``over_until`` cannot open an outage again.
    """

    level: int = 0
    over_until: int = 0


@dataclass(frozen=True, slots=True)
class Bucket:
    """One deployment's sums over the `WINDOW_SECONDS` from epoch second ``start`` on.

    ``causes`` are its failures; ``last_success`` and ``last_failure`` are epoch milliseconds, 0 for never.
    """

    start: int
    deployment_id: str
    succeeded: int = 0
    causes: Mapping[str, int] = field(default_factory=dict)
    last_success: int = 0
    last_failure: int = 0


@dataclass(frozen=True, slots=True)
class Calls:
    """How the calls ended that a target failed: answered by a fallback or a retry, or ``lost``, by team."""

    by_fallback: int = 0
    by_retry: int = 0
    lost: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WindowVerdict:
    """The worst window: its level and its counts.

    ``since`` is the first failing bucket of the earliest window that is an outage, an epoch second.
    """

    level: Level = Level.NONE
    since: int = 0
    failed: int = 0
    attempts: int = 0
    causes: Mapping[str, int] = field(default_factory=dict)
    deployments: tuple[str, ...] = ()


class End(StrEnum):
    """How an outage ended."""

    RECOVERED = "recovered"
    UNKNOWN = "unknown"  #: no attempts for `NO_TRAFFIC_SECONDS`


def cause(error_class: str, status: int | None, origin: Origin) -> str | None:
    """Return the cause under which a failed attempt counts; ``None`` if the deployment is not to blame.

    The origin decides first: a provider's 401 counts although LiteLLM raises ``BadRequestError`` for it, and a caller's
    mistake does not count.
    """
    if origin is not Origin.PROVIDER:
        return None
    if "Timeout" in error_class:
        return "timeout"
    if "Connection" in error_class:
        return "connection"
    if status is None:
        return None
    return str(status) if status in _STATUSES or status in _SERVER_ERRORS else None


def bucket_of(second: float) -> int:
    """Return the bucket of an epoch second.

    >>> bucket_of(19.5)
    10
    """
    return int(second // WINDOW_SECONDS) * WINDOW_SECONDS


def judge(buckets: Iterable[Bucket], limits: Limits) -> WindowVerdict:
    """Return the worst window; of two with the same level the one with more failures, then the earlier one."""
    rows = sorted(buckets, key=lambda bucket: (bucket.start, bucket.deployment_id))
    starts = [row.start for row in rows]
    worst, since = WindowVerdict(), 0
    for start in sorted(set(starts)):
        window = rows[bisect_left(starts, start) : bisect_left(starts, start + limits.span)]
        found = _window(window, limits)
        if found.level and not since:
            since = found.since
        if (found.level, found.failed) > (worst.level, worst.failed):
            worst = found
    return replace(worst, since=since or worst.since)


def ended(buckets: Iterable[Bucket], limits: Limits, *, until: int) -> End | None:
    """Return how an outage ended, ``None`` if it lasts. All events from before ``until``, a bucket's start, are known.

    ``buckets`` are those since `lookback`. An outage is over when a success followed the last failure, and the last
    full window with what is known after it is below the limits. Without any attempt its end is unknown.
    """
    rows = [row for row in buckets if row.start >= until - lookback(limits)]
    if not rows:
        return End.UNKNOWN
    succeeded = max(row.last_success for row in rows)
    failed = max(row.last_failure for row in rows)
    recent = [row for row in rows if row.start >= until - limits.span]
    if succeeded > failed and failed < until * 1_000 and not judge(recent, limits).level:
        return End.RECOVERED
    return None


def lookback(limits: Limits) -> int:
    """Return how many seconds of attempts decide whether an outage is over."""
    return max(NO_TRAFFIC_SECONDS, limits.span)


def _window(rows: Sequence[Bucket], limits: Limits) -> WindowVerdict:
    causes: Counter[str] = Counter()
    for row in rows:
        causes.update(row.causes)
    failed = causes.total()
    attempts = failed + sum(row.succeeded for row in rows)
    failing = [row for row in rows if sum(row.causes.values())]
    deployments = tuple(sorted({row.deployment_id for row in failing}))
    matters = (
        attempts >= limits.traffic and failed >= limits.share * attempts and len(deployments) >= limits.deployments
    )
    return WindowVerdict(
        level=_level(failed, limits) if matters else Level.NONE,
        since=failing[0].start if failing else 0,
        failed=failed,
        attempts=attempts,
        causes=causes,
        deployments=deployments,
    )


def _level(failed: int, limits: Limits) -> Level:
    if failed >= limits.major:
        return Level.MAJOR
    return Level.MINOR if failed >= limits.minor else Level.NONE
