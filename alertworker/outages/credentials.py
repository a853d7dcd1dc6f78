"""Refused credentials: a provider answers 401 or 403 to every call with one of its API keys.

Pure, and a function of sums alone, as `windows` explains.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from alertworker.alerts.many import MANY
from alertworker.outages.ending import NO_TRAFFIC_SECONDS, End
from alertworker.outages.evidence import is_evident
from alertworker.outages.grade import Grade
from alertworker.outages.policy import Limits
from alertworker.outages.rows import CredentialKey
from alertworker.outages.verdict import Threshold, WindowVerdict
from alertworker.outages.windows import FORBIDDEN, UNAUTHORIZED, Calls

#: Up to this number of refused credentials of a provider, each has a condition of its own. If there are more, the newly
#: refused ones share one.
MOST: Final = 20
#: How long a credential is not used before its condition ends with an unknown end, in seconds.
UNUSED_SECONDS: Final = 24 * 3_600
#: The minimum number of ended calls that show that no other credential serves a model.
_ENDED: Final = 3
#: The minimum number of lost calls, and their minimum share of the refused ones, that hurt users.
_HARM: Final = 3
_HARM_SHARE: Final = 0.05


@dataclass(frozen=True, slots=True)
class CredentialState:
    """The state of a credential: the rank of its grade or 0, the end of its last condition, and its last success.

    ``last_success`` is the start of a bucket. It is 0 if the producers do not report which credential succeeded.
    """

    level: int = 0
    over_until: int = 0
    last_success: int = 0


@dataclass(frozen=True, slots=True)
class Refusals:
    """The refused calls of one deployment that uses the credential, with their first and last bucket.

    ``last_refusal`` is in epoch milliseconds.
    """

    deployment_id: str
    region: str
    model: str
    unauthorized: int
    forbidden: int
    since: int
    until: int
    last_refusal: int


@dataclass(frozen=True, slots=True)
class RefusalReport:
    """A credential's refusals since its last success, and how the calls ended that its deployments failed since.

    ``alone`` are the models that no other credential serves. A call is counted once in ``calls``, and once for each
    deployment that failed it in ``by_deployment``.
    """

    key: CredentialKey
    rows: Sequence[Refusals]
    calls: Calls
    alone: tuple[str, ...]
    by_deployment: Mapping[str, Calls] = field(default_factory=dict)


def shared_by(provider: str) -> CredentialKey:
    """Return the key that stands for the credentials of a provider that share a condition.

    The condition inhibits what has its label ``credential``, so the label names the provider, too.
    """
    return CredentialKey(provider, f"{MANY} {provider}".rstrip())


def judge_credential(rows: Sequence[Refusals], limits: Limits) -> WindowVerdict | None:
    """Return the verdict on a credential's refused calls since its last success, ``None`` if they are too few.

    No call succeeded since, so as many calls as a minor outage needs are evidence. Fewer calls are enough if they are
    evidence by themselves. Otherwise the outage of a deployment, which counts other failures, too, could come first.
    """
    verdict = sums_of(rows)
    proves = verdict.failed >= limits.minor or is_evident(verdict.failed, verdict.calls, limits.tolerated)
    return verdict if limits.share and verdict.failed and proves else None


def least_refusals(limits: Limits) -> int:
    """Return the number of refused calls below which a credential has no condition."""
    return next(
        count
        for count in range(1, limits.minor + 1)
        if count == limits.minor or is_evident(count, count, limits.tolerated)
    )


def sums_of(rows: Sequence[Refusals]) -> WindowVerdict:
    """Return the sums of refused calls. Without any, nothing has crossed a threshold."""
    if not rows:
        return WindowVerdict()
    causes = {UNAUTHORIZED: sum(row.unauthorized for row in rows), FORBIDDEN: sum(row.forbidden for row in rows)}
    failed = sum(causes.values())
    refusals: Counter[str] = Counter()
    for row in rows:
        refusals[row.deployment_id] += row.unauthorized + row.forbidden
    return WindowVerdict(
        crossed=Threshold.MAJOR,
        since=min(row.since for row in rows),
        until=max(row.until for row in rows),
        failed=failed,
        calls=failed,
        causes={name: count for name, count in causes.items() if count},
        failures={name: (count, count) for name, count in sorted(refusals.items())},
        is_dead=True,
    )


def unserved_models(rows: Iterable[Refusals], calls: Mapping[str, Calls]) -> tuple[str, ...]:
    """Return the models that no other credential serves: a retry answered none of their refused calls."""
    ended: dict[str, tuple[int, int]] = {}
    for row in rows:
        own = calls.get(row.deployment_id, Calls())
        number, retried = ended.get(row.model, (0, 0))
        total = own.by_retry + own.by_fallback + sum(own.lost.values())
        ended[row.model] = number + total, retried + own.by_retry
    return tuple(sorted(model for model, (number, retried) in ended.items() if number >= _ENDED and not retried))


def add_up_reports(provider: str, reports: Sequence[RefusalReport]) -> RefusalReport:
    """Return the report on the credentials of a provider that share a condition."""
    calls = Calls()
    by_deployment: dict[str, Calls] = {}
    for report in reports:
        calls += report.calls
        for name, own in report.by_deployment.items():  # the same calls, if credentials share a deployment
            by_deployment[name] = own.at_least(by_deployment.get(name, Calls()))
    rows = [row for report in reports for row in report.rows]
    alone = sorted({model for report in reports for model in report.alone})
    return RefusalReport(shared_by(provider), rows, calls, tuple(alone), by_deployment)


def grade_of(verdict: WindowVerdict, report: RefusalReport) -> Grade:
    """Return the grade: High if users lost calls, or if no other credential serves one of the models.

    The calls of one deployment are enough, as they are for the deployment's outage, which this alert inhibits.
    """
    refused = {"": verdict.failed} | {name: failed for name, (failed, _) in verdict.failures.items()}
    calls = {"": report.calls, **report.by_deployment}
    harmed = any(
        sum(own.lost.values()) >= max(_HARM, _HARM_SHARE * refused[name])
        for name, own in calls.items()
        if name in refused
    )
    return Grade(is_major=True, is_high=bool(report.alone) or harmed)


def ended(rows: Iterable[Refusals], state: CredentialState, successes: Mapping[str, int], *, until: int) -> End | None:
    """Return how a credential's condition ended, ``None`` if it continues.

    ``rows`` are the refusals since it began. ``successes`` are the deployments' last successes in epoch milliseconds.
    ``until`` is a bucket's start, and all events from before it have arrived. The credential works again if a call with
    it succeeded after its last refusal. It was replaced if calls of its deployments succeeded instead. A deployment
    without calls for `NO_TRAFFIC_SECONDS` proves nothing if another one recovered.
    """
    deployments = list(rows)
    last = max((row.last_refusal for row in deployments), default=0) // 1_000
    if last >= until:
        return None
    if state.last_success > last:
        return End.RECOVERED
    failing = [row for row in deployments if row.last_refusal >= successes.get(row.deployment_id, 0)]
    resting = all(row.last_refusal // 1_000 < until - NO_TRAFFIC_SECONDS for row in failing)
    if len(failing) < len(deployments) and resting:
        return End.RECOVERED
    return End.UNKNOWN if last < until - UNUSED_SECONDS else None
