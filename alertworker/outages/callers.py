"""One caller's problem: calls of one key fail on a deployment that answers the calls of other keys.

Pure, and a function of sums alone, as `windows` explains.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import ceil
from typing import Final, NamedTuple, TypeVar

from alertworker.alerts.alert import Alert, Subject, fingerprint_of
from alertworker.alerts.call_description import key_label, name_call, newest_metadata
from alertworker.alerts.catalogue import MAX_MEMBERS, AlertType, Severity
from alertworker.events import AttemptFailed
from alertworker.events.attribution import TARGET_LABELS
from alertworker.outages.evidence import evidence, uneven_evidence
from alertworker.outages.facts import titles_of
from alertworker.outages.policy import Limits
from alertworker.outages.sparse import judge_any
from alertworker.outages.verdict import WindowVerdict
from alertworker.outages.windows import KEY_GROUPS, Bucket, group_of
from alertworker.text.names import short_id

_S = TypeVar("_S", bound=Subject)

#: The maximum number of failing keys that count in one bucket of a deployment. The smallest hashes are kept.
MAX_KEYS: Final = 20
#: The minimum number of groups of other keys whose calls were answered. With fewer, there is hardly another caller.
_MIN_GROUPS: Final = 2
#: The evidence, in nats, that a key's calls fail more often than those of others: chance reaches it once in 100 times.
_MIN_UNEVEN: Final = 4.6
#: The same of two places together: chance alone reaches it once in 60 times.
_MIN_BOTH: Final = 6.0
#: The evidence against the other keys' calls, in nats, up to which chance explains their failures: once in 100 times.
_MAX_STRAY: Final = 4.6
#: The minimum evidence of a key's failures in other regions, in nats. Chance alone reaches it once in 600 times.
_MIN_ELSEWHERE: Final = 6.4
#: The minimum number of other keys' calls that other regions answer.
_MIN_ANSWERED: Final = 3
_MAX_NAMES: Final = 5


class KeyRow(NamedTuple):
    """Calls of one key that failed in one bucket of a deployment. An unknown key is empty."""

    bucket: int
    deployment_id: str
    key_hash: str
    model: str
    failed: int


@dataclass(frozen=True, slots=True)
class Suspect:
    """A key that may be the cause of failures: ``failed`` of the ``calls`` in a window, on some models.

    All keys' calls are ``all_failed`` and ``calls``. At most ``answered`` calls of the key were answered. ``groups`` is
    the number of groups of other keys whose calls were answered. ``since`` is the first bucket, and ``first_failure``
    is in epoch milliseconds, 0 if it is unknown.
    """

    key_hash: str
    failed: int
    all_failed: int
    calls: int
    answered: int
    groups: int
    models: tuple[str, ...]
    deployments: tuple[str, ...]
    since: int
    first_failure: int = 0

    @property
    def unevenness(self) -> float:
        """The evidence that the key's calls fail more often than those of others, in nats: 0 without others."""
        return uneven_evidence(self.failed, self.failed + self.answered, self.all_failed, self.calls)

    @property
    def stands_out(self) -> bool:
        """Whether the window alone proves that only the key's calls fail, as those of other keys are answered."""
        return self.groups >= _MIN_GROUPS and self.unevenness >= _MIN_UNEVEN


def suspect(
    verdict: WindowVerdict, buckets: Sequence[Bucket], rows: Sequence[KeyRow], limits: Limits
) -> Suspect | None:
    """Return the key whose failed calls look like an outage, ``None`` if there is none.

    Other keys may have stray failures. On a deployment the tolerated error rate must explain these. The failures of the
    other keys alone must not be an outage.
    """
    if not verdict.crossed or verdict.is_dead or not limits.share:
        return None
    judged = [bucket for bucket in buckets if verdict.since <= bucket.start <= verdict.until]
    failed = sum(bucket.failed for bucket in judged)
    calls = failed + sum(bucket.succeeded for bucket in judged)
    within = [row for row in rows if verdict.since <= row.bucket <= verdict.until]
    totals: Counter[str] = Counter()
    for row in within:
        totals[row.key_hash] += row.failed
    if not totals:
        return None
    key = max(totals, key=lambda one: (totals[one], one))
    own, others = totals[key], failed - totals[key]
    if not key or own < limits.minor:
        return None
    answered = answered_at_most(key, judged)
    is_deployment = limits.deployments == 1  # each deployment of a region is judged by itself, too
    if is_deployment and evidence(others, calls - own - answered, limits.tolerated) > _MAX_STRAY:
        return None
    if judge_any(_without(key, buckets, rows), limits).crossed:
        return None
    mine = [row for row in within if row.key_hash == key]
    models, deployments = (tuple(sorted({getattr(row, name) for row in mine})) for name in ("model", "deployment_id"))
    since = min(row.bucket for row in mine)
    places = {row.deployment_id for row in mine if row.bucket == since}
    first = min(
        (row.failed_since for row in judged if row.failed and row.start == since and row.deployment_id in places),
        default=since * 1_000,
    )
    groups = _groups_beside(key, judged)
    return Suspect(key, own, failed, calls, answered, groups, models, deployments, since, first)


