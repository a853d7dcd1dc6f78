"""An odd field of LiteLLM's costs that field, and never the event."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from alertworker.events.base import MAX_COST
from alertworker.integrations.litellm.coerce import cost, moment, nanos, url


@pytest.mark.parametrize(
    "value", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", datetime(2100, 1, 1, tzinfo=UTC), 946_684_799, 1e30]
)
def test_a_time_in_another_century_is_invalid(value: object) -> None:
    """An example is the reset of a budget that is never to be reset."""
    assert moment(value) is None


def test_a_moment_of_this_century_is_kept() -> None:
    """This holds for every form."""
    first = datetime(2000, 1, 1, tzinfo=UTC)
    assert moment("2000-01-01T00:00:00Z") == moment(first) == moment(946_684_800) == first


@pytest.mark.parametrize(
    "address", ["https://user:12/hunter2xx@host", "https://user:hunter2xx@host/v1", "https://host/v1?key=hunter2xx"]
)
def test_an_address_has_no_password(address: str) -> None:
    """This holds also for a password that must be escaped in an address."""
    assert "hunter2" not in (url(address) or "")


def test_an_impossible_cost_is_none() -> None:
    """Budgets may be larger."""
    assert cost(100_000) == MAX_COST
    assert cost(100_001) is None
    assert nanos(100_001) == 100_001 * 10**9
