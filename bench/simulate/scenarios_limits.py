"""Scenarios whose messages must be late, rare, single or absent: rate limits, flapping, silences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bench.simulate.calls import Behaviour
from bench.simulate.faults import (
    MINUTE,
    RATE_LIMIT,
    SERVER_ERROR,
    HealthChecks,
)
from bench.simulate.labels import (
    HIGH,
    ONE,
    ONLY,
    SIBLING,
    TAIL,
    down,
    end,
    lasting,
    model_scope,
    nothing,
    one_deployment,
    outage,
    touches,
)
from bench.simulate.scenario import LONG_WINDOW, Incident, Scenario, SilenceSpec, Traffic


def rate_limited(traffic: Traffic) -> Scenario:
    """A deployment is over its quota for long; retries and fallbacks save every call."""
    lasts = 20 * MINUTE if traffic is Traffic.HIGH else 60 * MINUTE
    one = "gpt-4o-mini-azure-westeurope"
    within = 8 * MINUTE if traffic is Traffic.HIGH else LONG_WINDOW
    incident = outage(traffic, lasts, one, within=within, after_failures=8, end_within=20 * MINUTE)
    return Scenario(
        "rate-limited",
        "a deployment answers 429 to 80 % for long; all calls are saved",
        lasts + TAIL,
        (down(lasts, one, error=RATE_LIMIT, share=0.8),),
        (incident,),
    )


def rate_limited_briefly(traffic: Traffic) -> Scenario:
    """A burst of 429 that loses no call must not raise an outage."""
    one = "gpt-4o-mini-azure-westeurope"
    return Scenario(
        "rate-limited-briefly",
        "a deployment answers 429 to 90 % for 90 s; all calls are saved",
        TAIL,
        (down(90, one, error=RATE_LIMIT, share=0.9),),
        (nothing(one, 0, 90, touches(one)),),
    )


def rate_limited_lost(traffic: Traffic) -> Scenario:
    """The only deployment of a model is over its quota, and no fallback is configured."""
    lasts = lasting(traffic)
    must = one_deployment(traffic, ONLY, level=HIGH, or_labels=model_scope("o3"))
    incident = Incident(ONLY, 0, lasts, touches(ONLY, models=frozenset({"o3"})), must)
    return Scenario(
        "rate-limited-lost",
        "a model's only deployment answers 429; the calls are lost",
        lasts + TAIL,
        (down(lasts, ONLY, error=RATE_LIMIT),),
        (incident,),
    )


def no_retries(traffic: Traffic) -> Scenario:
    """Without retries and fallbacks each failed attempt is a lost call."""
    lasts = lasting(traffic)
    return Scenario(
        "no-retries",
        "one deployment of five is down; retries and fallbacks are off",
        lasts + TAIL,
        (down(lasts, ONE),),
        (outage(traffic, lasts, level=HIGH),),
        Behaviour(retries=0, fallbacks={}),
        tolerated_low=10,
    )


def _flapping(traffic: Traffic, name: str, down_: float, up: float, lasts: float, what: str) -> Scenario:
    need = 20 if traffic is Traffic.HIGH else 30
    # Two openings are sent like any outage. The third one is flapping, and its end is sent, too.
    must = one_deployment(traffic, after_failures=need, end_within=20 * MINUTE, comes_and_goes=True, messages=6)
    return Scenario(
        name,
        what,
        lasts + TAIL,
        (down(lasts, ONE, down=down_, up=up),),
        (Incident(ONE, 0, lasts, touches(ONE), must),),
    )


def flapping_fast(traffic: Traffic) -> Scenario:
    """Down for 30 s, up for 2 minutes."""
    return _flapping(traffic, "flapping-fast", 30, 120, 30 * MINUTE, "30 s down, 2 min up, for 30 min")


def flapping_slow(traffic: Traffic) -> Scenario:
    """Down for a minute, up for 4 minutes."""
    return _flapping(traffic, "flapping-slow", 60, 240, 60 * MINUTE, "60 s down, 4 min up, for an hour")


def silence_around(traffic: Traffic) -> Scenario:
    """A deployment under maintenance fails, recovers, and then the silence ends: nothing is sent."""
    lasts = lasting(traffic)
    silence = SilenceSpec((f'deployment="{ONE}"',), -5 * MINUTE, lasts + 10 * MINUTE)
    incident = Incident(ONE, 0, lasts, touches(ONE), quiet=((silence.start, lasts + TAIL),))
    stray = down(lasts, SIBLING, start=MINUTE, error=SERVER_ERROR, most=1)
    return Scenario(
        "silence-around",
        "a silenced deployment is down, and one call fails on another in its region",
        lasts + TAIL,
        (down(lasts, ONE), stray),
        (incident,),
        silences=(silence,),
    )


def silence_ends_after(traffic: Traffic) -> Scenario:
    """The silence ends soon after the deployment has recovered: no channel is notified of a past outage."""
    lasts = lasting(traffic)
    silence = SilenceSpec((f'deployment="{ONE}"',), -5 * MINUTE, lasts + end(traffic) / 4)
    incident = Incident(ONE, 0, lasts, touches(ONE), quiet=((silence.start, lasts + TAIL),))
    return Scenario(
        "silence-ends-after",
        "a silenced deployment is down; the silence ends soon after its recovery",
        lasts + TAIL,
        (down(lasts, ONE),),
        (incident,),
        silences=(silence,),
    )


def silence_inside(traffic: Traffic) -> Scenario:
    """A person silences an outage that was sent; it ends after the silence."""
    lasts = 3 * lasting(traffic)
    silence = SilenceSpec((f'deployment="{ONE}"',), lasts / 3, 2 * lasts / 3)
    must = one_deployment(traffic)
    incident = Incident(ONE, 0, lasts, touches(ONE), must, quiet=((silence.start + 10, silence.end),))
    return Scenario(
        "silence-inside",
        "an outage that was sent is silenced for a while",
        lasts + TAIL,
        (down(lasts, ONE),),
        (incident,),
        silences=(silence,),
    )


def silence_overrun(traffic: Traffic) -> Scenario:
    """Maintenance takes longer than its silence: the outage is sent when the silence ends."""
    lasts = 2 * lasting(traffic)
    silence = SilenceSpec((f'deployment="{ONE}"',), -5 * MINUTE, lasts / 2)
    must = one_deployment(traffic, counted_from=silence.end)
    incident = Incident(ONE, 0, lasts, touches(ONE), must, quiet=((silence.start, silence.end),))
    return Scenario(
        "silence-overrun",
        "a silenced deployment is still down when its silence ends",
        lasts + TAIL,
        (down(lasts, ONE),),
        (incident,),
        silences=(silence,),
    )


def health_checks(traffic: Traffic) -> Scenario:
    """LiteLLM's own checks fail on a deployment whose calls work: no user is hurt."""
    lasts = 20 * MINUTE
    checks = HealthChecks(0, lasts, 10, frozenset({ONE}))
    return Scenario(
        "health-checks",
        "only LiteLLM's own health checks of a deployment fail",
        lasts + TAIL,
        (checks,),
        (nothing(ONE, 0, lasts, touches(ONE)),),
    )


LIMITS: Final[tuple[Callable[[Traffic], Scenario], ...]] = (
    rate_limited,
    rate_limited_briefly,
    rate_limited_lost,
    no_retries,
    flapping_fast,
    flapping_slow,
    silence_around,
    silence_ends_after,
    silence_inside,
    silence_overrun,
    health_checks,
)
