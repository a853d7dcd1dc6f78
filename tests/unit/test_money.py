"""Money to the last nano-dollar: against sums of decimals, for costs as LiteLLM reports them; no amount is refused."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertworker.events import RequestSucceeded
from alertworker.events.batch import decode
from alertworker.folding import fold
from alertworker.integrations.litellm import coerce
from alertworker.ledger.rows import SpendKey
from alertworker.money import dollars_from_nanos, nanos_from_dollars

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
TEAM = SpendKey(date(2026, 11, 23), "team", "", "")
#: Tokens times a price of whole nano-dollars, in floats, as LiteLLM multiplies: 0.1 + 0.2 and the like.
COSTS = st.builds(
    lambda tokens, price, more: tokens * (price * 1e-9) + more,
    st.integers(0, 200_000),
    st.sampled_from([1, 75, 123, 150, 2_500, 10_000, 600_000]),
    st.sampled_from([0.0, 0.1, 0.1 + 0.2, 1.23e-7]),
)


def entered(costs: list[float]) -> int:
    """Return what the ledger holds after calls of these costs."""
    calls = [
        RequestSucceeded(call_id="c", started_at=NOW, ended_at=NOW, occurred_at=NOW, cost_nanos=coerce.cost(cost))
        for cost in costs
    ]
    return fold(calls, slow_seconds=300, zone=ZoneInfo("UTC"), now=NOW).ledger.spend()[TEAM].spend_nanos


@given(st.lists(COSTS, min_size=1, max_size=200))
def test_costs_of_whole_nano_dollars_add_up_exactly(costs: list[float]) -> None:
    """A float near a nano-dollar counts as the decimal that was meant."""
    meant = sum((Decimal(repr(cost)).quantize(Decimal("1e-9")) for cost in costs), Decimal(0))

    assert dollars_from_nanos(entered(costs)) == meant


@given(st.lists(st.floats(0, 1_000), min_size=1, max_size=200))
def test_any_costs_are_off_by_half_a_nano_dollar_each_at_the_most(costs: list[float]) -> None:
    """Also those that are smaller than a nano-dollar; nothing runs away as a float's sum does."""
    exact = sum((Decimal(cost) for cost in costs), Decimal(0))

    assert abs(dollars_from_nanos(entered(costs)) - exact) <= len(costs) * Decimal("0.500001e-9")


def test_a_million_tiny_costs_are_exact_where_a_float_is_not() -> None:
    """A running float is already wrong in the eleventh place."""
    assert 1_000_000 * nanos_from_dollars(1.23e-7) == 123_000_000
    assert math.fsum([0.1] * 10) != sum([0.1] * 10)
    assert entered([0.1] * 10) == 1_000_000_000
    assert entered([0.1, 0.2, -0.0]) == 300_000_000


@pytest.mark.parametrize("amount", [math.nan, math.inf, -math.inf, -1e-9, 1e30, "1", True, None])
def test_an_invalid_cost_is_none(amount: object) -> None:
    """The callback then reports an unknown cost. It never invents one."""
    assert coerce.cost(amount) is None


@pytest.mark.parametrize("amount", ["-1", "NaN", "Infinity", "0.5", "1e30"])
def test_an_event_that_costs_no_amount_is_refused_by_the_name_of_its_field(amount: str) -> None:
    """The producer can then find the field."""
    moment = NOW.isoformat()
    event = f'{{"type": "llm.request.succeeded", "call_id": "c", "started_at": "{moment}", "ended_at": "{moment}", '
    decoded = decode(f'[{event}"cost_nanos": {amount}}}]'.encode(), None)

    assert decoded.events == []
    assert "cost_nanos" in decoded.rejected[0].reason
