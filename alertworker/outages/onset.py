"""The start of an outage: a failure long before it is chance, and no part of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import log
from typing import Final

from alertworker.outages.windows import Bucket, Limits

#: The largest share of failed calls that is assumed: a success is possible in any outage.
_MOST: Final = 0.999


def onset(rows: Sequence[Bucket], share: float, limits: Limits) -> int:
    """Return the start of the bucket from which on an error rate of ``share`` explains the calls best.

    ``rows`` are in the order of time, and the outage lasts until the last of them. It is the change point of greatest
    likelihood: where the cumulative sum of log-likelihood ratios against the tolerated error rate last left 0.
    """
    share = min(_MOST, max(share, 2 * limits.tolerated))
    gain, loss = log(share / limits.tolerated), log((1 - share) / (1 - limits.tolerated))
    proof, begins = 0.0, rows[0].start
    for start, bucket in groupby(rows, key=lambda row: row.start):
        step = sum(row.failed * gain + row.succeeded * loss for row in bucket)
        begins = start if proof == 0.0 else begins
        proof = max(0.0, proof + step)
    return begins