def fails_elsewhere(found: Suspect, buckets: Sequence[Bucket], rows: Sequence[KeyRow], tolerated: float) -> bool:
    """Return whether the suspect's calls also fail in regions that answer the calls of other keys.

    ``buckets`` are those of its models, and ``rows`` are its failures. A deployment counts from the bucket of the key's
    first failure on, and only if it answered a call since.
    """
    places = {(row.provider, row.region) for row in buckets if row.deployment_id in found.deployments}
    near = {row.deployment_id for row in buckets if (row.provider, row.region) in places}
    own: Counter[str] = Counter()
    first: dict[str, int] = {}
    for row in rows:
        if row.model in found.models and row.deployment_id not in near:
            own[row.deployment_id] += row.failed
            first[row.deployment_id] = min(row.bucket, first.get(row.deployment_id, row.bucket))
    mine, judged = 0, list[Bucket]()
    for name, since in first.items():
        there = [row for row in buckets if row.deployment_id == name and row.start >= since]
        if any(row.succeeded for row in there):
            mine += own[name]
            judged += there
    failed, succeeded = sum(row.failed for row in judged), sum(row.succeeded for row in judged)
    answered = answered_at_most(found.key_hash, judged)
    others = failed - mine + succeeded - answered
    return (
        succeeded - answered >= _MIN_ANSWERED
        and _groups_beside(found.key_hash, judged) >= _MIN_GROUPS
        and evidence(failed - mine, others, tolerated) <= _MAX_STRAY
        and evidence(mine, mine + succeeded, tolerated) >= _MIN_ELSEWHERE
        and found.unevenness + uneven_evidence(mine, mine + answered, failed, failed + succeeded) >= _MIN_BOTH
    )


def answered_at_most(key_hash: str, buckets: Iterable[Bucket]) -> int:
    """Return how many of the answered calls may be those of a key: all calls of its group.

    The calls of unknown keys count as if they were of the same keys as the others.
    """
    rows = list(buckets)
    succeeded, by_group = sum(row.succeeded for row in rows), _by_group(rows)
    known = sum(by_group)
    return ceil(succeeded * by_group[group_of(key_hash)] / known) if known else succeeded


def _groups_beside(key_hash: str, buckets: Iterable[Bucket]) -> int:
    """Return the number of groups of keys, beside that of a key, whose calls were answered."""
    own = group_of(key_hash)
    return sum(count > 0 for group, count in enumerate(_by_group(buckets)) if group != own)


def _by_group(buckets: Iterable[Bucket]) -> list[int]:
    found = [0] * KEY_GROUPS
    for row in buckets:
        for group, count in enumerate(row.by_group):
            found[group] += count
    return found


def fingerprint(key_hash: str) -> str:
    """Return the fingerprint of a caller's problem."""
    return fingerprint_of(AlertType.CALLER_ERRORS, _identity(key_hash))


