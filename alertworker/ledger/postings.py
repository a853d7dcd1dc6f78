"""The additions of calls to the ledger: sums per day and entity, and durations in logarithmic buckets.

Pure and additive. The same calls add up to the same rows, in whatever order and batches they arrive. A request is in
the dimension "team" exactly once, so totals are sums of that dimension. Tags are never added up.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final, cast

from alertworker.events import AttemptFailed, Attribution, EndEvent, RequestFailed, RequestSucceeded
from alertworker.events.base import MAX_NAME, MAX_SECONDS
from alertworker.ledger.histogram import bucket_of
from alertworker.ledger.rows import (
    DIMENSIONS,
    MAX_PART,
    SUCCEEDED,
    TITLES,
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
from alertworker.text.names import model_and_region
from alertworker.text.shorten import shorten_id

_MICROSECOND: Final = timedelta(microseconds=1)
#: The longest single duration that is added, in microseconds: a producer's wrong clock must not dominate a sum.
_LONGEST: Final = round(MAX_SECONDS * 1_000_000)


@dataclass(slots=True)
class Postings:
    """The additions of a batch to the ledger."""

    #: Sums of calls by day and attribution. They are added up before they are spread over the ledger's dimensions.
    calls: dict[tuple[date, Attribution], SpendSums] = field(default_factory=dict)
    #: Sums that belong to a single row and to no other dimension.
    rows: dict[SpendKey, SpendSums] = field(default_factory=dict)
    outcomes: dict[OutcomeKey, OutcomeSums] = field(default_factory=dict)
    latencies: dict[LatencyKey, LatencySums] = field(default_factory=dict)
    fallbacks: dict[FallbackKey, FallbackSums] = field(default_factory=dict)
    aliases: dict[AliasKey, AliasSpan] = field(default_factory=dict)

    def add_calls(self, day: date, attribution: Attribution, sums: SpendSums) -> None:
        """Add sums of calls of one day and attribution."""
        self.calls.setdefault((day, attribution), SpendSums()).add(sums)

    def add_row(self, key: SpendKey, sums: SpendSums) -> None:
        """Add sums to one row alone."""
        self.rows.setdefault(key._replace(part=shorten_id(key.part, MAX_PART)), SpendSums()).add(sums)

    def add_end(self, event: EndEvent, day: date, at: datetime) -> None:
        """Add a call that ended on a day, at a time."""
        attribution = event.attribution
        sums = self.calls.get((day, attribution))
        if sums is None:
            sums = self.calls[day, attribution] = SpendSums()
        _add(sums, event)
        for named in attribution.aliases():
            self._seen(AliasKey(*named), at)
        self._deployment(event, at)
        self._fallback(event, day)
        if isinstance(event, RequestSucceeded):  # first: nearly every call, and isinstance is slow for other classes
            if event.deployment_id and not event.cache_hit:
                outcome = self._outcome(OutcomeKey(day, event.deployment_id, SUCCEEDED))
                outcome.attempts += 1
                outcome.calls += 1
                self._latencies(event, event.deployment_id, day)
        elif isinstance(event, RequestFailed):
            self._outcome(OutcomeKey(day, event.deployment_id or "", event.failure.error_class)).calls += 1

    def add_attempt(self, event: AttemptFailed, day: date, at: datetime) -> None:
        """Add an attempt that failed on a day, at a time."""
        self._outcome(OutcomeKey(day, event.deployment_id or "", event.failure.error_class)).attempts += 1
        self._deployment(event, at)

    @property
    def most_rows(self) -> int:
        """An upper bound of the number of rows that `spend` returns. It does not spread the calls."""
        dimensions = len(DIMENSIONS)
        return len(self.rows) + sum(dimensions + len(owner.tags or ()) for _, owner in self.calls)

    def spend(self) -> dict[SpendKey, SpendSums]:
        """Return what to add to each row of the ledger.

        A call counts once per tag and once in every dimension that it names.
        """
        # A plain tuple finds its named tuple and costs less to make. Each call needs a dozen keys.
        rows: dict[tuple[date, str, str, str, str], SpendSums] = {key: copy(sums) for key, sums in self.rows.items()}
        for (day, attribution), sums in self.calls.items():
            team = attribution.team_id
            for dimension, entity, part in attribution.ledger_entities():
                key = day, dimension, team, entity, shorten_id(part, MAX_PART) if part else ""
                row = rows.get(key)
                if row is None:
                    row = rows[SpendKey._make(key)] = SpendSums()
                row.add(sums)
        return cast("dict[SpendKey, SpendSums]", rows)

    def _fallback(self, event: EndEvent, day: date) -> None:
        if not event.fallbacks:
            return
        asked, used = event.original_model_group, event.model_group or event.model
        if not asked or not used or asked == used:
            return
        sums = self.fallbacks.setdefault(FallbackKey(day, asked, used), FallbackSums())
        sums.succeeded += isinstance(event, RequestSucceeded)
        sums.failed += isinstance(event, RequestFailed)

    def _outcome(self, key: OutcomeKey) -> OutcomeSums:
        sums = self.outcomes.get(key)
        if sums is None:
            sums = self.outcomes[key] = OutcomeSums()
        return sums

    def _latencies(self, event: RequestSucceeded, deployment_id: str, day: date) -> None:
        if event.completion_tokens:
            whole = _microseconds(event.started_at, event.ended_at)
            self._latency(day, deployment_id, "per_token", whole // event.completion_tokens)
        if event.first_token_at is not None:
            first = _microseconds(event.started_at, event.first_token_at)
            self._latency(day, deployment_id, "first_token", first)

    def _latency(self, day: date, deployment_id: str, measure: str, microseconds: int) -> None:
        microseconds = min(microseconds, _LONGEST)
        key = LatencyKey(day, deployment_id, measure, bucket_of(microseconds))
        sums = self.latencies.get(key)
        if sums is None:
            sums = self.latencies[key] = LatencySums()
        sums.count += 1
        sums.microseconds += microseconds

    def _deployment(self, event: EndEvent | AttemptFailed, at: datetime) -> None:
        served_by = event.model or event.model_group
        if event.deployment_id and served_by:
            for key in _names_of(event.deployment_id, served_by, event.provider, event.region):
                self._seen(key, at)

    def _seen(self, key: AliasKey, at: datetime) -> None:
        span = self.aliases.get(key)
        if span is None:
            self.aliases[key] = AliasSpan(at, at)
        elif at > span.last_at:
            span.last_at = at
        elif at < span.first_at:
            span.first_at = at


@lru_cache(maxsize=10_000)
def _names_of(deployment_id: str, served_by: str, provider: str | None, region: str | None) -> tuple[AliasKey, ...]:
    """Return the names of a deployment. Each call needs them, and there are few deployments."""
    name = AliasKey("deployment", deployment_id, served_by)
    if not provider and not region:
        return (name,)
    title = shorten_id(model_and_region(served_by, provider, region), MAX_NAME)
    return name, AliasKey(TITLES, deployment_id, title)


def _microseconds(start: datetime, end: datetime) -> int:
    return max(0, (end - start) // _MICROSECOND)


def _add(sums: SpendSums, event: EndEvent) -> None:
    sums.requests += 1
    sums.prompt_tokens += event.prompt_tokens
    sums.completion_tokens += event.completion_tokens
    sums.spend_nanos += event.cost_nanos or 0
    if isinstance(event, RequestSucceeded):
        sums.cached_requests += event.cache_hit
        sums.zero_priced += not event.cost_nanos and not event.cache_hit and event.completion_tokens > 0
    elif isinstance(event, RequestFailed):
        sums.failures += 1
