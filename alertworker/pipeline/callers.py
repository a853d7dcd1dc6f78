"""Callers' problems: a target's failures that come from one key are that caller's problem, not an outage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from alertworker.alerts.alert import Alert, OpenAlert
from alertworker.alerts.catalogue import AlertType
from alertworker.events import AttemptFailed
from alertworker.events.batch import REDELIVERED_WITHIN
from alertworker.outages import callers
from alertworker.outages.callers import Suspect, suspect
from alertworker.outages.facts import without_error
from alertworker.outages.model import JudgedModel
from alertworker.outages.policy import Limits
from alertworker.outages.verdict import WindowVerdict
from alertworker.outages.windows import WINDOW_SECONDS, Bucket, Target, bucket_of
from alertworker.pipeline.batches import BatchContext
from alertworker.pipeline.current import caller_total, names_of
from alertworker.pipeline.explained import settle_explained
from alertworker.pipeline.notify import claim, resolve
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Clock, Transaction
from alertworker.text.format import spell

#: A key's problem is over if no failures pointed to the key alone for this long. Single failures of the key do not
#: count.
QUIET: Final = timedelta(minutes=15)
_PROBLEMS: Final = frozenset({AlertType.CALLER_ERRORS})


@dataclass(slots=True)
class CallerProblems:
    """The callers' problems that a batch shows. Targets are judged one by one. Their alerts are claimed at the end."""

    context: BatchContext
    _suspects: dict[str, list[Suspect]] = field(default_factory=dict)
    _outages: dict[Target, WindowVerdict] = field(default_factory=dict)

    def explain(
        self, target: Target, verdict: WindowVerdict, buckets: Sequence[Bucket], limits: Limits, *, has_outage: bool
    ) -> bool:
        """Return whether a target's failures are one caller's problem. If not, they are its outage.

        An outage that was raised before stays an outage.
        """
        found = None if has_outage else self._suspect(target, verdict, buckets, limits)
        if found is None:
            if not has_outage and verdict.crossed:
                self._outages[target] = verdict
            return False
        self._suspects.setdefault(found.key_hash, []).append(found)
        return True

    def explain_model(self, judged: JudgedModel, limits: Limits) -> bool:
        """Return whether the failed calls of a model are one caller's problem."""
        buckets, verdict = judged.buckets, judged.verdict
        if not buckets or not verdict.crossed or verdict.is_dead:
            return False
        start, end = min(row.start for row in buckets), max(row.start for row in buckets) + 1
        rows = [
            row
            for name in sorted(verdict.failures)
            for row in self.context.tx.callers.failing_keys(Target(name), start=start, end=end)
        ]
        found = suspect(verdict, buckets, rows, limits)
        return found is not None and found.stands_out

    def claim(self) -> None:
        """Claim an alert for each key, and resolve those of keys whose failures became an outage."""
        tx, runtime, now = self.context.tx, self.context.runtime, self.context.now
        over = self._keys_of_outages()
        prints = {callers.fingerprint(key): key for key in {*over, *self._suspects}}
        # The sweep locks such alerts in the same order.
        opened = tx.alerts.find_all_open(prints)
        self._resolve_outages({prints[mark]: alert for mark, alert in opened.items() if prints[mark] in over})
        for mark, key_hash in sorted(prints.items()):
            suspects = self._suspects.get(key_hash, ())
            events = self._events(key_hash, suspects)
            if events:
                names = names_of(tx, {name for one in suspects for name in one.deployments})
                claim(tx, callers.describe(suspects, events, names, is_open=mark in opened), runtime, now=now)

    def _suspect(
        self, target: Target, verdict: WindowVerdict, buckets: Sequence[Bucket], limits: Limits
    ) -> Suspect | None:
        if not verdict.crossed or verdict.is_dead or not buckets:
            return None
        tx = self.context.tx
        start, end = min(row.start for row in buckets), max(row.start for row in buckets) + 1
        found = suspect(verdict, buckets, tx.callers.failing_keys(target, start=start, end=end), limits)
        if found is None:
            return None
        return found if found.stands_out or self._fails_elsewhere(found, verdict, limits) else None

    def _fails_elsewhere(self, found: Suspect, verdict: WindowVerdict, limits: Limits) -> bool:
        """Return whether the suspect's calls also fail in other regions, within the longest window of the verdict."""
        tx, start, end = self.context.tx, verdict.since - limits.reach, verdict.until + limits.reach
        windows = tx.models.model_buckets(dict.fromkeys(found.models, start))
        buckets = [row for model in found.models for row in windows[model] if row.start < end]
        rows = [row for row in tx.callers.failures_of(found.key_hash, since=start) if row.bucket < end]
        return callers.fails_elsewhere(found, buckets, rows, limits.tolerated)

    def _events(self, key_hash: str, suspects: Sequence[Suspect]) -> list[AttemptFailed]:
        """Return the batch's failed calls of a key on the deployments where they are its own problem."""
        deployments = {name for one in suspects for name in one.deployments}
        blamed = self.context.folded.outages.blamed
        return [event for event in blamed if event.key_hash == key_hash and event.deployment_id in deployments]

    def _keys_of_outages(self) -> set[str]:
        """Return the keys that are part of an outage now and are not suspects."""
        keys = {
            row.key_hash
            for target, verdict in sorted(self._outages.items())
            for row in self.context.tx.callers.failing_keys(target, start=verdict.since, end=verdict.until + 1)
        }
        return {key for key in keys if key and key not in self._suspects}

    def _resolve_outages(self, opened: Mapping[str, OpenAlert]) -> None:
        """Resolve the problems of keys that are part of an outage now, and that have failed nowhere else.

        All failures since the problem began count, so an outage of another deployment than the problem's does not end
        it.
        """
        tx, runtime, now = self.context.tx, self.context.runtime, self.context.now
        for key_hash, alert in sorted(opened.items()):
            if not tx.callers.fails_elsewhere(key_hash, since=bucket_of(alert.first_at.timestamp())):
                other = {"Other keys": "their calls fail, too: see the outage of the deployment"}
                last = caller_total(tx, alert)
                resolve(tx, replace(last, facts={**last.facts, **other}), runtime, now=now)


