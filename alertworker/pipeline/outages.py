"""Outages: judge a batch's failed calls in its transaction. `ending` decides when an outage is over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from alertworker.alerts.alert import Alert, OpenAlert
from alertworker.events import AttemptFailed
from alertworker.events.batch import BatchError
from alertworker.outages import alert as outages
from alertworker.outages import flapping
from alertworker.outages.grade import Grade
from alertworker.outages.sparse import SPARSE_SECONDS
from alertworker.outages.verdict import DEAD_REACH, WindowVerdict
from alertworker.outages.windows import Outage, Target, bucket_of
from alertworker.pipeline.batches import BatchContext
from alertworker.pipeline.callers import CallerProblems
from alertworker.pipeline.counted_calls import CountedCalls, PlaceScope
from alertworker.pipeline.judged_failures import JudgedFailures, model_as_severe, place_as_severe
from alertworker.pipeline.model_outages import (
    ModelJudgement,
    judge_models,
    model_is_over,
    places_of,
    raise_model,
)
from alertworker.pipeline.notify import claim
from alertworker.pipeline.recheck import notify_unsilenced
from alertworker.pipeline.verdict import JudgedTarget, judge_target, target_is_over
from alertworker.ports import Transaction
from alertworker.ports.batches import CounterName

#: How many outages one batch may raise or count, and how many conditions of refused credentials. Each takes 4 to 8 ms
#: of CPU, and on SQLite all other transactions wait meanwhile. The failed attempts of a publisher's batch of 500 events
#: have at most 500 deployments, regions and models each.
MAX_OUTAGES: Final = 1_500
#: Up to this number of targets each is judged by itself.
_FEW_TARGETS: Final = 20


def judge_outages(context: BatchContext) -> None:
    """Claim outages of deployments, regions and providers, under the locks of their rows.

    Providers come first, then regions, then models, because their outages inhibit those of deployments. A failure from
    before the end of an earlier outage is counted in the windows and raises nothing. So are late failures of a target
    that has recovered since. A batch with lost calls and without failed attempts of a target may raise the grade of
    that target's open outage.
    """
    tx = context.tx
    found, lost = outages.targets(context.folded.outages.blamed), _lost(context)
    if not context.runtime.policy.outages.provider.share:  # LiteLLM has no outages of providers
        found = {target: own for target, own in found.items() if not target.is_provider}
    known = tx.outages.lock_outages({*found, *lost})
    found = _with_enough_failures(context, found, known)
    problems, counted = CallerProblems(context), CountedCalls(tx, now=context.now)
    models = judge_models(context, counted)
    scope = PlaceScope(tx, counted, places_of(models))

    def judge(targets: Iterable[Target]) -> list[JudgedFailures]:
        each = (_judge_failures(context, one, known[one], found[one], scope, problems) for one in sorted(targets))
        return [one for one in each if one is not None]

    judged = judge(target for target in found if not target.is_provider)
    failing = _failing_providers(judged)
    judged += judge(
        target for target in found if target.is_provider and (known[target].state or target.provider in failing)
    )
    judged += [
        _judge_lost(context, target, known[target], lost[target], scope)
        for target in sorted(lost.keys() - {one.target for one in judged})
        if known[target].state
    ]
    _raise_all(context, judged, models, counted, problems)
    problems.claim()


def _raise_all(
    context: BatchContext,
    judged: Sequence[JudgedFailures],
    models: Sequence[ModelJudgement],
    counted: CountedCalls,
    problems: CallerProblems,
) -> None:
    """Raise what was judged, the widest first."""
    deployments = [one for one in judged if one.target.deployment_id]
    models = [model_as_severe(model, deployments) for model in models]
    _bound([*judged, *models])
    wide = [one for one in judged if not one.target.deployment_id]
    for one in sorted(wide, key=lambda one: one.target):  # a provider before its regions
        _raise_failures(context, place_as_severe(one, judged, models))
    for model in models:
        _raise_model(context, model, counted, problems)
    for one in deployments:
        _raise_failures(context, one)


def _lost(context: BatchContext) -> dict[Target, list[int]]:
    """Return the buckets in which calls that a target had failed ended without an answer.

    If a producer does not report the region of a failed call, windows name the regions of its deployment.
    """
    lost = outages.lost_buckets(context.folded.outages.calls)
    own = {target.deployment_id: buckets for target, buckets in lost.items() if target.deployment_id}
    if own:
        start = min(map(min, own.values())) - context.runtime.policy.outages.region.reach
        for region, names in context.tx.outages.failing_regions(own, start=start).items():
            lost.setdefault(region, []).extend(bucket for name in sorted(names) for bucket in own[name])
    return lost


def _judge_failures(
    context: BatchContext,
    target: Target,
    outage: Outage,
    failed: Sequence[AttemptFailed],
    scope: PlaceScope,
    problems: CallerProblems,
) -> JudgedFailures | None:
    """Judge the windows with a target's failed calls. Return ``None`` if all calls began before its last outage ended.

    An attempt that times out after ten minutes shows the state of the target ten minutes ago.
    """
    events = [event for event in failed if event.began_at.timestamp() >= outage.over_until]
    if not events:
        context.tx.count(CounterName.LATE_ATTEMPTS, "after its outage", len(failed))
        return None
    moments = [bucket_of(event.occurred_at.timestamp()) for event in events]
    judged = judge_target(context, target, outage, moments, scope)
    if judged.grade is not None and not outage.state and target_is_over(context, target, outage, judged, scope):
        context.tx.count(CounterName.LATE_ATTEMPTS, "of an outage that is over", len(events))
        return JudgedFailures(target, outage, events, judged, is_over=True)
    limits = outages.limits_of(target, context.runtime.policy.outages)
    is_callers = judged.grade is not None and problems.explain(
        target, judged.verdict, judged.buckets, limits, has_outage=outage.state > 0
    )
    return JudgedFailures(target, outage, events, judged, _credential(context, target, judged), is_callers=is_callers)


def _judge_lost(
    context: BatchContext, target: Target, outage: Outage, buckets: Sequence[int], scope: PlaceScope
) -> JudgedFailures:
    """Judge a target with an outage that failed lost calls of the batch. The batch has no failed attempt on it."""
    judged = judge_target(context, target, outage, buckets, scope)
    return JudgedFailures(target, outage, (), judged, _credential(context, target, judged))


def _failing_providers(judged: Iterable[JudgedFailures]) -> set[str]:
    """Return the providers with a deployment or region that fails enough calls to be an outage.

    Before that, a provider has none, either: its outage is proven with that of the first deployment. So a stray failure
    does not read the calls on all deployments of its provider.
    """
    return {
        event.provider
        for one in judged
        if one.judged.verdict.crossed and not one.is_over
        for event in one.events
        if event.provider
    }


def _credential(context: BatchContext, target: Target, judged: JudgedTarget) -> str | None:
    limits = outages.limits_of(target, context.runtime.policy.outages)
    return context.refused.explaining(target, judged.verdict, judged.buckets, limits)


def _raise_failures(context: BatchContext, one: JudgedFailures) -> None:
    if not one.is_callers and not one.is_over:
        _raise(context, one)


def _raise_model(context: BatchContext, model: ModelJudgement, counted: CountedCalls, problems: CallerProblems) -> None:
    """Raise a model's outage, unless one caller's problem explains it, or the model has recovered since."""
    limits = context.runtime.policy.outages.model
    is_new = model.judged.grade is not None and not model.outage.state
    if is_new and (problems.explain_model(model.judged, limits) or model_is_over(context, model, counted)):
        return
    raise_model(context, model, counted, credential=context.refused.explaining_model(model.judged, limits))


def _with_enough_failures(
    context: BatchContext, found: Mapping[Target, list[AttemptFailed]], known: Mapping[Target, Outage]
) -> dict[Target, list[AttemptFailed]]:
    """Return a batch's failed calls of those targets that may have an outage.

    To judge a target takes several statements. So one statement counts the failures of many targets first. Targets
    that never had an outage and have fewer failures than a minor one needs are left out. Their rows are locked already.
    Providers stay: they are judged only if one of their deployments or regions has an outage.
    """
    if len(found) <= _FEW_TARGETS:
        return dict(found)
    policy = context.runtime.policy.outages
    least = min(policy.deployment.minor, policy.region.minor)
    first = min(event.occurred_at.timestamp() for events in found.values() for event in events)
    reach = max(DEAD_REACH, SPARSE_SECONDS, policy.deployment.reach, policy.region.reach)
    counted = [target for target in found if not target.is_provider]
    kept = context.tx.outages.failing(counted, start=bucket_of(first) - reach, least=least)
    kept |= {target for target in found if target.is_provider or known[target] != Outage()}
    return {target: events for target, events in found.items() if target in kept}


def _bound(judged: Sequence[JudgedFailures | ModelJudgement]) -> None:
    """Refuse a batch before its outages are raised, if that would take too long.

    Raises:
        BatchError: more than `MAX_OUTAGES` targets have an outage.
    """
    count = sum(one.judged.grade is not None or one.outage.state > 0 for one in judged)
    if count > MAX_OUTAGES:
        raise BatchError(f"the batch raises or counts {count:,} outages; the limit is {MAX_OUTAGES:,}")


def _raise(context: BatchContext, one: JudgedFailures) -> None:
    """Claim the alert that opens the outage, raises its grade or counts failed calls. Store the target's new state."""
    tx, policy = context.tx, context.runtime.policy.outages
    target, outage, judged, events = one.target, one.outage, one.judged, one.events
    opened = tx.alerts.find_open(outages.fingerprint(target)) if outage.state else None
    kept = tx.occurrences.count_members(opened.id) if opened is not None else None
    worst = judged.grade.worst(outage.rank) if judged.grade is not None else None
    rises = worst is not None and worst.rank > outage.rank
    if worst is not None and rises and events:
        alert = outages.describe(target, judged.verdict, worst, judged.calls, events, policy, kept=kept)
    elif worst is not None and rises and opened is not None:
        alert = outages.risen(target, opened, judged.verdict, worst, judged.calls, policy)
    elif events and opened is not None and kept is not None:
        alert = outages.ongoing(target, opened, judged.verdict, events, policy, kept=kept)
    else:
        return
    after = _outage_after(outage, judged.verdict, worst)
    alert = flapping.describe(alert, after, until=int(alert.last_at.timestamp()))
    if after != outage:
        tx.outages.keep_outages({target: after})  # before its message, which has the number of its outages
    claimed = claim(tx, _explained(tx, one, opened, alert), context.runtime, now=context.now)
    notify_unsilenced(tx, claimed, context.runtime, now=context.now)


