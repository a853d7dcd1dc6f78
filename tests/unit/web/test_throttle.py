"""Wrong keys: how many an address may send, and who is not affected."""

from __future__ import annotations

import pytest

from alertworker.web.throttle import BURST, EVERY, PROVEN_SECONDS, TOTAL_BURST, TOTAL_EVERY, Throttle


def guess(throttle: Throttle, address: str, *, first: int = 0, count: int = 1_000, now: float = 0.0) -> int:
    """Send different wrong keys; return how many were tried."""
    tried = 0
    for number in range(first, first + count):
        if not throttle.wait(address, f"wrong-{number}", now=now):
            throttle.failed(address, f"wrong-{number}", now=now)
            tried += 1
    return tried


def test_an_address_may_try_few_keys_at_once_and_then_one_at_a_time() -> None:
    throttle = Throttle()
    assert guess(throttle, "192.0.2.1") == BURST
    assert throttle.wait("192.0.2.1", "another", now=0) == EVERY
    assert guess(throttle, "192.0.2.1", first=2_000, now=EVERY) == 1
    assert throttle.wait("192.0.2.2", "another", now=0) == 0


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("", "", True),
    ],
)
def test_addresses_of_one_network_share_their_limit(one: str, other: str, shared: bool) -> None:
    """A host has a whole /64 network of IPv6. Mapped addresses of IPv4 are hosts of their own."""
    throttle = Throttle()
    guess(throttle, one)
    assert (throttle.wait(other, "key", now=0) > 0) is shared


def test_all_addresses_together_have_a_limit() -> None:
    throttle = Throttle()
    tried = sum(guess(throttle, f"10.0.{number // 250}.{number % 250}", count=BURST) for number in range(500))
    assert tried == TOTAL_BURST
    assert throttle.wait("198.51.100.1", "key", now=0) == TOTAL_EVERY
    assert throttle.wait("198.51.100.1", "key", now=TOTAL_EVERY) == 0


def test_a_right_key_needs_no_turn_for_an_hour_at_its_own_address() -> None:
    throttle = Throttle()
    throttle.succeeded("192.0.2.1", "right", now=0)
    guess(throttle, "192.0.2.1", now=PROVEN_SECONDS - 1)
    assert throttle.wait("192.0.2.1", "right", now=PROVEN_SECONDS - 1) == 0
    assert throttle.wait("192.0.2.1", "other", now=PROVEN_SECONDS - 1) > 0
    assert throttle.wait("192.0.2.1", "right", now=PROVEN_SECONDS) > 0
    guess(throttle, "192.0.2.2", now=PROVEN_SECONDS - 1)
    assert throttle.wait("192.0.2.2", "right", now=PROVEN_SECONDS - 1) > 0


def test_a_wrong_key_that_is_repeated_costs_one_attempt() -> None:
    """A publisher with an old key repeats it for hours. Others on its host must get in."""
    throttle = Throttle()
    assert throttle.failed("192.0.2.1", "old", now=0)
    assert not any(throttle.failed("192.0.2.1", "old", now=0) for _ in range(1_000))
    assert throttle.wait("192.0.2.1", "old", now=0) == 0
    assert guess(throttle, "192.0.2.1") == BURST - 1


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alertworker.web.addresses._MOST_ADDRESSES", 100)
    throttle = Throttle()
    for number in range(1_000):
        throttle.failed(f"10.0.{number // 250}.{number % 250}", f"key-{number}", now=0)
        throttle.succeeded(f"10.0.{number // 250}.{number % 250}", f"key-{number}", now=0)
    assert {len(throttle._paid_until), len(throttle._wrong), len(throttle._proven)} == {100}
