"""Windows: the sums of calls by event time.

Pure. The verdict is a function of the sums alone. So neither the order of batches nor how events were cut into them
changes it. Sums are kept in buckets of `WINDOW_SECONDS`. A window is as many buckets as the configured time can overlap
(`policy.Limits.span`), so it misses no burst that fits into that time.

An outage needs at least the counts of LiteLLM's settings. With a minimum share, the failures must also be that share of
the calls, and more than chance explains (`evidence`). For errors that are too rare for the short window, `LONG_SECONDS`
are judged, too. A deployment on which no call succeeds is judged by `verdict.is_dead`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple
from zlib import crc32

from alertworker.events import AttemptFailed, CallEvent, FailedOn, Origin

#: The length of a bucket, in seconds of event time.
WINDOW_SECONDS: Final = 10
#: The length of the long window, in seconds.
LONG_SECONDS: Final = 900
#: The bits of `Outage.state`: first those of the rank, then the flags.
_RANK: Final = 7
_DEAD, _FLAPPING, _UP = 8, 16, 32
#: The number of groups of callers' keys. The answered calls of a bucket are summed by group: a sum for each key would
#: cost a row for each caller.
KEY_GROUPS: Final = 8
#: HTTP statuses that count as failures of the deployment. All 5xx count, too.
_STATUSES: Final = frozenset({401, 403, 404, 408, 429})
_SERVER_ERRORS: Final = range(500, 600)
#: The start of the error class that LiteLLM's router reports when no deployment of a model group is available.
NO_DEPLOYMENTS: Final = "RouterRateLimit"
#: The causes by which a provider refuses a credential.
UNAUTHORIZED: Final = "401"
FORBIDDEN: Final = "403"
REFUSED: Final = frozenset({UNAUTHORIZED, FORBIDDEN})


class Target(NamedTuple):
    """A deployment, by its id alone, a region, by provider and name, or a provider. The widest sort first."""

    deployment_id: str = ""
    provider: str = ""
    region: str = ""

    @property
    def is_provider(self) -> bool:
        """Whether it is a whole provider."""
        return not self.deployment_id and not self.region

    @property
    def columns(self) -> dict[str, str]:
        """The fields that select its calls, with their values.

        >>> Target("d1").columns, Target(provider="azure").columns
        ({'deployment_id': 'd1'}, {'provider': 'azure'})
        """
        return {name: value for name, value in self._asdict().items() if value}


def targets_of(failed: FailedOn | AttemptFailed) -> Iterable[Target]:
    """Yield the deployment, the provider and the region of a failed attempt, as far as they are known."""
    if failed.deployment_id:
        yield Target(deployment_id=failed.deployment_id)
    if failed.provider:
        yield Target(provider=failed.provider)
    if failed.provider and failed.region:
        yield Target(provider=failed.provider, region=failed.region)


class Episode(NamedTuple):
    """One outage of a target, in epoch seconds of event time. While it lasts, ``end`` is its start."""

    start: int
    end: int


def model_of(call: CallEvent) -> str:
    """Return the model group of a call or attempt, empty if it is unknown."""
    return call.model_group or call.model or ""


@dataclass(frozen=True, slots=True)
class Outage:
    """The outage state of a target.

    ``state`` is 0 without an outage, else the rank of its grade and a bit for each of `is_dead`, `is_flapping` and
    `is_up`. ``over_until`` is the epoch second before which every outage has ended for good: a late event from before
    it opens none. ``episodes`` are the newest outages, the present one included, oldest first.
    """

    state: int = 0
    over_until: int = 0
    episodes: tuple[Episode, ...] = ()

    @classmethod
    def of(
        cls,
        rank: int,
        *,
        over_until: int,
        episodes: tuple[Episode, ...] = (),
        is_dead: bool = False,
        is_flapping: bool = False,
        is_up: bool = False,
    ) -> Outage:
        """Return the state of a target with an outage."""
        return cls(rank + _DEAD * is_dead + _FLAPPING * is_flapping + _UP * is_up, over_until, episodes)

    @property
    def rank(self) -> int:
        """The rank of the outage's grade, 0 without an outage."""
        return self.state & _RANK

    @property
    def is_dead(self) -> bool:
        """Whether no call has succeeded since the outage began."""
        return bool(self.state & _DEAD)

    @property
    def is_flapping(self) -> bool:
        """Whether the target has ended outages, and the condition stays open because they return."""
        return bool(self.state & _FLAPPING)

    @property
    def is_up(self) -> bool:
        """Whether a flapping target has recovered for now."""
        return bool(self.state & _UP)


