"""The end of an outage: whether the calls since the last failures prove that the target has recovered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from math import log
from typing import Final

from alertworker.outages.verdict import judge
from alertworker.outages.windows import Bucket, Limits

#: An outage without any call for this many seconds is closed with an unknown end.
NO_TRAFFIC_SECONDS: Final = 900
#: How strong the proof of a recovery must be, in nats: chance alone reaches it once in 600 times.
_MIN_PROOF: Final = 6.4
#: The bounds of an outage's error rate. A lower rate is hardly an outage. At the upper one a single success ends it.
_LEAST, _MOST = 0.1, 0.999


class End(StrEnum):
    """How an outage ended."""

    RECOVERED = "recovered"
    UNKNOWN = "unknown"  #: no calls for `NO_TRAFFIC_SECONDS`


def ended(buckets: Iterable[Bucket], limits: Limits, *, since: int, until: int) -> End | None:
    """Return how an outage ended, ``None`` if it continues.

    The outage began at the epoch second ``since``. ``until`` is a bucket's start, and all events from before it have
    arrived. ``buckets`` are those since `lookback`. An outage is over if calls succeed again and the last window alone
    is no outage. With a minimum share, the successes must also be too many for the outage's error rate: one is enough
    if every call failed, about 40 are needed if 15 % failed. Without any call the end is unknown.
    """
    rows = [row for row in buckets if row.start >= until - lookback(limits)]
    if not rows:
        return End.UNKNOWN
    succeeded = max(row.last_success for row in rows)
    failed = max(row.last_failure for row in rows)
    if failed >= until * 1_000 or judge([row for row in rows if row.start >= until - limits.span], limits).crossed:
        return None
    if not limits.share:
        return End.RECOVERED if succeeded > failed else None
    return End.RECOVERED if succeeded and _is_recovery([row for row in rows if row.start >= since], limits) else None


def lookback(limits: Limits) -> int:
    """Return how many seconds of attempts decide whether an outage is over."""
    return max(NO_TRAFFIC_SECONDS, limits.span)


def _is_recovery(rows: Sequence[Bucket], limits: Limits) -> bool:
    """Return whether a healthy error rate explains the latest calls better than the outage's error rate.

    It is a cumulative sum of log-likelihood ratios (CUSUM), kept between 0 and `_MIN_PROOF`. So calls before the last
    failures neither delay the end nor cause it.
    """
    failing = [row.start for row in rows if row.failed]
    if not failing:
        return True  # a success and no failure for the whole lookback
    stretch = [row for row in rows if failing[0] <= row.start <= failing[-1]]
    failed, succeeded = sum(row.failed for row in stretch), sum(row.succeeded for row in stretch)
    share = min(_MOST, max(_LEAST, failed / (failed + succeeded)))
    gain, loss = log((1 - limits.tolerated) / (1 - share)), log(limits.tolerated / share)
    proof = 0.0
    for row in sorted(rows, key=lambda row: (row.start, row.deployment_id)):
        proof = min(_MIN_PROOF, max(0.0, proof + row.succeeded * gain + row.failed * loss))
    return proof >= _MIN_PROOF
