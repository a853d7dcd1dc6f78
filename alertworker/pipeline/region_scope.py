"""The failed calls that count for a region: not those of silenced deployments, nor of models that fail everywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from alertworker.outages.windows import Bucket, Calls, Target
from alertworker.pipeline.model_outages import ModelJudgement, explained_models
from alertworker.pipeline.silenced_calls import SilencedCalls
from alertworker.ports import Transaction


class RegionScope:
    """The silences and the models' outages that decide which failures count for a region."""

    def __init__(self, tx: Transaction, silenced: SilencedCalls, models: Sequence[ModelJudgement]) -> None:
        self._tx, self._silenced, self._models = tx, silenced, models

    def clear(self, buckets: Iterable[Bucket]) -> list[Bucket]:
        """Return a region's buckets without the failures that do not count."""
        counting = self._silenced.clear(buckets)
        explained = explained_models(self._tx, self._models, counting)
        return [replace(row, causes={}, last_failure=0) if row.model in explained else row for row in counting]

    def calls_failed_by(self, target: Target, *, start: int, buckets: Iterable[Bucket]) -> Calls:
        """Return how the calls ended that count for a region. ``buckets`` are the region's, before `clear`."""
        rows = list(buckets)
        failing = {row.deployment_id for row in rows if row.failed}
        counting = {row.deployment_id for row in self.clear(rows) if row.failed}
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
