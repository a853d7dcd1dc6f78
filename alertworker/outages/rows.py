"""The rows of windows: sums of calls on deployments, of the causes of failures, and of how failed calls ended.

Other rows have the callers whose calls failed, and the provider's keys that were refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from alertworker.outages.windows import KEY_GROUPS


class WindowKey(NamedTuple):
    """One deployment's bucket. ``bucket`` is the epoch second of its start. An unknown field is empty."""

    deployment_id: str
    provider: str
    region: str
    bucket: int


class CallKey(NamedTuple):
    """Calls of one team that a target failed and that ended in one bucket. The first three fields are the `Target`."""

    deployment_id: str
    provider: str
    region: str
    bucket: int
    team: str


class ModelCallKey(NamedTuple):
    """Calls of one team for a model group that none of its deployments answered, and that ended in one bucket.

    ``deployment_id`` is the first deployment that failed the call. It is empty if no deployment was available.
    """

    model: str
    deployment_id: str
    bucket: int
    team: str


class CauseKey(NamedTuple):
    """One cause, from `windows.cause`, of failed calls in one deployment's bucket."""

    deployment_id: str
    provider: str
    region: str
    bucket: int
    cause: str


class FailingKey(NamedTuple):
    """One caller's key whose calls failed in one deployment's bucket. An unknown key is empty."""

    deployment_id: str
    provider: str
    region: str
    bucket: int
    key_hash: str


class CredentialKey(NamedTuple):
    """A provider's API key, by the first digits of its hash."""

    provider: str
    credential: str


class RefusalKey(NamedTuple):
    """Calls of one deployment in one bucket whose credential the provider refused."""

    provider: str
    credential: str
    deployment_id: str
    region: str
    bucket: int


@dataclass(slots=True)
class WindowSums:
    """The sums of a bucket.

    ``succeeded`` counts calls that never failed on this deployment. ``last_success`` is in epoch milliseconds, 0 for
    never. A bucket with failed calls alone has a row, too; `CauseSums` counts these. ``model`` is the deployment's
    model group; if there are several, the last one in alphabetical order. ``keys_0`` and so on count those of
    ``succeeded`` whose key is in this group (`windows.group_of`).
    """

    succeeded: int = 0
    last_success: int = 0
    model: str = ""
    keys_0: int = 0
    keys_1: int = 0
    keys_2: int = 0
    keys_3: int = 0
    keys_4: int = 0
    keys_5: int = 0
    keys_6: int = 0
    keys_7: int = 0


#: The fields of `WindowSums` by group.
BY_GROUP: Final = tuple(f"keys_{group}" for group in range(KEY_GROUPS))


@dataclass(slots=True)
class CallSums:
    """How many calls that a target failed were answered by a fallback or by a retry, and how many were lost."""

    by_fallback: int = 0
    by_retry: int = 0
    lost: int = 0


@dataclass(slots=True)
class CauseSums:
    """How many calls failed by one cause. ``first_failure`` and ``last_failure`` are in epoch milliseconds.

    If the producer marks the first failure, ``attempts`` counts a call once, however often it is retried on the
    deployment.
    """

    attempts: int = 0
    last_failure: int = 0
    first_failure: int = 0


@dataclass(slots=True)
class KeyFailures:
    """How many calls of a key failed. ``model`` is the last in alphabetical order, so that no order matters."""

    failed: int = 0
    model: str = ""


@dataclass(slots=True)
class RefusalSums:
    """How many calls were refused, by status. ``last_refusal`` is in epoch milliseconds.

    ``model`` is the last model in alphabetical order, so that no order matters.
    """

    unauthorized: int = 0
    forbidden: int = 0
    last_refusal: int = 0
    model: str = ""
