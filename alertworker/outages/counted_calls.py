"""Which failed calls of deployments count for their region and their model. Pure.

Failures of silenced deployments do not: a stray failure elsewhere would turn a silenced outage into a message about the
region or the model. Neither do failures from before the end of a deployment's own outage: that outage is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias

from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.outages.model import EndedCalls
from alertworker.outages.windows import Bucket

#: Returns whether an outage with these labels is silenced in the bucket that starts at an epoch second.
IsSilenced: TypeAlias = Callable[[Mapping[str, str], int], bool]


def clear(buckets: Iterable[Bucket], is_silenced: IsSilenced, over: Mapping[str, int]) -> list[Bucket]:
    """Return buckets without the failures that do not count. Successes always count.

    ``over`` has, for each deployment, the epoch second before which every outage has ended.
    """
    return [
        without_failures(row)
        if row.failed and (row.start < over.get(row.deployment_id, 0) or is_silenced(_labels(row), row.start))
        else row
        for row in buckets
    ]


def clear_calls(
    calls: Iterable[EndedCalls], model: str, buckets: Iterable[Bucket], is_silenced: IsSilenced
) -> list[EndedCalls]:
    """Return the calls for a model that no silenced deployment was the first to fail."""
    known = {row.deployment_id: _labels(row) for row in buckets}

    def labels(one: EndedCalls) -> Mapping[str, str]:
        return known.get(one.deployment_id) or _labels(Bucket(one.bucket, one.deployment_id, model=model))

    return [one for one in calls if not is_silenced(labels(one), one.bucket)]


def without_failures(row: Bucket) -> Bucket:
    """Return a bucket with its successes alone."""
    return replace(row, causes={}, last_failure=0, first_failure=0)


def _labels(row: Bucket) -> dict[str, str]:
    """Return the labels that the outage of a bucket's deployment would have."""
    known = {"deployment": row.deployment_id, "model": row.model, "provider": row.provider, "region": row.region}
    always = {"alert_type": AlertType.OUTAGE_ALERTS.value, "severity": Severity.HIGH.value}
    return always | {name: value for name, value in known.items() if value}
