"""The silences and ends of outages that decide which failed calls count for regions, providers and models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final

from alertworker.outages import counted_calls
from alertworker.outages.counted_calls import without_failures
from alertworker.outages.model import EndedCalls, add_up
from alertworker.outages.model_alert import fingerprint
from alertworker.outages.verdict import DEAD_REACH
from alertworker.outages.windows import WINDOW_SECONDS, Bucket, Calls, Target
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
            self._over |= dict.fromkeys(unknown, 0) | self._tx.outages.outages_over(unknown)

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
        known = [*self._tx.silences.current(now=self._now), *self._tx.silences.ended(since, now=self._now)]
        return [one for one in known if any(matcher.label in _NAMING for matcher in one.matchers)]

    def _is_silenced(self, labels: Mapping[str, str], bucket: int) -> bool:
        begin = datetime.fromtimestamp(bucket, UTC)
        end = begin + timedelta(seconds=WINDOW_SECONDS)
        return any(
            one.matches(labels)
            and (one.state(now=self._now) is SilenceState.ACTIVE or (one.starts_at < end and one.ends_at > begin))
            for one in self._silences
        )


class PlaceScope:
    """The failed calls that count for regions and providers.

    ``places`` are the providers and regions in which models with an outage fail.
    """

    def __init__(
        self, tx: Transaction, counted: CountedCalls, places: Mapping[str, Collection[tuple[str, str]]] | None = None
    ) -> None:
        self._tx, self._counted, self._places = tx, counted, places or {}

    def clear(self, target: Target, buckets: Sequence[Bucket]) -> list[Bucket]:
        """Return a region's or provider's buckets without the failures that do not count."""
        return self._unexplained(target, self._counted.clear(buckets))

    def total(self, target: Target, buckets: Sequence[Bucket]) -> list[Bucket]:
        """Return what `clear` does, and the failures of deployments that have recovered since."""
        return self._unexplained(target, self._counted.without_silenced(buckets))

    def calls_failed_by(
        self,
        target: Target,
        *,
        start: int,
        end: int | None = None,
        buckets: Sequence[Bucket],
        counting: Sequence[Bucket],
    ) -> Calls:
        """Return how the calls ended that count for a target.

        ``buckets`` are those of a region or provider, and ``counting`` are the same without the failures that do not
        count. Some producers do not report in which region a call failed before it ended. Then the region is that of
        the deployment that failed the call first.
        """
        calls = self._tx.outages.calls_failed_by(target, start=start, end=end)
        if target.deployment_id:
            return calls
        failing, named = ({row.deployment_id for row in rows if row.failed} for rows in (buckets, counting))
        for deployment in sorted(failing - named):
            calls = _minus(calls, self._tx.outages.calls_failed_by(Target(deployment), start=start, end=end))
        models = {row.model for row in counting if row.failed and row.model}
        found = (one for own in self._tx.models.ended_calls(dict.fromkeys(models, start)).values() for one in own)
        within = (one for one in found if one.deployment_id in named and (end is None or one.bucket < end))
        return calls.at_least(add_up(within, since=start))

    def _unexplained(self, target: Target, buckets: Sequence[Bucket]) -> list[Bucket]:
        explained = self._explained(target, buckets)
        return [without_failures(row) if row.model in explained else row for row in buckets]

    def _explained(self, target: Target, buckets: Iterable[Bucket]) -> set[str]:
        """Return the models whose outage explains failures of a target, because they fail elsewhere, too."""
        label = "provider" if target.is_provider else "region"
        failing = {row.model for row in buckets if row.failed and row.model}
        # Without locks: the rows of these models may not be locked, and their order is not that of the targets.
        opened = self._tx.alerts.read_open([fingerprint(model) for model in failing])
        alerts = {model: opened.get(fingerprint(model)) for model in failing}
        elsewhere = {
            model
            for model, places in self._places.items()
            if len({provider if target.is_provider else (provider, region) for provider, region in places}) > 1
        }
        return elsewhere | {model for model, alert in alerts.items() if alert and not alert.labels.get(label)}


def _minus(calls: Calls, other: Calls) -> Calls:
    return Calls(
        max(0, calls.by_fallback - other.by_fallback),
        max(0, calls.by_retry - other.by_retry),
        Counter(calls.lost) - Counter(other.lost),
    )
