"""Outages of model groups: judge them before their deployments, whose outages they inhibit, and end them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alertworker.alerts.alert import OpenAlert
from alertworker.events import AttemptFailed
from alertworker.events.batch import REDELIVERED_WITHIN
from alertworker.outages.ending import DEAD_LASTS, NO_TRAFFIC_SECONDS, End, lookback
from alertworker.outages.grade import Grade, grade, lost_until
from alertworker.outages.model import (
    EndedCalls,
    JudgedModel,
    add_up,
    judge_dead_model,
    judge_model,
    model_ended,
    model_recovered_at,
)
from alertworker.outages.model_alert import close_model, fingerprint, model_alert
from alertworker.outages.policy import Limits
from alertworker.outages.rows import CallSums, ModelCallKey
from alertworker.outages.verdict import DEAD_REACH, WindowVerdict, may_be_dead
from alertworker.outages.windows import Bucket, Calls, Outage, bucket_of, model_of
from alertworker.pipeline.batches import BatchContext
from alertworker.pipeline.counted_calls import CountedCalls
from alertworker.pipeline.current import model_sums
from alertworker.pipeline.notify import claim, resolve
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Clock, Transaction


@dataclass(frozen=True, slots=True)
class ModelJudgement:
    """A model group with its state before the batch, the verdict, and the batch's failed calls on its deployments."""

    model: str
    outage: Outage
    judged: JudgedModel
    events: Sequence[AttemptFailed]


def judge_models(context: BatchContext, counted: CountedCalls) -> list[ModelJudgement]:
    """Return the verdicts on the models that failed a call of the batch, under the locks of their rows.

    LiteLLM has no outages of models, so there are none if only its counts decide.
    """
    limits = context.runtime.policy.outages.model
    if not limits.share:
        return []
    events, lost = _events(context), _lost_buckets(context.folded.outages.models)
    known = context.tx.models.lock_models({*events, *lost})
    own: dict[str, list[AttemptFailed]] = {}
    moments: dict[str, list[int]] = {}
    for model, outage in known.items():
        own[model] = [one for one in events.get(model, ()) if one.began_at.timestamp() >= outage.over_until]
        moments[model] = [bucket_of(event.occurred_at.timestamp()) for event in own[model]]
        moments[model] += [bucket for bucket in lost.get(model, ()) if bucket >= outage.over_until]
    judged = _judge(context, counted, {model: known[model] for model in sorted(known) if moments[model]}, moments)
    return [ModelJudgement(model, known[model], one, own[model]) for model, one in judged.items()]


def places_of(judgements: Iterable[ModelJudgement]) -> dict[str, frozenset[tuple[str, str]]]:
    """Return the providers and regions in which models with an outage fail."""
    return {one.model: one.judged.places for one in judgements if one.judged.grade is not None}


def raise_model(
    context: BatchContext, one: ModelJudgement, counted: CountedCalls, *, credential: str | None = None
) -> None:
    """Claim the alert that opens a model's outage, raises its grade or counts failed calls. Store the new state.

    It has the label of the refused ``credential`` that explains the failures on all of its deployments.
    """
    tx, outage, judged = context.tx, one.outage, one.judged
    opened = tx.alerts.find_open(fingerprint(one.model)) if outage.state else None
    if judged.grade is None and opened is None:
        return
    worst = (judged.grade or Grade(is_major=False, is_high=False)).worst(outage.rank)
    if opened is not None:
        _, calls, _ = model_sums(tx, opened, counted)
        judged = replace(judged, calls=calls)
    kept = tx.occurrences.count_members(opened.id) if opened is not None else 0
    policy = context.runtime.policy.outages
    alert = model_alert(one.model, judged, worst, opened, one.events, policy, kept=kept)
    if credential is not None:
        alert = replace(alert, labels={**alert.labels, "credential": credential})
    if opened is not None and judged.verdict.crossed:
        _relabel(tx, opened, judged, credential)
    claim(tx, alert, context.runtime, now=context.now)
    dead = outage.is_dead or judged.verdict.is_dead
    after = Outage.of(worst.rank, is_dead=dead, over_until=outage.over_until)
    if after != outage:
        tx.models.keep_models({one.model: after})


