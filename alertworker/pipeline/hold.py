"""Hold back the outage of a deployment while its model seems to fail, because the model's outage will replace it."""

from __future__ import annotations

from datetime import datetime

from alertworker.alerts.alert import OpenAlert
from alertworker.alerts.suppression import Suppression
from alertworker.outages.hold import held_until, most_fail
from alertworker.outages.windows import bucket_of
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Transaction


def find_hold(tx: Transaction, alert: OpenAlert, runtime: Runtime, *, now: datetime) -> Suppression | None:
    """Return why the first message about a deployment's outage waits, ``None`` if it does not.

    It waits while most deployments of its model fail. Where LiteLLM's counts alone decide, models have no outages.
    """
    until = held_until(alert, now=now)
    if until is None or now >= until or not runtime.policy.outages.model.share:
        return None
    model = alert.labels["model"]
    rows = tx.models.model_buckets({model: bucket_of(alert.first_at.timestamp())})[model]
    return Suppression.held(until) if most_fail(rows) else None
