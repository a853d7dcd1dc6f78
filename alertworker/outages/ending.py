"""The end of an outage: whether the calls since the last failures prove that the target has recovered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from math import log
from typing import Final, NamedTuple

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


class Ending(NamedTuple):
    """How an outage ended, and the epoch second at which the target recovered; 0 if that is unknown."""

    how: End
    at: int = 0


def ended(buckets: Iterable[Bucket], limits: Limits, *, since: int, until: int) -> Ending | None:
    """Return the end of an outage, ``None`` if it continues.

    The outage began at the epoch second ``since``. ``until`` is a bucket's start, and all events from before it have
    arrived. ``buckets`` are those since `lookback`. An outage is over if calls succeed again and the last window alone
    is no outage. With a minimum share, the successes must also be too many for the outage's error rate: one is enough
    if every call failed, about 40 are needed if 15 % failed. Without any call the end is unknown.
    """
    rows = [row for row in buckets if row.start >= until - lookback(limits)]
    if not rows:
        return Ending(End.UNKNOWN)
    succeeded = max(row.last_success for row in rows)
    failed = max(row.last_failure for row in rows)
    if failed >= until * 1_000 or judge([row for row in rows if row.start >= until - limits.span], limits).level:
        return None
    if not limits.share:
        after = [row.last_success for row in rows if row.last_success > failed]
        return Ending(End.RECOVERED, min(after) // 1_000) if after else None
    at = _recovery([row for row in rows if row.start >= since], limits) if succeeded else None
    return None if at is None else Ending(End.RECOVERED, at)


def lookback(limits: Limits) -> int:
    """Return how many seconds of attempts decide whether an outage is over."""
    return max(NO_TRAFFIC_SECONDS, limits.span)


def still_fails(buckets: Iterable[Bucket], limits: Limits, *, after: float) -> bool:
    """Return whether an outage holds by all calls that are known, although more may come.

    A call must have failed after the epoch second ``after``. The calls since then must not prove a recovery.
    """
    rows = list(buckets)
    failed = max((row.last_failure for row in rows), default=0)
    if failed <= after * 1_000:
        return False
    if not limits.share:
        return failed >= max(row.last_success for row in rows)
    return _recovery(rows, limits) is None


def _recovery(rows: Sequence[Bucket], limits: Limits) -> int | None:
    """Return the epoch second from which a healthy error rate explains the calls better than the outage's error rate.

    Return ``None`` if that is not proven. It is a cumulative sum of log-likelihood ratios (CUSUM), kept between 0 and
    `_MIN_PROOF`. So calls before the last failures neither delay the end nor cause it. The recovery begins where the
    sum last left 0.
    """
    ordered = sorted(rows, key=lambda row: (row.start, row.deployment_id))
    failing = [row.start for row in ordered if row.failed]
    if not failing:  # a success and no failure for the whole lookback
        return next((row.start for row in ordered if row.succeeded), ordered[0].start if ordered else 0)
    stretch = [row for row in ordered if failing[0] <= row.start <= failing[-1]]
    failed, succeeded = sum(row.failed for row in stretch), sum(row.succeeded for row in stretch)
    share = min(_MOST, max(_LEAST, failed / (failed + succeeded)))
    gain, loss = log((1 - limits.tolerated) / (1 - share)), log(limits.tolerated / share)
    proof, begins = 0.0, ordered[0]
    for row in ordered:
        before = proof
        proof = min(_MIN_PROOF, max(0.0, proof + row.succeeded * gain + row.failed * loss))
        if not before:
            begins = row
    return max(begins.start, begins.last_failure // 1_000) if proof >= _MIN_PROOF else None
