"""Calls without a price raise an alert; calls that are free do not."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alertworker.alerts.catalogue import TRACE, AlertType
from alertworker.detectors import DETECTORS, Policy
from alertworker.folding import fold
from tests.integration.harness import NOW, answered

USED: dict[str, Any] = {"prompt_tokens": 10, "completion_tokens": 5}


@pytest.mark.parametrize(
    ("facts", "raises"),
    [
        (USED | {"cost_nanos": None}, True),
        (USED | {"cost_nanos": 0, "cost_failure": "This model isn't mapped yet"}, True),
        (USED | {"cost_nanos": 0}, False),
        (USED | {"cost_nanos": 7}, False),
        (USED | {"cost_nanos": None, "cache_hit": True}, False),
        ({"cost_nanos": None, "prompt_tokens": 0, "completion_tokens": 0}, False),
    ],
)
def test_only_tokens_without_a_price_raise_an_alert(facts: dict[str, Any], raises: bool) -> None:
    """A price of zero is the operator's word; an answer from the cache costs nothing."""
    folded = fold([answered("a", **facts)], slow_seconds=300, zone=ZoneInfo("UTC"), now=NOW)

    assert bool(list(DETECTORS[AlertType.FAILED_TRACKING_SPEND](folded, Policy()))) is raises


def test_calls_of_one_model_are_one_alert() -> None:
    """It counts them, says why, and carries what the caller asked to have shown."""
    facts = USED | {"cost_nanos": None, "cost_failure": "not mapped", "alerting_metadata": {"run": "7"}}
    events = [answered("a", **facts), answered("b", **facts), answered("c", **facts | {"model_group": "other"})]

    folded = fold(events, slow_seconds=300, zone=ZoneInfo("UTC"), now=NOW)
    first, second = DETECTORS[AlertType.FAILED_TRACKING_SPEND](folded, Policy())

    assert (first.count, second.count) == (2, 1)
    assert first.fingerprint != second.fingerprint
    assert (first.facts["Error"], first.facts["Tokens"]) == ("not mapped", "30")
    assert first.metadata == {"run": "7"}


def test_it_links_to_the_first_calls_trace() -> None:
    """The link needs a Langfuse host."""
    facts = USED | {"cost_nanos": None, "trace_id": "a" * 32}
    folded = fold([answered("a", **facts)], slow_seconds=300, zone=ZoneInfo("UTC"), now=NOW)
    policy = Policy(langfuse_host="https://langfuse.example/")
    [alert] = DETECTORS[AlertType.FAILED_TRACKING_SPEND](folded, policy)

    assert alert.facts[TRACE] == f"https://langfuse.example/trace/{'a' * 32}"
