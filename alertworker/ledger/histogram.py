"""Durations in fixed logarithmic buckets. Batches may be cut anywhere: the sums give the same mean."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from alertworker.ledger.rows import LatencySums

#: The upper bounds of the buckets in microseconds. Each is a tenth above the one before, so a percentile is right
#: within 10 %. The last bucket holds every duration of more than about five hours.
BOUNDS: Final = tuple(dict.fromkeys(round(1.1**step) for step in range(249)))


def bucket_of(microseconds: int) -> int:
    """Return the index of the first bound that is not below the duration, or the last index for longer durations.

    >>> BOUNDS[bucket_of(100_000)], bucket_of(10**15) == len(BOUNDS) - 1
    (101980, True)
    """
    return min(bisect_left(BOUNDS, microseconds), len(BOUNDS) - 1)


@dataclass(frozen=True, slots=True)
class Latency:
    """Durations added up, by bucket: their number, exact mean, and percentiles within 10 %, in seconds."""

    buckets: Mapping[int, LatencySums]

    @property
    def count(self) -> int:
        """The number of durations."""
        return sum(sums.count for sums in self.buckets.values())

    @property
    def mean(self) -> float:
        """The mean in seconds, or 0 without durations."""
        return _mean(self.buckets.values())

    def percentile(self, share: float) -> float:
        """Return the duration in seconds that ``share`` (0 to 1) of all do not exceed: the mean of its bucket.

        The middle of the bucket could be below the mean of equal durations.
        """
        wanted, seen = share * self.count, 0
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket].count
            if seen >= wanted:
                return _mean([self.buckets[bucket]])
        return 0.0

    @property
    def longest(self) -> float:
        """The longest duration in seconds, within 10 %."""
        return self.percentile(1.0)


def _mean(parts: Collection[LatencySums]) -> float:
    count = sum(sums.count for sums in parts)
    return sum(sums.microseconds for sums in parts) / count / 1e6 if count else 0.0
