"""The silences and the ends of deployments' outages that decide which failed calls count for regions and models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final

from alertworker.outages import counted_calls
from alertworker.outages.model import EndedCalls
from alertworker.outages.verdict import DEAD_REACH
from alertworker.outages.windows import WINDOW_SECONDS, Bucket
from alertworker.ports import Transaction
from alertworker.routing.silences import Silence, SilenceState

#: A silence that matches none of these labels is not about deployments, for example one of all outages of one type.
_NAMING: Final = frozenset({"deployment", "model", "provider", "region"})


class CountedCalls:
    """The failed calls that count, as one transaction sees them.

    A failed call during a silence does not count after the silence, either.
    """

    def __init__(self, tx: Transaction, *, now: datetime) -> None:
        self._tx, self._now = tx, now
        self._over: dict[str, int] = {}

    def learn(self, buckets: Iterable[Bucket]) -> None:
        """Read what `clear` needs to know of many targets' buckets, in one statement."""
        unknown = {row.deployment_id for row in buckets if row.failed} - self._over.keys()
        if unknown:
            self._over |= dict.fromkeys(unknown, 0) | self._tx.outages_over(unknown)

    def clear(self, buckets: Sequence[Bucket]) -> list[Bucket]:
        """Return buckets without the failures that do not count. Successes always count."""
        self.learn(buckets)
        return counted_calls.clear(buckets, self._is_silenced, self._over)

    def without_silenced(self, buckets: Iterable[Bucket]) -> list[Bucket]:
        """Return buckets without the failures of silenced deployments."""
        return counted_calls.clear(buckets, self._is_silenced, {})

    def ended_calls(self, calls: Iterable[EndedCalls], model: str, buckets: Iterable[Bucket]) -> list[EndedCalls]:
        """Return the calls for a model that no silenced deployment was the first to fail."""
        return counted_calls.clear_calls(calls, model, buckets, self._is_silenced)

    @cached_property
    def _silences(self) -> list[Silence]:
        since = self._now - timedelta(seconds=DEAD_REACH)
        known = [*self._tx.silences(now=self._now), *self._tx.ended_silences(since, now=self._now)]
        return [one for one in known if any(matcher.label in _NAMING for matcher in one.matchers)]

    def _is_silenced(self, labels: Mapping[str, str], bucket: int) -> bool:
        begin = datetime.fromtimestamp(bucket, UTC)
        end = begin + timedelta(seconds=WINDOW_SECONDS)
        return any(
            one.matches(labels)
            and (one.state(now=self._now) is SilenceState.ACTIVE or (one.starts_at < end and one.ends_at > begin))
            for one in self._silences
        )
