"""Counters: their stored names never change, and a person sees a label for each."""

from __future__ import annotations

from alertworker.health import DROPPED_BY_PUBLISHERS
from alertworker.ports import CounterName
from alertworker.web.pages.overview import COUNTERS


def test_the_stored_names_stay() -> None:
    """Rows of the previous version and metrics have these names."""
    assert {name.value for name in CounterName} == {
        "clamped",
        "dead_letters",
        "delivery_retries",
        "dropped",
        "failed_steps",
        "late_attempts",
        "merged",
        "muted",
        "no_route",
        "not_taken",
        "other_names",
        "postponed",
        "refused_keys",
        "spend_tracked",
        "unknown_values",
    }


def test_the_overview_has_a_label_for_each_counter() -> None:
    """A counter without a label would be shown by the name of its column."""
    assert COUNTERS.keys() == {*CounterName, DROPPED_BY_PUBLISHERS}