def _relabel(tx: Transaction, opened: OpenAlert, judged: JudgedModel, credential: str | None) -> None:
    """Remove the labels of an open outage that no longer hold, so that what they name inhibits it no longer."""
    wrong = {"region"} if len(judged.places) > 1 else set[str]()
    wrong |= {"provider"} if len({provider for provider, _ in judged.places}) > 1 else set[str]()
    wrong |= {"credential"} if credential is None else set()
    kept = {name: value for name, value in opened.labels.items() if name not in wrong}
    if kept != opened.labels:
        tx.alerts.relabel(opened.id, kept)


def end_models(
    tx: Transaction, runtime: Runtime, counted: CountedCalls, *, until: int, limit: int, now: datetime
) -> int:
    """Resolve at most ``limit`` outages of models that are over before the epoch second ``until``. Return how many."""
    limits = runtime.policy.outages.model
    opened = tx.models.open_models()
    starts = {model: max(old.over_until, until - lookback(limits)) for model, old in opened.items()}
    windows = _Windows.read(tx, counted, starts)
    alerts = tx.alerts.find_all_open(map(fingerprint, opened))
    resolved = 0
    for model, outage in opened.items():
        if resolved == limit:
            break
        alert = alerts.get(fingerprint(model))
        since = bucket_of(alert.first_at.timestamp()) if alert is not None else 0
        own = windows.buckets[model], windows.calls[model]
        ending = model_ended(*own, limits, since=since, until=until, is_dead=outage.is_dead)
        last_at = alert.last_at.timestamp() if alert is not None else 0
        if ending is None:
            continue
        is_unknown = ending.how is End.UNKNOWN
        never = is_unknown and (outage.is_dead or _never_answered(tx, model, max(since, outage.over_until)))
        if never and until - last_at < DEAD_LASTS.total_seconds():
            continue
        if alert is not None:
            quiet = DEAD_LASTS if never else timedelta(seconds=NO_TRAFFIC_SECONDS)
            sums = model_sums(tx, alert, counted)
            if not is_unknown:
                ending = ending._replace(at=min(until, max(ending.at, model_recovered_at(sums[0], limits))))
            resolve(tx, close_model(alert, *sums, ending, quiet=quiet), runtime, now=now)
        tx.models.keep_models({model: Outage(over_until=max(outage.over_until, until))})
        resolved += 1
    return resolved


def _never_answered(tx: Transaction, model: str, since: int) -> bool:
    """Return whether no call for a model has succeeded from the epoch second ``since`` on."""
    return since > 0 and not any(row.succeeded for row in tx.models.model_buckets({model: since})[model])


def model_still_fails(
    tx: Transaction, alert: OpenAlert, runtime: Runtime, *, after: datetime | None, now: datetime
) -> bool:
    """Return whether the calls that are known so far show that a model's outage continues.

    If ``after`` is given, a call must have failed after it.
    """
    model, limits = alert.labels["model"], runtime.policy.outages.model
    until, since = bucket_of(now.timestamp()), bucket_of(alert.first_at.timestamp())
    windows = _Windows.read(tx, CountedCalls(tx, now=now), {model: max(since, until - lookback(limits))})
    failed_at = max((row.last_failure for row in windows.buckets[model]), default=0)
    if after is not None and failed_at <= after.timestamp() * 1_000:
        return False
    ending = model_ended(windows.buckets[model], windows.calls[model], limits, since=since, until=until)
    return ending is None or (ending.how is End.UNKNOWN and now - alert.last_at < DEAD_LASTS)


