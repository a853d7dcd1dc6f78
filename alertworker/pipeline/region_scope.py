"""Which failed calls of deployments count for the outage of their region."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from alertworker.outages.counted_calls import without_failures
from alertworker.outages.model_alert import fingerprint
from alertworker.outages.windows import Bucket, Calls, Target
from alertworker.pipeline.counted_calls import CountedCalls
from alertworker.ports import Transaction


class RegionScope:
    """The failed calls that count for regions. ``widespread`` are models that fail in several regions."""

    def __init__(self, tx: Transaction, counted: CountedCalls, widespread: Collection[str] = ()) -> None:
        self._tx, self._counted, self._widespread = tx, counted, widespread

    def clear(self, buckets: Sequence[Bucket]) -> list[Bucket]:
        """Return a region's buckets without the failures that do not count."""
        return self._unexplained(self._counted.clear(buckets))

    def total(self, buckets: Sequence[Bucket]) -> list[Bucket]:
        """Return what `clear` does, and the failures of deployments that have recovered since."""
        return self._unexplained(self._counted.without_silenced(buckets))

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

        ``buckets`` are those of a region, and ``counting`` are the same without the failures that do not count.
        """
        calls = self._tx.calls_failed_by(target, start=start, end=end)
        if target.deployment_id:
            return calls
        failing, named = ({row.deployment_id for row in rows if row.failed} for rows in (buckets, counting))
        for deployment in sorted(failing - named):
            calls = _minus(calls, self._tx.calls_failed_by(Target(deployment), start=start, end=end))
        return calls

    def _unexplained(self, buckets: Sequence[Bucket]) -> list[Bucket]:
        explained = self._explained(buckets)
        return [without_failures(row) if row.model in explained else row for row in buckets]

    def _explained(self, buckets: Iterable[Bucket]) -> set[str]:
        """Return the models whose outage explains failures in a region, because they fail elsewhere, too."""
        failing = {row.model for row in buckets if row.failed and row.model}
        opened = self._tx.find_all_open(map(fingerprint, failing)) if failing else {}
        alerts = {model: opened.get(fingerprint(model)) for model in failing}
        return {model for model, alert in alerts.items() if alert and not alert.labels.get("region")} | set(
            self._widespread
        )


def _minus(calls: Calls, other: Calls) -> Calls:
    return Calls(
        max(0, calls.by_fallback - other.by_fallback),
        max(0, calls.by_retry - other.by_retry),
        Counter(calls.lost) - Counter(other.lost),
    )
