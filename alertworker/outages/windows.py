"""Windows: whether failed calls on a deployment, or in a region, are an outage, by event time.

Pure. The verdict is a function of the sums alone, so it does not depend on how events were cut into batches, nor on the
order of batches. Sums are kept in buckets of `WINDOW_SECONDS`. A window is as many buckets as the configured time can
touch (`Limits.span`), so it misses no burst that fits into that time.

The counts of LiteLLM's page are necessary for an outage. With a minimum share they are not sufficient: failures must
also be a share of the calls, and more than chance explains (`evidence`). Errors that are too rare for the short window
are judged over `LONG_SECONDS`, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from alertworker.events import AttemptFailed, FailedOn, Origin
from alertworker.outages.evidence import TOLERATED

#: The length of a bucket, in seconds of event time.
WINDOW_SECONDS: Final = 10
#: The length of the long window, in seconds.
LONG_SECONDS: Final = 900
#: What a level has on top of the rank if the target is dead.
_DEAD: Final = 8
#: Statuses that count by themselves if the provider or our credentials caused them. So do all 5xx.
_STATUSES: Final = frozenset({401, 403, 404, 408, 429})
_SERVER_ERRORS: Final = range(500, 600)


@dataclass(frozen=True, slots=True)
class Limits:
    """When failed calls are an outage: counts within ``seconds``, and what makes the counts matter.

    ``minor`` and ``major`` are counts of failed calls. ``share`` is the least part of all calls that must have failed
    (0 to 1). 0 means that the counts alone decide, as in LiteLLM. ``tolerated`` is the error rate up to which failures
    may be chance. ``traffic`` is the least number of calls. ``deployments`` is how many distinct deployments must fail:
    two for a region.
    """

    seconds: int
    minor: int
    major: int
    share: float = 0.0
    traffic: int = 0
    deployments: int = 1
    tolerated: float = TOLERATED

    @property
    def reach(self) -> int:
        """The length of the longest window, in seconds."""
        return max(self.span, LONG_SECONDS) if self.share else self.span

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

    deployment: Limits = Limits(seconds=60, minor=5, major=10, share=0.1)
    region: Limits = Limits(seconds=60, minor=5, major=10, share=0.1, deployments=2)
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

    ``level`` is the rank of its grade, plus `_DEAD` if no call has succeeded since it began; 0 without an outage. A
    late event from before ``over_until`` cannot open an outage again.
    """

    level: int = 0
    over_until: int = 0

    @classmethod
    def of(cls, rank: int, *, is_dead: bool, over_until: int) -> Outage:
        """Return the state of a target with an outage."""
        return cls(rank + _DEAD * is_dead, over_until)

    @property
    def rank(self) -> int:
        """The rank of the outage's grade, 0 without an outage."""
        return self.level % _DEAD

    @property
    def is_dead(self) -> bool:
        """Whether no call has succeeded since the outage began."""
        return self.level >= _DEAD


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

    @property
    def failed(self) -> int:
        """Failed calls, whatever the cause."""
        return sum(self.causes.values())


@dataclass(frozen=True, slots=True)
class Calls:
    """How the calls ended that a target failed: answered by a fallback or a retry, or ``lost``, by team."""

    by_fallback: int = 0
    by_retry: int = 0
    lost: Mapping[str, int] = field(default_factory=dict)


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
