"""Evidence: whether failed calls prove an outage, or are what a healthy deployment shows by chance.

A healthy deployment fails a call with a probability of at most the tolerated error rate *p0*. The chance to see *k* or
more failures among *n* independent calls is then at most ``exp(-n * D(k/n || p0))``, with the Kullback-Leibler
divergence *D* (Chernoff's bound). `MIN_EVIDENCE` is 18, so the chance is at most 1.5e-8 each time a window is judged,
as docs/adr/0011 explains.

The verdict depends on the sums alone: no baseline is learned, so the order in which batches arrive does not matter.
"""

from __future__ import annotations

from math import exp, lgamma, log
from typing import Final

#: The least evidence, in nats, for an outage.
MIN_EVIDENCE: Final = 18.0
#: How much stronger, in nats, the evidence of a long outage must be than the evidence of its newest failures alone.
CLEARLY: Final = 1.0
#: The error rate that a healthy deployment may have.
TOLERATED: Final = 0.01


def evidence(failed: int, calls: int, tolerated: float) -> float:
    """Return the evidence of ``failed`` among ``calls`` against an error rate of at most ``tolerated``, in nats.

    It is 0 if the share of failures is not above ``tolerated``, which is greater than 0 and less than 1.

    >>> [round(evidence(failed, calls, 0.01), 1) for failed, calls in ((5, 5), (6, 10), (20, 200), (1, 100))]
    [23.0, 20.9, 28.9, 0.0]
    """
    if not calls or failed <= tolerated * calls:
        return 0.0
    share = failed / calls
    divergence = share * log(share / tolerated)
    if failed < calls:
        divergence += (1 - share) * log((1 - share) / (1 - tolerated))
    return calls * divergence


def is_evident(failed: int, calls: int, tolerated: float) -> bool:
    """Return whether the evidence rules out chance, that is, reaches `MIN_EVIDENCE`.

    >>> is_evident(5, 6, 0.01), is_evident(5, 10, 0.01), is_evident(9, 50, 0.01)
    (True, False, True)
    """
    return evidence(failed, calls, tolerated) >= MIN_EVIDENCE


def uneven_evidence(own_failed: int, own_calls: int, failed: int, calls: int) -> float:
    """Return the evidence that some of the calls fail more often than the others, in nats. It is Fisher's exact test.

    If ``failed`` of ``calls`` fail whichever they are, it is the chance that at least ``own_failed`` of them are among
    ``own_calls``. It is 0 if all calls are these.

    >>> [round(uneven_evidence(5, own, 5, 40), 1) for own in (5, 10, 36, 40)]
    [13.4, 7.9, 0.6, 0.0]
    """
    rest, most = calls - own_calls, min(own_calls, failed)
    if own_failed <= max(0, failed - rest):
        return 0.0
    logs = [_ways(own_calls, hit) + _ways(rest, failed - hit) for hit in range(own_failed, most + 1)]
    highest = max(logs)
    return _ways(calls, failed) - highest - log(sum(exp(one - highest) for one in logs))


def _ways(things: int, chosen: int) -> float:
    """Return the logarithm of the number of ways to choose some of many things."""
    return lgamma(things + 1) - lgamma(chosen + 1) - lgamma(things - chosen + 1)
