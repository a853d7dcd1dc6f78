"""Outages of model groups: most deployments of a model fail, or users get no answer. Pure.

A model group is judged like a deployment, with the calls of all its deployments (`OutagePolicy.model`). It must have at
least two deployments that had calls. If a model has one deployment, the outage of that deployment says the same and is
the only message.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from alertworker.outages.ending import End, Ending, ended, may_have_recovered, recovered_at
from alertworker.outages.grade import Grade
from alertworker.outages.policy import Limits
from alertworker.outages.verdict import WindowVerdict, count_by_deployment, is_dead, judge
from alertworker.outages.windows import WINDOW_SECONDS, Bucket, Calls, without_refusals

#: The cause of calls that failed for users, for any cause of their failed attempts.
_NO_ANSWER: Final = "no answer"


class EndedCalls(NamedTuple):
    """How calls for a model ended that none of its deployments answered at once, by team.

    ``deployment_id`` is the first deployment that failed them, empty if no deployment was available.
    """

    bucket: int
    deployment_id: str
    team: str
    by_fallback: int
    by_retry: int
    lost: int


#: The minimum share of failed calls of a deployment that fails, and has not just a stray failure.
_FAILING_SHARE: Final = 0.1


@dataclass(frozen=True, slots=True)
class JudgedModel:
    """The verdict on a model's buckets, how its failed calls ended, and the grade, ``None`` without an outage."""

    verdict: WindowVerdict
    calls: Calls
    grade: Grade | None
    buckets: Sequence[Bucket] = ()
    ended: Sequence[EndedCalls] = ()

    @property
    def places(self) -> frozenset[tuple[str, str]]:
        """The provider and region of each deployment that fails since the outage began.

        If all deployments have only stray failures, all of them count.
        """
        counted = count_by_deployment(self._stretch)
        named = self._failing or set(counted)
        rows = (row for row in self._stretch if row.failed and row.deployment_id in named)
        return frozenset((row.provider, row.region) for row in rows)

    @property
    def answering(self) -> tuple[int, int]:
        """How many of the deployments that had calls since the outage began answer normally, and how many had calls.

        If lost calls prove the outage, none answers well enough.
        """
        if _NO_ANSWER in self.verdict.causes:
            return 0, 0
        active = {row.deployment_id for row in self._stretch if row.failed or row.succeeded}
        answering = {row.deployment_id for row in self._stretch if row.succeeded} - self._failing
        return len(answering), len(active)

    @property
    def _stretch(self) -> list[Bucket]:
        return [row for row in self.buckets if self.verdict.since <= row.start <= self.verdict.until]

    @property
    def _failing(self) -> set[str]:
        """The deployments with more than stray failures."""
        counted = count_by_deployment(self._stretch)
        return {name for name, (failed, calls) in counted.items() if failed > 1 and failed >= _FAILING_SHARE * calls}


def judge_model(buckets: Sequence[Bucket], calls: Sequence[EndedCalls], limits: Limits) -> WindowVerdict:
    """Return the verdict on a model: most of its deployments fail, or evidently many calls fail for users."""
    verdict = judge_most(buckets, limits)
    return verdict if verdict.crossed else _judge_lost(buckets, calls, limits)


def judge_most(buckets: Sequence[Bucket], limits: Limits) -> WindowVerdict:
    """Return the verdict on a model or provider: most of its deployments fail.

    A deployment that has recovered answers, although it failed calls within the window.
    """
    answering = {name for name, own in _by_name(buckets).items() if may_have_recovered(own, limits)}
    rest = [row for row in buckets if row.deployment_id not in answering]
    return judge(rest, replace(limits, answering=len(answering)))


def judge_dead_model(buckets: Sequence[Bucket], limits: Limits) -> WindowVerdict | None:
    """Return the verdict on a model that no deployment answers at little traffic, ``None`` if it is not dead."""
    return is_dead(buckets, limits)


def is_outage_without(judged: JudgedModel, refused: Collection[str], limits: Limits) -> bool:
    """Return whether a model or a deployment of it has an outage, even without the refused calls of some deployments.

    Lost calls that such a deployment failed first do not count. Lost calls that found no deployment do not count
    either, unless another deployment failed a call.
    """
    rest = [without_refusals(row) if row.deployment_id in refused else row for row in judged.buckets]
    explained = {*refused, ""} if all(row.deployment_id in refused for row in rest if row.failed) else {*refused}
    calls = [one for one in judged.ended if one.deployment_id not in explained]
    if judge_model(rest, calls, limits).crossed or is_dead(rest, limits) is not None:
        return True
    single = limits.single
    return any(
        judge(own, single).crossed or is_dead(own, single) is not None for _, own in sorted(_by_name(rest).items())
    )


def model_ended(
    buckets: Sequence[Bucket],
    calls: Sequence[EndedCalls],
    limits: Limits,
    *,
    since: int,
    until: int,
    is_dead: bool = False,
) -> Ending | None:
    """Return how a model's outage ended, ``None`` if it continues.

    It continues while two of its deployments fail, so that these are not reported one by one. The last deployment that
    still fails has an outage of its own.
    """
    last = until - limits.span
    lately = [row for row in buckets if row.start >= last]
    own = [one for one in calls if one.bucket >= last]
    if _judge_lost(lately, own, limits).crossed or (not buckets and any(one.lost for one in calls)):
        return None
    worst = _worst(buckets, lately)
    counted = _recovering(buckets, worst, lately)
    if buckets and not counted:
        return None
    if _is_only_one(worst, buckets, calls):
        return Ending(End.RECOVERED, since)
    ending = ended(counted, limits.single, since=since, until=until, is_mixed=not is_dead)
    if ending is None or ending.how is not End.RECOVERED:
        return ending
    # Deployments that failed no call show no recovery. The end of the last lost call does, if there was one.
    lost = max((one.bucket for one in calls if one.lost and one.deployment_id != worst), default=0)
    return ending._replace(at=max(ending.at, min(lost + WINDOW_SECONDS, until)))


