"""Every scenario: the setup it runs on, what is done to both sides, what is expected, and what does it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from bench.torture import delivery
from bench.torture.ledger import Row
from bench.torture.pair import Pair, Setup


@dataclass(frozen=True)
class Scenario:
    """One row: ``fault`` is what is done to both sides, ``expected`` what a person ought to be told."""

    setup: Setup
    run: Callable[[Pair], Row]
    fault: str
    expected: str


SCENARIOS: Final[Mapping[str, Scenario]] = {
    "receiver-500": Scenario(
        delivery.RECEIVERS, delivery.receiver_500, "10 failures while the receiver answers 500 for 10 s", "all 10"
    ),
    "receiver-429": Scenario(
        delivery.RECEIVERS,
        delivery.receiver_429,
        "10 failures; the next post is answered with 429 and `Retry-After: 2`",
        "all 10",
    ),
    "receiver-down": Scenario(
        delivery.RECEIVERS, delivery.receiver_down, "10 failures while nobody listens for 10 s", "all 10"
    ),
    "receiver-slow": Scenario(
        delivery.RECEIVERS,
        delivery.receiver_slow,
        "60 failures, two a second; the receiver takes 3 s for an answer",
        "all 60",
    ),
    "receiver-well": Scenario(
        delivery.PROCESSES, delivery.receiver_well, "40 failures of one deployment; the receiver is well", "all 40"
    ),
    "sigkill": Scenario(
        delivery.PROCESSES, delivery.killed, "10 failures; 0.3 s later SIGKILL to the proxy and our workers", "all 10"
    ),
    "sigterm": Scenario(
        delivery.PROCESSES,
        partial(delivery.killed, number=signal.SIGTERM),
        "10 failures; 0.3 s later SIGTERM to the proxy and our workers",
        "all 10",
    ),
}
