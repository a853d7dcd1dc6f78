"""The end of an outage: whether the calls since the last failures prove that the target has recovered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from itertools import groupby
from math import log, sqrt
from typing import Final, NamedTuple

from alertworker.outages.policy import Limits
from alertworker.outages.verdict import judge
from alertworker.outages.windows import LONG_SECONDS, Bucket

#: An outage without any call for this many seconds is closed with an unknown end.
NO_TRAFFIC_SECONDS: Final = 900
#: How long a dead target has no failed call before its outage is closed with an unknown end.
DEAD_LASTS: Final = timedelta(hours=24)
#: How strong the proof of a recovery must be, in nats: chance alone reaches it once in 600 times.
_MIN_PROOF: Final = 6.4
#: Chance may end an outage that continues once in this time. After each failure the successes that follow may look like
#: the end. So the more calls fail in this time, the stronger the proof must be.
_ONCE_IN: Final = timedelta(days=1)
#: The bounds of an outage's error rate. Below the lower bound there is hardly an outage. At the upper bound one success
#: ends the outage.
_LEAST, _MOST = 0.1, 0.999


class End(StrEnum):
    """How an outage ended."""

    RECOVERED = "recovered"
    UNKNOWN = "unknown"  #: no calls for `NO_TRAFFIC_SECONDS`


class Ending(NamedTuple):
    """How an outage ended, and the epoch second at which the target recovered; 0 if that is unknown."""

    how: End
    at: int = 0


def ended(
    buckets: Iterable[Bucket], limits: Limits, *, since: int, until: int, reach: int = 0, is_mixed: bool = False
) -> Ending | None:
    """Return the end of an outage, ``None`` if it continues.

    The outage began at the epoch second ``since``. ``until`` is a bucket's start, and all events from before it have
    arrived. ``buckets`` are those of the last `lookback` seconds, or of the last ``reach`` seconds if that is more. An
    outage is over if calls succeed again and the last window alone is not an outage. With a minimum share, the
    successes must also be too many for the outage's error rate. One success is enough if every call failed. About 50
    are needed if 15 % failed. Without any call the end is unknown. With ``is_mixed`` the calls are those of several
    deployments, and few failures without a success do not prove that every call fails.
    """
    rows = [row for row in buckets if row.start >= until - max(reach, lookback(limits))]
    if not any(row.start >= until - lookback(limits) for row in rows):
        return Ending(End.UNKNOWN)
    succeeded = max(row.last_success for row in rows)
    failed = max(row.last_failure for row in rows)
    if failed >= until * 1_000 or judge([row for row in rows if row.start >= until - limits.span], limits).crossed:
        return None
    if not limits.share:
        after = [row.last_success for row in rows if row.last_success > failed]
        return Ending(End.RECOVERED, min(after) // 1_000) if after else None
    ordered = sorted(rows, key=lambda row: (row.start, row.deployment_id))
    stretch = _Stretch.of([row for row in ordered if row.start >= since])
    at, proof = stretch.recovery(limits, enough=stretch.proof, is_mixed=is_mixed)
    return Ending(End.RECOVERED, at) if succeeded and proof >= stretch.proof else None


def lookback(limits: Limits) -> int:
    """Return how many seconds of attempts decide whether an outage is over."""
    return max(NO_TRAFFIC_SECONDS, limits.span)


def recovered_at(buckets: Iterable[Bucket], limits: Limits) -> int:
    """Return the epoch second from which the calls since an outage began suggest a recovery."""
    return _Stretch.of(sorted(buckets, key=lambda row: (row.start, row.deployment_id))).recovery(limits)[0]


def may_have_recovered(buckets: Iterable[Bucket], limits: Limits) -> bool:
    """Return whether a deployment's calls prove that it has recovered from its failures, or show none."""
    rows = sorted(buckets, key=lambda row: row.start)
    succeeded = any(row.succeeded for row in rows)
    return succeeded and _Stretch.of(rows).recovery(limits)[1] >= _MIN_PROOF


def still_fails(buckets: Iterable[Bucket], limits: Limits, *, after: float) -> bool:
    """Return whether the calls that are known so far show that an outage continues.

    A call must have failed after the epoch second ``after``. The calls since then must not even suggest a recovery.
    Half of the proof of a recovery suggests one. If most calls failed before, one success after the last failure
    suggests one, too.
    """
    rows = sorted(buckets, key=lambda row: (row.start, row.deployment_id))
    last_failure = max((row.last_failure for row in rows), default=0)
    last_success = max((row.last_success for row in rows), default=0)
    if last_failure <= after * 1_000:
        return False
    stretch = _Stretch.of(rows)
    if last_success > last_failure and (stretch.share > 0.5 or not limits.share):
        return False
    return not limits.share or stretch.recovery(limits)[1] < _MIN_PROOF / 2


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Buckets in their order, and the sums from the first failing bucket to the last one, ``seconds`` later."""

    rows: Sequence[Bucket]
    failed: int = 0
    calls: int = 0
    seconds: int = 0

    @classmethod
    def of(cls, rows: Sequence[Bucket]) -> _Stretch:
        failing = [row.start for row in rows if row.failed]
        if not failing:
            return cls(rows)
        inside = [row for row in rows if failing[0] <= row.start <= failing[-1]]
        calls = sum(row.failed + row.succeeded for row in inside)
        return cls(rows, sum(row.failed for row in inside), calls, failing[-1] - failing[0])

    @property
    def share(self) -> float:
        """The share of failed calls, 0 without any."""
        return self.failed / self.calls if self.calls else 0.0

    @property
    def proof(self) -> float:
        """How strong the proof of the end must be, in nats. One success ends an outage that had none."""
        if self.failed == self.calls:
            return _MIN_PROOF
        failures = self.failed * _ONCE_IN.total_seconds() / max(LONG_SECONDS, self.seconds)
        return max(_MIN_PROOF, log(failures))

    def recovery(self, limits: Limits, *, enough: float = _MIN_PROOF, is_mixed: bool = False) -> tuple[int, float]:
        """Return the epoch second from which the calls suggest a recovery, and how strongly, in nats.

        The strength is a cumulative sum of log-likelihood ratios (CUSUM), kept between 0 and ``enough``. It measures
        how much better a healthy error rate explains the calls than the outage's error rate. So calls before the last
        failures neither delay the end nor cause it. The recovery begins where the sum last left 0.
        """
        if not self.share:  # a success and no failure for the whole lookback
            return next((row.start for row in self.rows if row.succeeded), 0), enough
        share = (self.failed + 0.5) / (self.calls + 1) if is_mixed else self.share
        error = sqrt(share * (1 - share) / self.calls)  # an unlucky stretch raised the outage
        share = min(_MOST, max(_LEAST, share - error))
        gain, loss = log((1 - limits.tolerated) / (1 - share)), log(limits.tolerated / share)
        proof, begins = 0.0, 0
        for start, bucket in groupby(self.rows, key=lambda row: row.start):
            same = list(bucket)  # deployments of a region or model in the same seconds have no order
            begins = begins if proof else max(start, *(row.last_failure // 1_000 for row in same))
            proof = min(enough, max(0.0, proof + sum(row.succeeded * gain + row.failed * loss for row in same)))
        return begins, proof