def describe(
    suspects: Sequence[Suspect], events: Sequence[AttemptFailed], names: Mapping[str, str], *, is_open: bool
) -> Alert:
    """Return the alert of a caller's problem. ``events`` are the batch's own failed calls of the key.

    ``suspects`` is the key on each target. ``names`` are those of deployments, by id. ``is_open`` means that the alert
    is open and counts the calls before.
    """
    last = max(events, key=lambda event: event.occurred_at)
    worst = max(suspects, key=lambda one: (one.failed, one.calls))
    key_hash, whose = worst.key_hash, last.attribution
    labels = {name: value for name, value in whose.labels().items() if name not in TARGET_LABELS}
    named = key_label(whose.key_alias, key_hash)
    team = f" ({labels['team']})" if "team" in labels else ""
    models = _names({model for one in suspects for model in one.models if model})
    failed = max(len(events), worst.failed)
    titles = titles_of(names, events)
    return Alert(
        type=AlertType.CALLER_ERRORS,
        severity=Severity.LOW,
        identity=_identity(key_hash),
        headline=f"Calls of one key fail: {named}{team}" + (f" on {models}" if models else ""),
        first_at=datetime.fromtimestamp(min(one.first_failure or one.since * 1_000 for one in suspects) / 1_000, UTC),
        last_at=last.occurred_at,
        count=len(events) if is_open else failed,
        labels=labels | {"key": named},
        facts=_facts(suspects, last, worst, titles),
        members=tuple(_member(event, titles) for event in events[:MAX_MEMBERS]),
        metadata=newest_metadata(events),
    )


def total(alert: _S, rows: Sequence[KeyRow], buckets: Iterable[Bucket], names: Mapping[str, str]) -> _S:
    """Return a caller's problem with its totals. ``rows`` are the failures of its key since it began.

    ``buckets`` are those of the deployments on which they happened. ``names`` are those of deployments, by id.
    """
    if not rows:  # they are deleted
        return alert
    since, until = min(row.bucket for row in rows), max(row.bucket for row in rows)
    within = [bucket for bucket in buckets if since <= bucket.start <= until]
    own, failed = sum(row.failed for row in rows), sum(bucket.failed for bucket in within)
    calls = failed + sum(bucket.succeeded for bucket in within)
    where = _where({row.deployment_id for row in rows}, titles_of(names))
    facts = {"Attempts": _attempts(own, failed, calls, where), "Deployments": where}
    return replace(alert, facts={**alert.facts, **facts})


def _facts(
    suspects: Sequence[Suspect], last: AttemptFailed, worst: Suspect, titles: Mapping[str, str]
) -> dict[str, str]:
    whose, failure = last.attribution, last.failure
    status = f" {failure.status_code}" if failure.status_code else ""
    facts = {
        "Attempts": _attempts(worst.failed, worst.all_failed, worst.calls, _where(worst.deployments, titles)),
        "Other keys": "their calls succeed, so this is not an outage",
        "Key Name": whose.key_alias,
        "Team": whose.name_of("team"),
        "Deployments": _where({name for one in suspects for name in one.deployments}, titles),
        "Last error": f"{failure.error_class}{status}",
        "Error": failure.message,
    }
    return {label: text for label, text in facts.items() if text}


def _attempts(own: int, failed: int, calls: int, where: str) -> str:
    """Return how many calls failed, and how many of them are the key's.

    >>> _attempts(9, 9, 40, "dep-3"), _attempts(9, 10, 40, "dep-3")
    ('9 of the 40 calls on dep-3 failed, all of this key', '10 of the 40 calls on dep-3 failed, 9 of them of this key')
    """
    part = "all" if own >= failed else f"{own:,} of them"
    return f"{failed:,} of the {calls:,} calls on {where} failed, {part} of this key"


def _where(deployments: Iterable[str], titles: Mapping[str, str]) -> str:
    return _names(titles.get(one) or short_id(one) for one in deployments)


def _identity(key_hash: str) -> Mapping[str, str]:
    return {"entity": key_hash}


def _without(key: str, buckets: Sequence[Bucket], rows: Iterable[KeyRow]) -> list[Bucket]:
    """Return the buckets without the failures of one key."""
    own: Counter[tuple[int, str]] = Counter()
    for row in rows:
        if row.key_hash == key:
            own[row.bucket, row.deployment_id] += row.failed
    rest: list[Bucket] = []
    for bucket in buckets:
        failed = bucket.failed - own[bucket.start, bucket.deployment_id]
        rest.append(replace(bucket, causes={"others": failed} if failed > 0 else {}))
    return rest


def _names(names: Iterable[str]) -> str:
    ranked = sorted(names)
    rest = len(ranked) - _MAX_NAMES
    return ", ".join(ranked[:_MAX_NAMES]) + (f" and {rest} more" if rest > 0 else "")


def _member(event: AttemptFailed, titles: Mapping[str, str]) -> str:
    status = f" {event.failure.status_code}" if event.failure.status_code else ""
    error = f"{event.failure.error_class}{status}"
    return name_call(event.call_id, error, titles.get(event.deployment_id or ""), metadata=event.alerting_metadata)
