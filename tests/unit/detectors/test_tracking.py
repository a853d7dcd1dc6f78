"""Calls without a price raise an alert; calls that are free do not."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alertworker.alerts.catalogue import TRACE, AlertType, Severity
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


@pytest.mark.parametrize(
    ("reasons", "severity"),
    [
        (["no price is known of this model: set one, or 0, in its model_info"], Severity.LOW),
        (["This model isn't mapped yet. model=fake, custom_llm_provider=openai."], Severity.LOW),
        (["LiteLLM's list has this model without a price: set one, or 0, in its model_info"], Severity.HIGH),
        ([None], Severity.HIGH),
        (["no price is known of this model", "missing_pricing: input_cost_per_second"], Severity.HIGH),
    ],
)
def test_a_model_whose_name_no_price_list_has_is_low(reasons: list[str | None], severity: Severity) -> None:
    """It is often the operator's own and free. A price that is missing elsewhere makes the ledger too low."""
    events = [answered(str(place), **USED, cost_nanos=0, cost_failure=reason) for place, reason in enumerate(reasons)]
    events = [one if one.cost_failure else one.model_copy(update={"cost_nanos": None}) for one in events]
    folded = fold(events, slow_seconds=300, zone=ZoneInfo("UTC"), now=NOW)
    [alert] = DETECTORS[AlertType.FAILED_TRACKING_SPEND](folded, Policy())

    assert alert.severity is severity


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