def label_cooldowns(context: BatchContext, alerts: Iterable[Alert]) -> list[Alert]:
    """Return the alerts; the cooldown of a deployment has the label of the key whose problem explains it."""
    found = list(alerts)
    cooled = [alert for alert in found if alert.type is AlertType.COOLDOWN_DEPLOYMENT]
    problems = context.tx.inhibitions.conditions_of(_PROBLEMS) if cooled else ()
    named = {one.labels["entity"]: one.labels.get("key", "") for one in problems}
    if not named:
        return found
    return [_with_key(context.tx, alert, named) if alert in cooled else alert for alert in found]


def _with_key(tx: Transaction, alert: Alert, named: Mapping[str, str]) -> Alert:
    at = bucket_of(alert.last_at.timestamp())
    target = Target(alert.identity.get("deployment", ""))
    failed: Counter[str] = Counter()
    for row in tx.callers.failing_keys(target, start=at - QUIET.seconds, end=at + WINDOW_SECONDS):
        failed[row.key_hash] += row.failed
    key = max(failed, key=lambda one: (failed[one], one), default="")
    return replace(alert, labels={**alert.labels, "key": named[key]}) if named.get(key) else alert


def end_callers(tx: Transaction, runtime: Runtime, *, limit: int, now: datetime) -> bool:
    """Resolve at most ``limit`` callers' problems that were not seen for `QUIET`. Return whether more may be left.

    Nothing is resolved while a publisher has a backlog, because events may be missing.
    """
    arrived = tx.clock.read(Clock.CANARY_ARRIVED)
    if arrived is None or tx.publishers.backlogged():
        return False
    before = arrived - REDELIVERED_WITHIN - QUIET
    quiet = tx.callers.quiet_callers(before=before, limit=limit)
    opened = tx.alerts.find_all_open(quiet)
    # Another worker may have counted a failure before the lock.
    over = [alert for _, alert in sorted(opened.items()) if alert.last_at < before]
    for alert in over:
        facts = without_error(caller_total(tx, alert).facts)
        state = {"State": f"for {spell(QUIET)} no failures pointed to this key alone"}
        resolve(tx, replace(alert, facts=facts | state, ended_at=alert.last_at), runtime, now=now)
    settle_explained(tx, "key", (alert.labels.get("key", "") for alert in over), now=now)
    return len(quiet) == limit
