"""Receivers in trouble, and processes that end: what becomes of failures that ought to be told."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack
from functools import partial
from typing import Final

from bench.torture.ledger import Row, counted, occurrences
from bench.torture.pair import SETTLE_SECONDS, Pair, Setup, wait
from tests.acceptance.receiver import OK, Answer, Receiver

#: One failing model for each scenario, so that none counts another's failures.
REFUSED, LIMITED, DOWN, SLOW, WELL, KILLED, ENDED = MODELS = tuple(
    f"status-500-{name}" for name in ("refused", "limited", "down", "slow", "well", "killed", "ended")
)
RECEIVERS: Final = Setup((), MODELS)
PROCESSES: Final = Setup((), MODELS)
FAILURES: Final = 10
#: Seconds in which our message must arrive once a receiver is well again: the longest waits of four attempts.
_RETRIES: Final = 20.0


def receiver_500(pair: Pair, seconds: float = 10) -> Row:
    """Both receivers answer 500 for so long; ten calls fail meanwhile."""
    pair.control()
    well_at = time.monotonic() + seconds
    for one in pair.receivers:
        one.answer = lambda _number, _path: OK if time.monotonic() > well_at else (500, {}, 0.0)
    pair.fail(REFUSED, FAILURES, every=0.1)
    return _told(pair, REFUSED, FAILURES, well_at - time.monotonic() + _RETRIES)


def receiver_429(pair: Pair) -> Row:
    """Each receiver answers its next post with 429 and Retry-After: 2."""
    pair.control()
    for one in pair.receivers:
        one.answer = partial(_limited, len(one.posts))
    pair.fail(LIMITED, FAILURES, every=0.1)
    return _told(pair, LIMITED, FAILURES)


def receiver_down(pair: Pair, seconds: float = 10) -> Row:
    """Nobody listens at either receiver's port for so long; ten calls fail meanwhile."""
    pair.control()
    well_at = time.monotonic() + seconds
    with ExitStack() as away:
        for one in pair.receivers:
            away.enter_context(one.refusing())
        pair.fail(DOWN, FAILURES, every=0.1)
        time.sleep(max(0.0, well_at - time.monotonic()))
    return _told(pair, DOWN, FAILURES, _RETRIES)


def receiver_slow(pair: Pair, failures: int = 60) -> Row:
    """Both receivers take 3 s for each answer; calls fail twice a second."""
    pair.control()
    for one in pair.receivers:
        one.answer = lambda _number, _path: (200, {}, 3.0)
    pair.fail(SLOW, failures, every=0.5)
    return _told(pair, SLOW, failures, 25)


def receiver_well(pair: Pair, failures: int = 40) -> Row:
    """All is well, and one deployment fails again and again."""
    pair.control()
    pair.fail(WELL, failures, every=0.1)
    return _told(pair, WELL, failures)


def killed(pair: Pair, number: signal.Signals = signal.SIGKILL, *, again: bool = True) -> Row:
    """Ten calls fail; 0.3 s later the proxy and all our workers get the signal, and are started again.

    The proxy only where it is wanted ``again``.
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
    return _told(pair, model, FAILURES, 45)


def _limited(first: int, number: int, _path: str) -> Answer:
    return (429, {"Retry-After": "2"}, 0.0) if number == first else OK


def _told(pair: Pair, model: str, failures: int, seconds: float = _RETRIES) -> Row:
    """Wait until both sides had the time to tell, ours at least so long, and give what each told."""

    def told(one: Receiver) -> bool:
        return counted(one.taken(model)) >= failures

    wait(lambda: all(told(one) for one in pair.awaited), SETTLE_SECONDS)
    pair.settle(lambda one: one is pair.theirs or told(one), seconds)
    for one in pair.receivers:
        one.answer = lambda _number, _path: OK
    return Row(*(occurrences(failures, one.taken(model)) for one in pair.receivers))
