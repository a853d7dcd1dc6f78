"""The waits between tries to reach the broker."""

from __future__ import annotations

import pytest

from alertworker.publisher.backoff import Backoff


def test_a_server_that_asks_to_wait_is_not_tried_before(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("alertworker.publisher.backoff.time.monotonic", lambda: now)
    waits = Backoff(3.0)
    waits.failed(at_least=20.0)
    now = 119.0
    assert not waits.is_over
    now = 120.0
    assert waits.is_over
    waits.failed()
    now = 123.0
    assert waits.is_over
