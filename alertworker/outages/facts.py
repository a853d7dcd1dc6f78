"""The facts of an outage, from the sums since it began. The harm to users comes first, then the causes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from alertworker.events import AttemptFailed
from alertworker.outages.policy import Limits
from alertworker.outages.verdict import WindowVerdict, count_by_deployment, count_calls
from alertworker.outages.windows import WINDOW_SECONDS, Bucket, Calls
from alertworker.text.format import spell
from alertworker.text.names import model_and_region, short_id, with_id

#: The maximum number of a region's deployments, or of teams, that a message names while the outage lasts.
MAX_NAMES: Final = 5
#: The facts that change while an outage lasts. "Calls" is how the previous version named the first two.
_CURRENT: Final = ("Calls lost", "Calls saved", "Calls", "Attempts", "Causes", "Deployments")


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums of an outage. ``calls`` are those from the first to the last failure. Times are epoch milliseconds.

    ``by_deployment`` has the numbers of failed calls and of all calls of each deployment that failed one.
    """

    failed: int = 0
    calls: int = 0
    causes: Mapping[str, int] = field(default_factory=dict)
    by_deployment: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    first_failure: int = 0
    last_failure: int = 0

    @classmethod
    def of(cls, buckets: Iterable[Bucket]) -> Totals:
        """Return the sums of buckets, from the first failing one to the last."""
        rows = sorted(buckets, key=lambda row: (row.start, row.deployment_id))
        failing = [row for row in rows if row.failed]
        if not failing:
            return cls()
        within = [row for row in rows if failing[0].start <= row.start <= failing[-1].start]
        causes = Counter[str]()
        for row in failing:
            causes.update(row.causes)
        return cls(
            failed=causes.total(),
            calls=count_calls(within),
            causes=causes,
            by_deployment=count_by_deployment(within),
            first_failure=min(row.failed_since for row in failing),
            last_failure=max(row.last_failure or row.start * 1_000 for row in failing),
        )

    @classmethod
    def of_verdict(cls, verdict: WindowVerdict) -> Totals:
        """Return the sums of the stretch that a verdict judged."""
        end = (verdict.until + WINDOW_SECONDS) * 1_000
        return cls(verdict.failed, verdict.calls, verdict.causes, verdict.failures, verdict.first_failure, end)


def titles_of(names: Mapping[str, str], events: Iterable[AttemptFailed] = ()) -> dict[str, str]:
    """Return the titles of deployments by id, from their failed calls, else from their known ``names``.

    >>> titles_of({"3f" * 32: "openai/gpt-4o-mini in eastus"})["3f" * 32]
    'openai/gpt-4o-mini in eastus (3f3f3f3f…)'
    """
    seen = {
        event.deployment_id: model_and_region(event.model or event.model_group, event.provider, event.region)
        for event in events
        if event.deployment_id
    }
    known = {**names, **{identity: name for identity, name in seen.items() if name}}
    return {identity: with_id(name, identity) for identity, name in known.items()}


def current_facts(
    totals: Totals, calls: Calls, titles: Mapping[str, str] | None = None, *, is_over: bool = False
) -> dict[str, str]:
    """Return the facts that change while an outage lasts.

    ``titles`` are those of a region's or model's deployments by id, ``None`` for a deployment. At the end all teams and
    deployments are named.
    """
    most = None if is_over else MAX_NAMES
    facts = spell_calls(calls, most, is_over=is_over)
    if totals.failed:
        lasted = timedelta(milliseconds=max(1_000, totals.last_failure - totals.first_failure))
        facts["Attempts"] = f"{totals.failed:,} of {totals.calls:,} failed in {spell(lasted)}"
        facts["Causes"] = _counted(totals.causes)
    if titles is not None and totals.by_deployment:
        named = {titles.get(one) or short_id(one): counts for one, counts in totals.by_deployment.items()}
        facts["Deployments"] = _spell_deployments(named, most)
    return facts


def with_current_facts(facts: Mapping[str, str], current: Mapping[str, str]) -> dict[str, str]:
    """Return an alert's facts with the current ones before those that stay."""
    return {**current, **{label: text for label, text in facts.items() if label not in _CURRENT}}


def without_error(facts: Mapping[str, str]) -> dict[str, str]:
    """Return an alert's facts for its resolving message, in which the last error would mislead."""
    return {label: text for label, text in facts.items() if label != "Error"}


def spell_calls(calls: Calls, most: int | None = MAX_NAMES, *, is_over: bool = False) -> dict[str, str]:
    """Return how the calls that a target failed ended: how many were lost for users, by team, and how many were saved.

    >>> spell_calls(Calls(by_fallback=28, lost={"billing": 1, "search": 2}))
    {'Calls lost': '3 (search ×2, billing ×1)', 'Calls saved': '28 by fallback'}
    >>> spell_calls(Calls(by_retry=2))
    {'Calls lost': 'none so far', 'Calls saved': '2 by retry'}
    """
    lost = Counter(calls.lost)
    facts = {"Calls lost": f"{lost.total():,} ({_counted(lost, most)})" if lost.total() else "none so far"}
    if is_over and not lost.total():
        facts["Calls lost"] = "none"
    saved = [f"{calls.by_fallback:,} by fallback"] if calls.by_fallback else []
    saved += [f"{calls.by_retry:,} by retry"] if calls.by_retry else []
    return facts | ({"Calls saved": ", ".join(saved)} if saved else {})


def spell_threshold(threshold: int, limits: Limits) -> str:
    """Return the number and the share of failed calls that make an outage.

    >>> spell_threshold(5, Limits(60, 5, 10, share=0.1)), spell_threshold(5, Limits(60, 5, 10))
    ('5 failed calls that are 10 % of the calls', '5 failed calls in 1 min')
    """
    if limits.share:
        return f"{threshold} failed calls that are {limits.share * 100:g} % of the calls"
    return f"{threshold} failed calls in {spell(timedelta(seconds=limits.seconds))}"


def _spell_deployments(counts: Mapping[str, tuple[int, int]], most: int | None) -> str:
    """Return how many calls failed on each deployment, the worst first.

    >>> _spell_deployments({"d2": (2, 8), "d1": (9, 9)}, None), _spell_deployments({"d2": (2, 8), "d1": (9, 9)}, 1)
    ('d1: 9 of 9 failed, d2: 2 of 8 failed', 'd1: 9 of 9 failed and 1 more')
    """
    ranked = sorted(counts.items(), key=lambda item: (-item[1][0], item[0]))
    shown = [f"{name}: {failed:,} of {calls:,} failed" for name, (failed, calls) in ranked[:most]]
    left = len(ranked) - len(shown)
    return ", ".join(shown) + (f" and {left:,} more" if left else "")


def _counted(counts: Mapping[str, int], most: int | None = None) -> str:
    """Return names with their numbers, the highest first."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    parts: Sequence[str] = [f"{name} ×{count:,}" for name, count in ranked]
    left = ranked[most:] if most is not None else []
    if not left:
        return ", ".join(parts)
    rest = sum(count for _, count in left)
    return f"{', '.join(parts[:most])} and {len(left):,} more ×{rest:,}"
