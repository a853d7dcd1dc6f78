"""The start of an outage. A failure long before it is chance and does not belong to it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from alertworker.outages.evidence import CLEARLY, evidence
from alertworker.outages.policy import Limits
from alertworker.outages.windows import Bucket, calls_before


def onset(rows: Sequence[Bucket], limits: Limits) -> int:
    """Return the start of the bucket from which on the calls are the strongest evidence of an outage.

    ``rows`` are in the order of time, and the outage lasts until the last of them. The start is the change point of
    greatest likelihood. For each start the error rate is that of the calls since. The rate of all rows would be too
    low, because a stray failure long before lowers it. An earlier start must be clearly more likely than a later one.
    As many failures as a minor outage needs are never left out.
    """
    begins, strongest, failed, calls = rows[0].start, -CLEARLY, 0, 0
    buckets = [(start, list(same)) for start, same in groupby(rows, key=lambda row: row.start)]
    for start, same in reversed(buckets):
        own = sum(row.failed for row in same)
        failed, calls = failed + own, calls + own + sum(row.succeeded for row in same)
        if not own or failed < limits.minor:
            continue
        proof = evidence(failed, calls - calls_before(same), limits.tolerated)
        if proof >= strongest + CLEARLY:
            begins, strongest = start, proof
    return begins
