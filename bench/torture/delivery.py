"""Failing receivers and killed processes: which alerts arrive."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack
from functools import partial
from typing import Final

from bench.torture.ledger import Row, counted, occurrences
from bench.torture.pair import SETTLE_SECONDS, Pair, Setup, wait
from tests.acceptance.receiver import OK, Answer, Receiver

#: One failing model for each scenario, so that no scenario counts another's failures.
REFUSED, LIMITED, DOWN, SLOW, WELL, KILLED, ENDED = MODELS = tuple(
    f"status-500-{name}" for name in ("refused", "limited", "down", "slow", "well", "killed", "ended")
)
RECEIVERS: Final = Setup((), MODELS)
PROCESSES: Final = Setup((), MODELS)
FAILURES: Final = 10
#: Seconds within which our message must arrive after a receiver recovers: the longest waits of four attempts.
_RETRIES: Final = 20.0


def receiver_500(pair: Pair, seconds: float = 10) -> Row:
    """Make both receivers answer 500 for a while, during which ten calls fail."""
    pair.control()
    well_at = time.monotonic() + seconds
    for one in pair.receivers:
        one.answer = lambda _number, _path: OK if time.monotonic() > well_at else (500, {}, 0.0)
    pair.fail(REFUSED, FAILURES, every=0.1)
    return _reported(pair, REFUSED, FAILURES, well_at - time.monotonic() + _RETRIES)


def receiver_429(pair: Pair) -> Row:
    """Make each receiver answer its next post with 429 and Retry-After: 2."""
    pair.control()
    for one in pair.receivers:
        one.answer = partial(_limited, len(one.posts))
    pair.fail(LIMITED, FAILURES, every=0.1)
    return _reported(pair, LIMITED, FAILURES)


def receiver_down(pair: Pair, seconds: float = 10) -> Row:
    """Close the ports of both receivers for a while, during which ten calls fail."""
    pair.control()
    well_at = time.monotonic() + seconds
    with ExitStack() as away:
        for one in pair.receivers:
            away.enter_context(one.refusing())
        pair.fail(DOWN, FAILURES, every=0.1)
        time.sleep(max(0.0, well_at - time.monotonic()))
    return _reported(pair, DOWN, FAILURES, _RETRIES)


def receiver_slow(pair: Pair, failures: int = 60) -> Row:
    """Make both receivers take 3 s for each answer, while two calls fail every second."""
    pair.control()
    for one in pair.receivers:
        one.answer = lambda _number, _path: (200, {}, 3.0)
    pair.fail(SLOW, failures, every=0.5)
    return _reported(pair, SLOW, failures, 25)


def receiver_well(pair: Pair, failures: int = 40) -> Row:
    """Make one deployment fail repeatedly, with healthy receivers."""
    pair.control()
    pair.fail(WELL, failures, every=0.1)
    return _reported(pair, WELL, failures)


def killed(pair: Pair, number: signal.Signals = signal.SIGKILL, *, again: bool = True) -> Row:
    """Make ten calls fail, and 0.3 s later send the signal to the proxy and all our workers. Then restart the workers.

    The proxy is restarted only with ``again``.
    """
    model = KILLED if number == signal.SIGKILL else ENDED
    pair.control()
    pair.fail(model, FAILURES)
    time.sleep(0.3)
    pair.proxy.end(number)
    for role in ("ingest", "deliver", "beat"):
        pair.stack.kill(role, number)
    pair.proxy.down()
    for role in ("ingest", "deliver", "beat"):
        pair.stack.start(role)
    if again:
        pair.proxy.up()
    return _reported(pair, model, FAILURES, 45)


def _limited(first: int, number: int, _path: str) -> Answer:
    return (429, {"Retry-After": "2"}, 0.0) if number == first else OK


def _reported(pair: Pair, model: str, failures: int, seconds: float = _RETRIES) -> Row:
    """Wait until both sides have had time to send, ours at least the given time, and return the result of each."""

    def reported(one: Receiver) -> bool:
        return counted(one.taken(model)) >= failures

    wait(lambda: all(reported(one) for one in pair.awaited), SETTLE_SECONDS)
    pair.settle(lambda one: one is pair.theirs or reported(one), seconds)
    for one in pair.receivers:
        one.answer = lambda _number, _path: OK
    return Row(*(occurrences(failures, one.taken(model)) for one in pair.receivers))
