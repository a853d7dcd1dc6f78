"""Running totals of a target's calls, so that the sums of a stretch cost one subtraction. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate

from alertworker.outages.evidence import CLEARLY, MIN_EVIDENCE, evidence
from alertworker.outages.policy import Limits
from alertworker.outages.windows import Bucket, calls_before


class RunningTotals:
    """Running totals of failed and of all calls by bucket. A stretch has the places of its first and last bucket."""

    def __init__(self, starts: Sequence[int], rows: Iterable[Bucket]) -> None:
        failed, calls = Counter[int](), Counter[int]()
        by_start: dict[int, list[Bucket]] = {}
        for row in rows:
            by_start.setdefault(row.start, []).append(row)
            failed[row.start] += row.failed
            calls[row.start] += row.failed + row.succeeded
        self.failed = [0, *accumulate(failed[start] for start in starts)]
        self.failing = [place for place, start in enumerate(starts) if failed[start]]
        self._calls = [0, *accumulate(calls[start] for start in starts)]
        self._before = [calls_before(by_start.get(start, ())) for start in starts]
        self._strongest: dict[tuple[int, int, float], float] = {}

    def failed_within(self, first: int, last: int) -> int:
        """Return the number of failed calls of a stretch."""
        return self.failed[last + 1] - self.failed[first]

    def calls(self, first: int, last: int) -> int:
        """Return the number of calls of a stretch from its first failure on."""
        return self._calls[last + 1] - self._calls[first] - self._before[first]

    def is_outage(self, first: int, last: int, limits: Limits) -> bool:
        """Return whether the calls of a stretch are an outage by their counts, their share and the evidence.

        If the newest failures are too few for an outage, the evidence of the whole stretch must be clearly stronger
        than theirs. Otherwise the failures before may be strays. Without a minimum share the counts alone decide.
        """
        failed, calls = self.failed_within(first, last), self.calls(first, last)
        if failed < limits.minor or calls < limits.traffic or failed < limits.share * calls:
            return False
        if not limits.share:
            return True
        proof = evidence(failed, calls, limits.tolerated)
        return proof >= MIN_EVIDENCE and proof >= self._newest(last, limits) + CLEARLY

    def _newest(self, last: int, limits: Limits) -> float:
        """Return the strongest evidence of the newest failures, while they are fewer than a minor outage needs.

        They are the same in every stretch with enough failures that ends there, so each bucket is examined once.
        """
        key = last, limits.minor, limits.tolerated
        strongest = self._strongest.get(key)
        if strongest is None:
            strongest = self._strongest[key] = self._examine(*key)
        return strongest

    def _examine(self, last: int, minor: int, tolerated: float) -> float:
        strongest = -CLEARLY
        for number in range(bisect_right(self.failing, last) - 1, -1, -1):
            place = self.failing[number]
            failed = self.failed_within(place, last)
            if failed >= minor:
                break
            strongest = max(strongest, evidence(failed, self.calls(place, last), tolerated))
        return strongest
