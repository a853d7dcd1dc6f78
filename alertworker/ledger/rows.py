"""The ledger's rows: their dimensions, the keys of each, and the sums under them. Pure and additive."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Final, NamedTuple

#: All dimensions. One with a slash holds pairs: the spend of each key, or user, by what it was spent on.
DIMENSIONS: Final = (
    "team",
    "tag",
    "key",
    "user",
    "customer",
    "organization",
    "model",
    "provider",
    "deployment",
    "key/model",
    "user/model",
    "user/key",
)
#: The dimension under which deployments have names with their provider and region. Their aliases are models alone.
TITLES: Final = "deployment title"
#: The outcome of an attempt that was answered. All other outcomes are classes of errors.
SUCCEEDED: Final = "succeeded"
#: The largest total of rows: four billion dollars in nano-dollars. SQL's bigint holds twice as much.
MAX_TOTAL: Final = 4 * 10**18
#: The maximum length of the second half of a pair, in characters: PostgreSQL indexes no key longer than 2,704 bytes.
MAX_PART: Final = 120


class SpendKey(NamedTuple):
    """The key of a row: an entity of a dimension ("tag", "key", …), on a day, under a team ("" if none).

    ``part`` is the second half of a pair, such as the model in "key/model", or "".
    """

    day: date
    dimension: str
    team_id: str
    entity: str
    part: str = ""


@dataclass(slots=True)
class SpendSums:
    """The sums of a `SpendKey`, with money in nano-dollars."""

    requests: int = 0
    failures: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_requests: int = 0
    zero_priced: int = 0
    spend_nanos: int = 0

    def add(self, other: SpendSums) -> None:
        """Add other sums to these."""
        self.requests += other.requests
        self.failures += other.failures
        self.prompt_tokens += other.prompt_tokens
        self.completion_tokens += other.completion_tokens
        self.cached_requests += other.cached_requests
        self.zero_priced += other.zero_priced
        self.spend_nanos += other.spend_nanos


#: The names of the sums, in the order of `SpendSums`.
SUMS: Final = tuple(item.name for item in fields(SpendSums))
#: Those of them to which one call may add more than one.
AMOUNTS: Final = frozenset({"prompt_tokens", "completion_tokens", "spend_nanos"})


class OutcomeKey(NamedTuple):
    """The outcome of attempts on a deployment on a day: `SUCCEEDED` or a class of errors. "" is no deployment."""

    day: date
    deployment_id: str
    outcome: str


@dataclass(slots=True)
class OutcomeSums:
    """The number of attempts with this outcome, and of calls that failed with it."""

    attempts: int = 0
    calls: int = 0

    def add(self, other: OutcomeSums) -> None:
        """Add other sums to these."""
        self.attempts += other.attempts
        self.calls += other.calls


class LatencyKey(NamedTuple):
    """A bucket of a deployment's day. ``measure`` is "per_token" or "first_token", ``bucket`` an index of `BOUNDS`."""

    day: date
    deployment_id: str
    measure: str
    bucket: int


@dataclass(slots=True)
class LatencySums:
    """The number of durations in a bucket, and their sum in microseconds, so that the mean is exact."""

    count: int = 0
    microseconds: int = 0


class FallbackKey(NamedTuple):
    """A requested model group on a day, and the model group that a fallback used last."""

    day: date
    asked: str
    used: str


@dataclass(slots=True)
class FallbackSums:
    """How many calls the fallback saved, and how many failed nevertheless."""

    succeeded: int = 0
    failed: int = 0

    def add(self, other: FallbackSums) -> None:
        """Add other sums to these."""
        self.succeeded += other.succeeded
        self.failed += other.failed


class AliasKey(NamedTuple):
    """A name under which an entity of a dimension was seen."""

    dimension: str
    entity: str
    alias: str


@dataclass(slots=True)
class AliasSpan:
    """The first and the last time that an alias was seen."""

    first_at: datetime
    last_at: datetime
