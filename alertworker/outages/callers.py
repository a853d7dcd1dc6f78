"""One caller's problem: calls of one key fail on a deployment that answers the calls of other keys.

Pure, and a function of sums alone, as `windows` explains.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeVar

from alertworker.alerts.alert import Alert, Subject, fingerprint_of
from alertworker.alerts.call_description import key_label, name_call, newest_metadata
from alertworker.alerts.catalogue import MAX_MEMBERS, AlertType, Severity
from alertworker.events import AttemptFailed
from alertworker.events.attribution import TARGET_LABELS
from alertworker.outages.evidence import evidence
from alertworker.outages.facts import titles_of
from alertworker.outages.sparse import judge_any
from alertworker.outages.verdict import WindowVerdict
from alertworker.outages.windows import Bucket, Limits
from alertworker.text.names import short_id

_S = TypeVar("_S", bound=Subject)

#: The maximum number of failing keys that count in one bucket of a deployment. The smallest hashes are kept.
MAX_KEYS: Final = 20
#: The minimum number of keys that called the model lately. With fewer keys, other callers might fail, too.
MIN_KEYS: Final = 3
#: How many days of the ledger count as lately, today included.
LEDGER_DAYS: Final = 2
#: From this share of failed calls on, the ledger must rule out that an outage hit only one key's calls by chance.
_SURE_SHARE: Final = 0.5
#: From this share of failed calls on, the key's calls must also fail in other regions (`fails_elsewhere`).
_MOST: Final = 0.75
#: The minimum evidence from the ledger, in nats. Chance alone reaches it once in 8,000 times.
_MIN_SURE: Final = 9.0
#: Up to this evidence, in nats, chance explains the failures of other keys. Chance alone reaches it once in 100 times.
_MAX_STRAY: Final = 4.6
#: The minimum evidence of a key's failures in other regions, in nats. Chance alone reaches it once in 600 times.
_MIN_ELSEWHERE: Final = 6.4
#: The minimum number of other keys' calls that other regions answer.
_MIN_ANSWERED: Final = 3
#: The maximum share of a key in the model's calls. An outage shows first in the calls of a key with a larger share.
_MAX_USE: Final = 0.5
_MAX_NAMES: Final = 5


class KeyRow(NamedTuple):
    """Calls of one key that failed in one bucket of a deployment. An unknown key is empty."""

    bucket: int
    deployment_id: str
    key_hash: str
    model: str
    failed: int


class ModelUse(NamedTuple):
    """The use of a model in the last days: its number of keys, all calls, and the calls of one of the keys.

    ``keys`` is exact up to `MIN_KEYS`. ``own_succeeded`` is how many calls of the one key were answered.
    """

    keys: int
    calls: int
    own_calls: int
    own_succeeded: int


@dataclass(frozen=True, slots=True)
class Suspect:
    """A key that may be the cause of failures: ``failed`` of the ``calls`` in a window, on some models.

    ``all_failed`` counts the failed calls of all keys. ``since`` is the first bucket, and ``first_failure`` is in epoch
    milliseconds, 0 if it is unknown.
    """

    key_hash: str
    failed: int
    all_failed: int
    calls: int
    models: tuple[str, ...]
    deployments: tuple[str, ...]
    since: int
    first_failure: int = 0

    @property
    def fails_most(self) -> bool:
        """Whether too few calls succeeded to show that the deployment works."""
        return self.all_failed >= _MOST * self.calls


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
    is_deployment = limits.deployments == 1  # each deployment of a region is judged by itself, too
    if is_deployment and evidence(others, calls - own, limits.tolerated) > _MAX_STRAY:
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
    return Suspect(key, own, failed, calls, models, deployments, since, first)


def is_callers_problem(found: Suspect, uses: Sequence[ModelUse]) -> bool:
    """Return whether other keys use the suspect's models enough to show that only the suspect's calls fail.

    An outage hits each key as often as the key calls. So if half of all calls failed, or a call of another key failed,
    the suspect must also be a rare caller: chance must not explain its share of the failures.
    """
    if not all(use.keys >= MIN_KEYS and use.own_calls <= _MAX_USE * use.calls for use in uses):
        return False
    if found.failed == found.all_failed < _SURE_SHARE * found.calls:
        return True
    part = max(max(1, use.own_calls) / max(2, use.calls) for use in uses)
    return evidence(found.failed, found.all_failed, part) >= _MIN_SURE


def fails_elsewhere(
    found: Suspect, uses: Sequence[ModelUse], buckets: Sequence[Bucket], rows: Sequence[KeyRow], tolerated: float
) -> bool:
    """Return whether the suspect's calls also fail in regions that answer the calls of other keys.

    ``buckets`` are those of its models, and ``rows`` are its failures. A deployment counts from the bucket of the key's
    first failure on, and only if it answered a call since. The buckets do not show which key's calls were answered. So
    the key's answered calls in the ledger are all subtracted.
    """
    places = {(row.provider, row.region) for row in buckets if row.deployment_id in found.deployments}
    near = {row.deployment_id for row in buckets if (row.provider, row.region) in places}
    own: Counter[str] = Counter()
    first: dict[str, int] = {}
    for row in rows:
        if row.model in found.models and row.deployment_id not in near:
            own[row.deployment_id] += row.failed
            first[row.deployment_id] = min(row.bucket, first.get(row.deployment_id, row.bucket))
    mine, failed, succeeded = 0, 0, 0
    for name, since in first.items():
        judged = [row for row in buckets if row.deployment_id == name and row.start >= since]
        if answered := sum(row.succeeded for row in judged):
            mine += own[name]
            failed += sum(row.failed for row in judged)
            succeeded += answered
    calls = failed + succeeded
    return (
        succeeded - sum(use.own_succeeded for use in uses) >= _MIN_ANSWERED
        and failed < _MOST * calls
        and evidence(failed - mine, calls - mine, tolerated) <= _MAX_STRAY
        and evidence(mine, calls, tolerated) >= _MIN_ELSEWHERE
    )


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
