"""The faults of `make torture`, on a real proxy whose calls only alertworker watches: every alert is sent once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.torture import delivery
from bench.torture.ledger import Ledger
from bench.torture.pair import running


@pytest.mark.timeout(400)
def test_a_receiver_in_trouble_and_processes_that_are_killed_lose_and_repeat_nothing(tmp_path: Path) -> None:
    """A receiver answers 500, another asks to wait, a third is down, and proxy and workers get SIGKILL."""
    steady = {"llm_exceptions": {"digest": True, "digest_interval": 2}}  # an interval that does not grow
    setup = replace(delivery.RECEIVERS, worker={"group_interval": 2, "alert_type_config": steady})
    with running(setup, tmp_path, alone=True) as pair:
        rows = [
            delivery.receiver_500(pair, seconds=2),
            delivery.receiver_429(pair),
            delivery.receiver_down(pair, seconds=2),
            delivery.killed(pair, again=False),
        ]

    ledgers = [row.alertworker.ledger for row in rows]
    assert ledgers == [Ledger(10, 10, messages=ledger.messages) for ledger in ledgers]
    assert all(ledger.messages <= 4 for ledger in ledgers)