def model_is_over(context: BatchContext, one: ModelJudgement, counted: CountedCalls) -> bool:
    """Return whether windows show an outage that was not noticed and from which the model has recovered since."""
    arrived = context.tx.clock.read(Clock.CANARY_ARRIVED)
    until = bucket_of((arrived - REDELIVERED_WITHIN).timestamp()) if arrived is not None else 0
    verdict, limits = one.judged.verdict, context.runtime.policy.outages.model
    if verdict.until >= until:
        return False
    start = max(one.outage.over_until, until - lookback(limits))
    windows = _Windows.read(context.tx, counted, {one.model: start})
    buckets = [row for row in windows.buckets[one.model] if row.start < until]
    calls = [row for row in windows.calls[one.model] if row.bucket < until]
    ending = model_ended(buckets, calls, limits, since=verdict.since, until=until)
    return ending is not None and ending.how is End.RECOVERED


def _judge(
    context: BatchContext, counted: CountedCalls, models: Mapping[str, Outage], moments: Mapping[str, Sequence[int]]
) -> dict[str, JudgedModel]:
    """Judge the windows of models that hold the buckets ``moments``. One set of statements reads all of them."""
    tx, limits = context.tx, context.runtime.policy.outages.model
    windows = _Windows.read(
        tx, counted, {model: max(old.over_until, min(moments[model]) - limits.reach) for model, old in models.items()}
    )
    ends = {model: max(moments[model]) + limits.reach for model in models}
    buckets = {model: [row for row in windows.buckets[model] if row.start < ends[model]] for model in models}
    verdicts = {model: judge_model(buckets[model], windows.calls[model], limits) for model in models}
    quiet = {
        model: max(old.over_until, max(moments[model]) - DEAD_REACH)
        for model, old in models.items()
        if not old.is_dead and may_be_dead(buckets[model], verdicts[model], limits)
    }
    longer = _Windows.read(tx, counted, quiet)
    found: dict[str, JudgedModel] = {}
    for model in models:
        judged = verdicts[model], buckets[model], windows.calls[model]
        if model in quiet and (dead := judge_dead_model(longer.buckets[model], limits)) is not None:
            judged = dead, longer.buckets[model], longer.calls[model]
        found[model] = _graded(*judged, limits)
    return found


def _graded(
    verdict: WindowVerdict, buckets: Sequence[Bucket], calls: Sequence[EndedCalls], limits: Limits
) -> JudgedModel:
    """Return a verdict on a model with its grade. Calls that were lost later than its stretch do not count for it."""
    total, hurt = Calls(), Calls()
    if verdict.crossed:
        total = add_up(calls, since=verdict.since)
        hurt = add_up((one for one in calls if one.bucket < lost_until(verdict, limits)), since=verdict.since)
    return JudgedModel(verdict, total, grade(verdict, sum(hurt.lost.values()), limits), buckets, calls)


@dataclass(frozen=True, slots=True)
class _Windows:
    """The buckets of models' deployments and how calls for the models ended, as far as they count."""

    buckets: Mapping[str, list[Bucket]]
    calls: Mapping[str, list[EndedCalls]]

    @classmethod
    def read(cls, tx: Transaction, counted: CountedCalls, starts: Mapping[str, int]) -> _Windows:
        """Read the windows of each model since its own epoch second."""
        found, calls = tx.models.model_buckets(starts), tx.models.ended_calls(starts)
        counted.learn(row for rows in found.values() for row in rows)
        return cls(
            {model: counted.clear(rows) for model, rows in found.items()},
            {model: counted.ended_calls(calls[model], model, found[model]) for model in starts},
        )


def _events(context: BatchContext) -> dict[str, list[AttemptFailed]]:
    found: dict[str, list[AttemptFailed]] = {}
    for event in context.folded.outages.blamed:
        if model := model_of(event):
            found.setdefault(model, []).append(event)
    return found


def _lost_buckets(calls: Mapping[ModelCallKey, CallSums]) -> dict[str, list[int]]:
    """Return the buckets in which calls for a model ended without an answer."""
    found: dict[str, list[int]] = {}
    for key, sums in calls.items():
        if sums.lost:
            found.setdefault(key.model, []).append(key.bucket)
    return found
