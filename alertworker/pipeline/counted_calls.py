"""Which failed calls of deployments count for their region and their model.

Failures of silenced deployments do not: a stray failure elsewhere would turn a silenced outage into a message about the
region or the model. Neither do failures from before the end of a deployment's own outage: that outage is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final

from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.outages.model import EndedCalls
from alertworker.outages.verdict import DEAD_REACH
from alertworker.outages.windows import WINDOW_SECONDS, Bucket
from alertworker.ports import Transaction
from alertworker.routing.silences import Silence

#: A silence that matches none of these labels is not about deployments, for example one of all outages of one type.
_NAMING: Final = frozenset({"deployment", "model"})


class CountedCalls:
    """The silences and the ends of deployments' outages, as one transaction sees them.

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
        counting = self.without_silenced(buckets)
        return [_without_failures(row) if row.start < self._over.get(row.deployment_id, 0) else row for row in counting]

    def without_silenced(self, buckets: Iterable[Bucket]) -> list[Bucket]:
        """Return buckets without the failures of silenced deployments."""
        return [
            _without_failures(row) if row.failed and self._is_silenced(_labels(row), row.start) else row
            for row in buckets
        ]

    def ended_calls(self, calls: Iterable[EndedCalls], model: str, buckets: Iterable[Bucket]) -> list[EndedCalls]:
        """Return the calls for a model that no silenced deployment was the first to fail."""
        known = {row.deployment_id: _labels(row) for row in buckets}
        unknown = {"model": model}
        return [
            one
            for one in calls
            if not self._is_silenced(
                known.get(one.deployment_id, unknown | {"deployment": one.deployment_id}), one.bucket
            )
        ]

    @cached_property
    def _silences(self) -> list[Silence]:
        since = self._now - timedelta(seconds=DEAD_REACH)
        known = [*self._tx.silences(now=self._now), *self._tx.ended_silences(since, now=self._now)]
        return [one for one in known if any(matcher.label in _NAMING for matcher in one.matchers)]

    def _is_silenced(self, labels: Mapping[str, str], bucket: int) -> bool:
        if not self._silences:
            return False
        outage = {**labels, "alert_type": AlertType.OUTAGE_ALERTS.value, "severity": Severity.HIGH.value}
        begin = datetime.fromtimestamp(bucket, UTC)
        end = begin + timedelta(seconds=WINDOW_SECONDS)
        return any(
            one.matches(outage)
            and (one.state(now=self._now) == "active" or (one.starts_at < end and one.ends_at > begin))
            for one in self._silences
        )


def _without_failures(row: Bucket) -> Bucket:
    return replace(row, causes={}, last_failure=0)


def _labels(row: Bucket) -> dict[str, str]:
    labels = {"deployment": row.deployment_id, "model": row.model, "provider": row.provider, "region": row.region}
    return {name: value for name, value in labels.items() if value}