def model_recovered_at(buckets: Sequence[Bucket], limits: Limits) -> int:
    """Return the epoch second at which all of a model's deployments but the worst had recovered; 0 if that is unknown.

    ``buckets`` are all since the outage began. Failures of a deployment whose own outage has ended count, too.
    """
    failures = count_by_deployment(buckets)
    worst = max(failures, key=lambda name: (failures[name], name), default=None)
    own = [row for name, rows in _by_name(buckets).items() if name != worst and _has_failed(rows) for row in rows]
    return recovered_at(own, limits) if own else 0


def add_up(calls: Iterable[EndedCalls], *, since: int) -> Calls:
    """Return the sums of calls that ended from an epoch second on."""
    by_fallback, by_retry, lost = 0, 0, Counter[str]()
    for one in calls:
        if one.bucket >= since:
            by_fallback, by_retry = by_fallback + one.by_fallback, by_retry + one.by_retry
            lost[one.team] += one.lost
    return Calls(by_fallback, by_retry, {team: count for team, count in lost.items() if count})


def _worst(buckets: Sequence[Bucket], lately: Sequence[Bucket]) -> str | None:
    """Return the deployment that most likely fails still, ``None`` if none failed.

    It failed the most calls lately. Of several it has not answered since.
    """
    newest, total = count_by_deployment(lately), count_by_deployment(buckets)
    unanswered = {name for name, own in _by_name(buckets).items() if not _has_answered_since(own)}
    return max(total, key=lambda one: (newest.get(one, (0, 0))[0], one in unanswered, total[one], one), default=None)


def _recovering(buckets: Sequence[Bucket], worst: str | None, lately: Sequence[Bucket]) -> list[Bucket]:
    """Return the calls that may show that at most one deployment of a model still fails, none if they cannot.

    All deployments but the worst must have answered since they failed. The worst one counts only if it failed no call
    lately. A deployment that answered throughout does not show that those that failed have recovered.
    """
    failing = {name for name, own in _by_name(buckets).items() if _has_failed(own)}
    if any(
        name in failing and name != worst and not _has_answered_since(own) for name, own in _by_name(buckets).items()
    ):
        return []
    left = worst if worst in count_by_deployment(lately) else None
    others = [row for row in buckets if row.deployment_id != left]
    return [row for row in others if row.deployment_id in failing] or others


def _is_only_one(worst: str | None, buckets: Sequence[Bucket], calls: Sequence[EndedCalls]) -> bool:
    """Return whether only the worst deployment had more than stray failures, others answer, and no call was lost."""
    others = {name: own for name, own in _by_name(buckets).items() if name != worst}
    lost = any(one.lost for one in calls if one.deployment_id != worst)
    answers = any(row.succeeded for own in others.values() for row in own)
    return worst is not None and answers and not lost and not any(map(_has_failed, others.values()))


def _has_answered_since(buckets: Iterable[Bucket]) -> bool:
    """Return whether a call succeeded after the last failure."""
    rows = list(buckets)
    return max(row.last_success for row in rows) > max(row.last_failure for row in rows)


def _by_name(buckets: Iterable[Bucket]) -> dict[str, list[Bucket]]:
    found: dict[str, list[Bucket]] = {}
    for row in buckets:
        found.setdefault(row.deployment_id, []).append(row)
    return found


def _has_failed(buckets: Iterable[Bucket]) -> bool:
    """Return whether a deployment had more than stray failures, between its first failure and its last one."""
    rows = sorted(buckets, key=lambda row: row.start)
    starts = [row.start for row in rows if row.failed]
    within = [row for row in rows if starts and starts[0] <= row.start <= starts[-1]]
    failed, calls = sum(row.failed for row in within), sum(row.failed + row.succeeded for row in within)
    return failed > 1 and failed >= _FAILING_SHARE * calls


def _judge_lost(buckets: Sequence[Bucket], calls: Sequence[EndedCalls], limits: Limits) -> WindowVerdict:
    """Return the verdict on the calls that failed for users.

    Lost calls that one deployment failed first belong to that deployment's outage. So those of the worst deployment do
    not count.
    """
    lost = Counter[str]()
    for one in calls:
        lost[one.deployment_id] += one.lost
    worst = max((name for name in lost if name), key=lambda name: (lost[name], name), default=None)
    active = {row.deployment_id for row in buckets if row.failed or row.succeeded}
    if sum(lost.values()) - (lost[worst] if worst else 0) < limits.minor or len(active) < limits.deployments:
        return WindowVerdict()
    rows = [Bucket(row.start, "", row.succeeded) for row in buckets]
    rows += [Bucket(one.bucket, "", one.by_fallback) for one in calls]
    rows += [Bucket(one.bucket, "", 0, {_NO_ANSWER: one.lost}) for one in calls if one.deployment_id != worst]
    verdict = judge(rows, limits.single)
    stretch = (row for row in buckets if verdict.since <= row.start <= verdict.until)
    return replace(verdict, failures=count_by_deployment(stretch))
