"""Durations in fixed logarithmic buckets. Batches may be cut anywhere: the sums give the same mean."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

#: The upper bounds of the buckets in microseconds. Each is a tenth above the one before, so a percentile is right
#: within 5 %. The last bucket holds every duration of more than about five hours.
BOUNDS: Final = tuple(dict.fromkeys(round(1.1**step) for step in range(249)))


def bucket_of(microseconds: int) -> int:
    """Return the index of the first bound that is not below the duration, or the last index for longer durations.

    >>> BOUNDS[bucket_of(100_000)], bucket_of(10**15) == len(BOUNDS) - 1
    (101980, True)
    """
    return min(bisect_left(BOUNDS, microseconds), len(BOUNDS) - 1)


@dataclass(frozen=True, slots=True)
class Latency:
    """Durations added up: their number, exact mean, and percentiles within 5 %, in seconds."""

    buckets: Mapping[int, int]
    microseconds: int

    @property
    def count(self) -> int:
        """The number of durations."""
        return sum(self.buckets.values())

    @property
    def mean(self) -> float:
        """The mean in seconds, or 0 without durations."""
        return self.microseconds / self.count / 1e6 if self.buckets else 0.0

    def percentile(self, share: float) -> float:
        """Return the duration in seconds that ``share`` (0 to 1) of all do not exceed: the middle of its bucket."""
        wanted, seen = share * self.count, 0
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket]
            if seen >= wanted:
                lower = BOUNDS[bucket - 1] if bucket else 0
                return (lower + BOUNDS[bucket]) / 2e6
        return 0.0