@dataclass(frozen=True, slots=True)
class Bucket:
    """One deployment's sums over the `WINDOW_SECONDS` from epoch second ``start`` on.

    ``causes`` counts failed calls by cause. ``last_success`` and ``last_failure`` are epoch milliseconds, 0 for never.
    So is ``first_failure``, which is also 0 if it is unknown. ``model`` is the model group; rows of the previous
    version have none. ``by_group`` has the successes by `group_of` their keys, without those of unknown keys.
    """

    start: int
    deployment_id: str
    succeeded: int = 0
    causes: Mapping[str, int] = field(default_factory=dict)
    last_success: int = 0
    last_failure: int = 0
    provider: str = ""
    region: str = ""
    model: str = ""
    first_failure: int = 0
    by_group: tuple[int, ...] = ()

    @property
    def failed(self) -> int:
        """The number of failed calls of all causes."""
        return sum(self.causes.values())

    @property
    def failed_since(self) -> int:
        """The epoch milliseconds of the first failure, or of the bucket's start if they are unknown."""
        return self.first_failure or self.start * 1_000


def without_refusals(row: Bucket) -> Bucket:
    """Return a bucket without the calls for which a provider refused a credential."""
    return replace(row, causes={name: count for name, count in row.causes.items() if name not in REFUSED})


def calls_before(rows: Sequence[Bucket]) -> int:
    """Return how many calls of one bucket succeeded before its first failure, as far as its sums show.

    These calls came before the outage. If a deployment's call succeeded after the first failure, all its calls in the
    bucket count for the outage.
    """
    first = min((row.failed_since for row in rows if row.failed), default=None)
    if first is None:
        return sum(row.succeeded for row in rows)
    return sum(row.succeeded for row in rows if 0 < row.last_success < first)


@dataclass(frozen=True, slots=True)
class Calls:
    """How calls that a target failed ended: answered by a fallback or a retry, or ``lost``, by team."""

    by_fallback: int = 0
    by_retry: int = 0
    lost: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: Calls) -> Calls:
        """Return the sums of different calls."""
        lost = Counter(self.lost) + Counter(other.lost)
        return Calls(self.by_fallback + other.by_fallback, self.by_retry + other.by_retry, lost)

    def at_least(self, other: Calls) -> Calls:
        """Return the higher of each two numbers. Both count the same calls, and each may lack some."""
        lost = Counter(self.lost) | Counter(other.lost)
        return Calls(max(self.by_fallback, other.by_fallback), max(self.by_retry, other.by_retry), lost)


def cause(error_class: str, status: int | None, origin: Origin) -> str | None:
    """Return the cause of a failed attempt, ``None`` if the deployment is not to blame.

    The origin decides first. A provider's 401 counts, although LiteLLM raises ``BadRequestError`` for it. A caller's
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


def group_of(key_hash: str) -> int:
    """Return the group of a caller's key, from 0 to `KEY_GROUPS` - 1. All processes and versions agree on it.

    >>> [group_of(key) for key in ("88dc28d0", "f1e2d3c4")]
    [0, 0]
    """
    return crc32(key_hash.encode()) % KEY_GROUPS


def bucket_of(second: float) -> int:
    """Return the start of the bucket that contains an epoch second.

    >>> bucket_of(19.5)
    10
    """
    return int(second // WINDOW_SECONDS) * WINDOW_SECONDS
