"""The ledger's own arithmetic: whose books a call goes into, sums per day, and durations in logarithmic buckets.

Pure, and additive throughout: any cutting of the same calls into batches, in any order, adds up to the same rows.
A request is in the dimension "team" exactly once, so that totals are sums of that dimension; tags are never summed up.
One without a team, or without a tag, is under "" there.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final, NamedTuple

from alertworker.events import AttemptFailed, EndEvent, RequestFailed, RequestSucceeded
from alertworker.events.base import MAX_SECONDS
from alertworker.ledger.histogram import bucket_of
from alertworker.ledger.rows import (
    MAX_PART,
    SUCCEEDED,
    AliasKey,
    AliasSpan,
    FallbackKey,
    FallbackSums,
    LatencyKey,
    LatencySums,
    OutcomeKey,
    OutcomeSums,
    SpendKey,
    SpendSums,
)
from alertworker.text.shorten import shorten_id

_MICROSECOND: Final = timedelta(microseconds=1)
#: What is counted of a single duration, in microseconds: a producer's wrong clock must not fill a sum.
_LONGEST: Final = round(MAX_SECONDS * 1_000_000)


class Caller(NamedTuple):
    """All that decides which books a call goes into; calls that share it are added up before they are spread.

    ``tags`` is empty for calls without any, and ``None`` where nobody can say.
    """

    day: date
    team_id: str
    named: tuple[tuple[str, str | None], ...]
    tags: tuple[str, ...] | None


@dataclass(slots=True)
class Postings:
    """What a batch adds to the books."""

    callers: dict[Caller, SpendSums] = field(default_factory=dict)
    #: What belongs into a single book, and into no other.
    books: dict[SpendKey, SpendSums] = field(default_factory=dict)
    outcomes: dict[OutcomeKey, OutcomeSums] = field(default_factory=dict)
    latencies: dict[LatencyKey, LatencySums] = field(default_factory=dict)
    fallbacks: dict[FallbackKey, FallbackSums] = field(default_factory=dict)
    aliases: dict[AliasKey, AliasSpan] = field(default_factory=dict)

    def enter(self, caller: Caller, sums: SpendSums) -> None:
        """Enter what was summed elsewhere."""
        self.callers.setdefault(caller, SpendSums()).add(sums)

    def book(self, key: SpendKey, sums: SpendSums) -> None:
        """Enter what was summed elsewhere into one book alone."""
        self.books.setdefault(key._replace(part=shorten_id(key.part, MAX_PART)), SpendSums()).add(sums)

    def end(self, event: EndEvent, day: date) -> None:
        """Enter a call that ended on a day."""
        caller = _caller(event, day)
        sums = self.callers.get(caller)
        if sums is None:
            sums = self.callers[caller] = SpendSums()
        _add(sums, event)
        self._aliases(event)
        self._fallback(event, day)
        if isinstance(event, RequestFailed):
            self._outcome(OutcomeKey(day, event.deployment_id or "", event.failure.error_class)).calls += 1
        elif isinstance(event, RequestSucceeded) and event.deployment_id and not event.cache_hit:
            outcome = self._outcome(OutcomeKey(day, event.deployment_id, SUCCEEDED))
            outcome.attempts += 1
            outcome.calls += 1
            self._latencies(event, event.deployment_id, day)

    def attempt(self, event: AttemptFailed, day: date) -> None:
        """Enter an attempt that failed on a day."""
        self._outcome(OutcomeKey(day, event.deployment_id or "", event.failure.error_class)).attempts += 1

    def spend(self) -> dict[SpendKey, SpendSums]:
        """Give what each book gets; a call counts once per tag, and in every dimension it names."""
        books = {key: copy(sums) for key, sums in self.books.items()}
        for caller, sums in self.callers.items():
            for dimension, entity, part in _books(caller):
                key = SpendKey(caller.day, dimension, caller.team_id, entity, part)
                book = books.get(key)
                if book is None:
                    book = books[key] = SpendSums()
                book.add(sums)
        return books

    def _fallback(self, event: EndEvent, day: date) -> None:
        asked, used = event.original_model_group, event.model_group or event.model
        if not event.fallbacks or not asked or not used or asked == used:
            return
        sums = self.fallbacks.setdefault(FallbackKey(day, asked, used), FallbackSums())
        sums.succeeded += isinstance(event, RequestSucceeded)
        sums.failed += isinstance(event, RequestFailed)

    def _outcome(self, key: OutcomeKey) -> OutcomeSums:
        return self.outcomes.setdefault(key, OutcomeSums())

    def _latencies(self, event: RequestSucceeded, deployment_id: str, day: date) -> None:
        if event.completion_tokens:
            whole = max(0, (event.ended_at - event.started_at) // _MICROSECOND)
            self._latency(day, deployment_id, "per_token", whole // event.completion_tokens)
        if event.first_token_at is not None:
            first = max(0, (event.first_token_at - event.started_at) // _MICROSECOND)
            self._latency(day, deployment_id, "first_token", first)

    def _latency(self, day: date, deployment_id: str, measure: str, microseconds: int) -> None:
        microseconds = min(microseconds, _LONGEST)
        key = LatencyKey(day, deployment_id, measure, bucket_of(microseconds))
        sums = self.latencies.setdefault(key, LatencySums())
        sums.count += 1
        sums.microseconds += microseconds

    def _aliases(self, event: EndEvent) -> None:
        named = (
            ("team", event.team_id, event.team_alias),
            ("key", event.key_hash, event.key_alias),
            ("user", event.user_id, event.user_email),
            ("organization", event.organization_id, event.organization_alias),
            ("deployment", event.deployment_id, event.model or event.model_group),
        )
        at = event.occurred_at
        for dimension, entity, alias in named:
            if entity and alias:
                key = AliasKey(dimension, entity, alias)
                span = self.aliases.get(key)
                if span is None:
                    self.aliases[key] = AliasSpan(at, at)
                elif at > span.last_at:
                    span.last_at = at
                elif at < span.first_at:
                    span.first_at = at


def _caller(event: EndEvent, day: date) -> Caller:
    named = (
        ("key", event.key_hash),
        ("user", event.user_id),
        ("customer", event.customer_id),
        ("organization", event.organization_id),
        ("model", event.model_group or event.model),
        ("provider", event.provider),
        ("deployment", event.deployment_id),
    )
    return Caller(day, event.team_id or "", named, event.tags)


def _books(caller: Caller) -> Iterator[tuple[str, str, str]]:
    yield "team", caller.team_id, ""
    for dimension, entity in caller.named:
        if entity:
            yield dimension, entity, ""
    if caller.tags is not None:
        for tag in dict.fromkeys(caller.tags or ("",)):
            yield "tag", tag, ""
    named = dict(caller.named)
    for whole, half in (("key", "model"), ("user", "model"), ("user", "key")):
        entity, part = named.get(whole), named.get(half)
        if entity and part:
            yield f"{whole}/{half}", entity, shorten_id(part, MAX_PART)


def _add(sums: SpendSums, event: EndEvent) -> None:
    sums.requests += 1
    sums.prompt_tokens += event.prompt_tokens
    sums.completion_tokens += event.completion_tokens
    sums.spend_nanos += event.cost_nanos or 0
    if isinstance(event, RequestFailed):
        sums.failures += 1
    elif isinstance(event, RequestSucceeded):
        sums.cached_requests += event.cache_hit
        sums.zero_priced += not event.cost_nanos and not event.cache_hit and event.completion_tokens > 0
