"""The limits from which failed calls are an outage."""

from __future__ import annotations

from dataclasses import dataclass, replace

from alertworker.outages.evidence import TOLERATED
from alertworker.outages.windows import LONG_SECONDS, WINDOW_SECONDS


@dataclass(frozen=True, slots=True)
class Limits:
    """When failed calls are an outage: counts within ``seconds``, and further conditions.

    ``minor`` and ``major`` are minimum counts of failed calls. ``share`` is the minimum share of failed calls (0 to 1).
    0 means that the counts alone decide, as in LiteLLM. ``tolerated`` is the error rate up to which failures may be
    chance. ``traffic`` is the minimum number of calls. ``deployments`` is the minimum number of failing deployments: 2
    for a region, a provider or a model group. With ``most``, as for a provider or a model group, more deployments must
    fail than answer normally. With ``across`` they must be of several models and in several regions: a provider.
    ``answering`` is how many deployments answer that are not among those that are judged.
    """

    seconds: int
    minor: int
    major: int
    share: float = 0.0
    traffic: int = 0
    deployments: int = 1
    tolerated: float = TOLERATED
    most: bool = False
    across: bool = False
    answering: int = 0

    @property
    def single(self) -> Limits:
        """The same limits for the calls of one deployment."""
        return replace(self, deployments=1, most=False, across=False, answering=0)

    @property
    def reach(self) -> int:
        """The length of the longest window, in seconds."""
        return max(self.span, LONG_SECONDS) if self.share else self.span

    @property
    def span(self) -> int:
        """The window's length in seconds: ``seconds`` rounded up to whole buckets, and one bucket more.

        Failures within ``seconds`` of each other always count together. Failures that are ``span`` or more apart never
        do. In between, the edges of the buckets decide. This tolerance is less than `WINDOW_SECONDS` if ``seconds`` is
        a multiple of it, else less than twice that.

        >>> Limits(seconds=60, minor=5, major=10).span, Limits(seconds=15, minor=5, major=10).span
        (70, 30)
        """
        return (-(-self.seconds // WINDOW_SECONDS) + 1) * WINDOW_SECONDS


@dataclass(frozen=True, slots=True)
class OutagePolicy:
    """The limits of deployments, regions and models. An alert names at most ``max_details`` failed calls."""

    deployment: Limits = Limits(seconds=60, minor=5, major=10, share=0.1)
    region: Limits = Limits(seconds=60, minor=5, major=10, share=0.1, deployments=2)
    max_details: int = 1_000

    @property
    def model(self) -> Limits:
        """The limits of a model group: those of a deployment, and most of its deployments must fail."""
        return replace(self.deployment, deployments=2, most=True)

    @property
    def provider(self) -> Limits:
        """The limits of a provider: those of a region, and most of its deployments must fail, in several regions."""
        return replace(self.region, most=True, across=True)