def _outage_after(outage: Outage, verdict: WindowVerdict, worst: Grade | None) -> Outage:
    """Return a target's state after a verdict. ``worst`` is its grade so far, ``None`` without an outage."""
    rank = worst.rank if worst is not None else outage.rank
    dead = outage.is_dead or verdict.is_dead
    if worst is not None and (not outage.state or outage.is_up):
        return flapping.opened(outage, rank, is_dead=verdict.is_dead, since=verdict.since)
    return Outage.of(
        rank,
        over_until=outage.over_until,
        episodes=outage.episodes,
        is_dead=dead,
        is_flapping=outage.is_flapping,
        is_up=outage.is_up,
    )


def _explained(tx: Transaction, one: JudgedFailures, opened: OpenAlert | None, alert: Alert) -> Alert:
    """Return the alert with the label of the refused credential that explains it. The credential's alert then inhibits
    it.

    An open outage loses the label once other failures are an outage by themselves.
    """
    labels = {name: value for name, value in alert.labels.items() if name != "credential"}
    if one.credential is None and opened is not None and one.judged.verdict.crossed and "credential" in opened.labels:
        kept = {name: value for name, value in opened.labels.items() if name != "credential"}
        tx.alerts.relabel(opened.id, kept)
    return replace(alert, labels=labels | ({"credential": one.credential} if one.credential is not None else {}))
