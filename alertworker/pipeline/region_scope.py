"""The failed calls that count for a region: not those of counted deployments, nor of models that fail everywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from alertworker.outages.windows import Bucket, Calls, Target
from alertworker.pipeline.counted_calls import CountedCalls
from alertworker.pipeline.model_outages import ModelJudgement, explained_models
from alertworker.ports import Transaction


class RegionScope:
    """The failed calls that count, and the models' outages that explain others."""

    def __init__(self, tx: Transaction, counted: CountedCalls, models: Sequence[ModelJudgement]) -> None:
        self._tx, self._counted, self._models = tx, counted, models

    def clear(self, buckets: Sequence[Bucket]) -> list[Bucket]:
        """Return a region's buckets without the failures that do not count."""
        counting = self._counted.clear(buckets)
        explained = explained_models(self._tx, self._models, counting)
        return [replace(row, causes={}, last_failure=0) if row.model in explained else row for row in counting]

    def calls_failed_by(self, target: Target, *, start: int, buckets: Sequence[Bucket]) -> Calls:
        """Return how the calls ended that count for a region. ``buckets`` are the region's, before `clear`."""
        failing = {row.deployment_id for row in buckets if row.failed}
        counting = {row.deployment_id for row in self.clear(buckets) if row.failed}
        calls = self._tx.calls_failed_by(target, start=start)
        for deployment in sorted(failing - counting):
            calls = _minus(calls, self._tx.calls_failed_by(Target(deployment), start=start))
        return calls


def _minus(calls: Calls, other: Calls) -> Calls:
    return Calls(
        max(0, calls.by_fallback - other.by_fallback),
        max(0, calls.by_retry - other.by_retry),
        Counter(calls.lost) - Counter(other.lost),
    )
