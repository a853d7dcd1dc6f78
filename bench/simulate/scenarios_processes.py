"""Calls that hang, processes and clocks; and days on which nothing happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from alertworker.alerts.catalogue import AlertType
from bench.simulate.faults import (
    DAY,
    HOUR,
    MINUTE,
    TIMEOUT,
    After,
    ClockChange,
    Crash,
    Delay,
    Fault,
    Roll,
)
from bench.simulate.labels import (
    MEDIUM,
    MEDIUM_OR_HIGH,
    ONE,
    TAIL,
    down,
    end,
    lasting,
    nothing,
    outage,
    touches,
    window,
)
from bench.simulate.scenario import Affected, Incident, Must, Scenario, Traffic

_HANGING: Final = frozenset({AlertType.LLM_REQUESTS_HANGING})
_LOST: Final = frozenset({AlertType.PUBLISHER_LOST})


def _hung(name: str, what: str, fault: Fault, *, conditions: int = 1) -> Scenario:
    """Return calls that hang; the last of them ends somewhere between two bounds, and none may run in between."""
    earliest, latest = fault.end - 4 * MINUTE + fault.hang * 0.9, fault.end + fault.hang * 1.1
    end_within = latest - earliest + 5 * MINUTE
    labels = {"model": "gpt-4o"}
    must = Must(_HANGING, labels, MEDIUM, 7 * MINUTE, 0, end_within, comes_and_goes=True, conditions=conditions)
    incident = Incident(name, 0, earliest, touches(ONE), must, grace=latest - earliest + MINUTE)
    return Scenario(name, what, latest + TAIL, (fault,), (incident,))


def hung_calls(traffic: Traffic) -> Scenario:
    """Calls make no progress for 11 minutes, and are answered after all."""
    fault = down(10 * MINUTE, ONE, hang=11 * MINUTE, after=After.ANSWERED)
    return _hung("hung-calls", "a deployment answers its calls after 11 min", fault)


def hung_calls_fail(traffic: Traffic) -> Scenario:
    """Calls make no progress until they time out, which is an outage, too."""
    fault = down(10 * MINUTE, ONE, error=TIMEOUT, hang=10 * MINUTE)
    what = "a deployment's calls time out after 10 min"
    return _hung("hung-calls-fail", what, fault, conditions=2)


def long_timeouts(traffic: Traffic) -> Scenario:
    """Calls that began before the recovery time out up to 10 minutes after it. They are not a second outage."""
    lasts, hang = 30 * MINUTE, 10 * MINUTE
    fault = down(lasts, ONE, error=TIMEOUT, hang=hang)
    first = hang * 1.1  # until then no call has timed out
    hung = _hung("hung", "", fault).incidents[0]
    hung = replace(hung, affected=Affected(touched=frozenset({"gpt-4o"})))
    failed = outage(traffic, lasts, counted_from=first, within=window(traffic), end_within=first + end(traffic))
    return Scenario(
        "long-timeouts",
        "a deployment's calls time out after 10 min, for 30 min",
        lasts + hang + TAIL,
        (fault,),
        (hung, replace(failed, grace=first + MINUTE)),
    )


def stalled_streams(traffic: Traffic) -> Scenario:
    """Streams stop in the middle until their clients give up."""
    fault = down(10 * MINUTE, ONE, hang=8 * MINUTE, after=After.ABANDONED, chunks=5)
    return _hung("stalled-streams", "a deployment's streams stall until clients give up", fault)


def abandoned_streams(traffic: Traffic) -> Scenario:
    """Clients leave their streams after a minute: that is not a fault."""
    fault = down(15 * MINUTE, ONE, share=0.7, hang=MINUTE, after=After.ABANDONED, chunks=5)
    return Scenario(
        "abandoned-streams",
        "70 % of a deployment's clients leave their streams after a minute",
        15 * MINUTE + TAIL,
        (fault,),
        (nothing("abandoned-streams", 0, 16 * MINUTE, touches(ONE)),),
    )


def crash_loop(traffic: Traffic) -> Scenario:
    """A proxy dies every 90 s and comes back each time."""
    lasts = 30 * MINUTE
    must = Must(_LOST, {"host": "proxy-1"}, MEDIUM_OR_HIGH, 2 * MINUTE, end_within=5 * MINUTE, comes_and_goes=True)
    incident = Incident("proxy-1", 0, lasts, Affected(hosts=frozenset({"proxy-1"})), must, grace=2 * MINUTE)
    return Scenario(
        "crash-loop",
        "a proxy dies every 90 s for 30 min",
        lasts + TAIL,
        (Crash(0, lasts, "proxy-1", 90),),
        (incident,),
    )


def rolling_deploy(traffic: Traffic) -> Scenario:
    """Every host is replaced, and each process shuts down cleanly."""
    hosts = frozenset({"proxy-0", "proxy-1", "proxy-2"})
    return Scenario(
        "rolling-deploy",
        "all hosts are replaced, each with a clean shutdown",
        TAIL,
        (Roll(0, 60),),
        (nothing("deploy", 0, 3 * MINUTE, Affected(hosts=hosts)),),
    )


def killed_deploy(traffic: Traffic) -> Scenario:
    """Every host is replaced and no process shuts down cleanly; their names do not come back."""
    hosts = frozenset({"proxy-0", "proxy-1", "proxy-2"})
    must = Must(_LOST, {}, MEDIUM_OR_HIGH, 2 * MINUTE, end_within=40 * MINUTE, conditions=3, comes_and_goes=True)
    return Scenario(
        "killed-deploy",
        "all hosts are replaced without a clean shutdown",
        50 * MINUTE,
        (Roll(0, 60, clean=False),),
        (Incident("deploy", 0, 3 * MINUTE, Affected(hosts=hosts), must),),
    )


def late_batches(traffic: Traffic) -> Scenario:
    """One host cannot reach the broker while a deployment is down, and then sends everything at once."""
    lasts = lasting(traffic)
    lost = Must(_LOST, {"host": "proxy-0"}, MEDIUM_OR_HIGH, 2 * MINUTE)
    # 30 minutes after its last heartbeat the other hosts have replaced it, even if it comes back later.
    ends = min(lasts + 5 * MINUTE, 29 * MINUTE)
    host = Incident("proxy-0", 0, ends, Affected(hosts=frozenset({"proxy-0"})), lost)
    return Scenario(
        "late-batches",
        "one deployment is down; a third of the events come 5 min after its end",
        lasts + TAIL,
        (down(lasts, ONE), Delay(0, lasts + 5 * MINUTE, "proxy-0")),
        (outage(traffic, lasts), host),
    )


def clock_ahead(traffic: Traffic) -> Scenario:
    """The clock of one host is 4 minutes ahead while a deployment is down."""
    lasts = lasting(traffic)
    return Scenario(
        "clock-ahead",
        "one deployment is down; a host's clock is 4 min ahead",
        lasts + TAIL,
        (down(lasts, ONE), ClockChange(-5 * MINUTE, lasts + TAIL, "proxy-0", 240)),
        (replace(outage(traffic, lasts, end_within=end(traffic) + 4 * MINUTE), grace=6 * MINUTE),),
    )


def clock_change(traffic: Traffic) -> Scenario:
    """The clock of a host jumps 20 minutes ahead and back; nothing else happens."""
    return Scenario(
        "clock-change",
        "a host's clock jumps 20 min ahead, and back",
        TAIL,
        (ClockChange(0, 10 * MINUTE, "proxy-0", 1_200),),
    )


def summer_time_ends(traffic: Traffic) -> Scenario:
    """A deployment is down across the hour that comes twice."""
    lasts = lasting(traffic)
    return Scenario(
        "summer-time-ends",
        "one deployment is down while summer time ends",
        lasts + TAIL,
        (down(lasts, ONE),),
        (outage(traffic, lasts),),
        settings={"time_zone": "Europe/Berlin"},
        begins="2026-10-25T00:40:00+00:00",
    )


def healthy_slow(traffic: Traffic) -> Scenario:
    """Nothing happens at 0.5 calls/s."""
    return Scenario("healthy-0.5", "nothing happens, 0.5 calls/s, 6 h", 6 * HOUR, rate=0.5, tolerated=2)


def healthy(traffic: Traffic) -> Scenario:
    """Nothing happens at 5 calls/s."""
    return Scenario("healthy-5", "nothing happens, 5 calls/s, 3 h", 3 * HOUR, rate=5, tolerated=1)


def healthy_fast(traffic: Traffic) -> Scenario:
    """Nothing happens at 25 calls/s."""
    return Scenario("healthy-25", "nothing happens, 25 calls/s, 1 h", HOUR, rate=25, tolerated=1)


def healthy_day(traffic: Traffic) -> Scenario:
    """Nothing happens for a whole day at 25 calls/s."""
    return Scenario("day-25", "nothing happens, 25 calls/s, 24 h", DAY, rate=25, tolerated=5)


def healthy_wave(traffic: Traffic) -> Scenario:
    """Nothing happens for a whole day whose traffic goes from 0.5 to 50 calls/s and back."""
    return Scenario("day-wave", "nothing happens, 0.5 to 50 calls/s, 24 h", DAY, day=True, tolerated=5)


PROCESSES: Final[tuple[Callable[[Traffic], Scenario], ...]] = (
    hung_calls,
    hung_calls_fail,
    long_timeouts,
    stalled_streams,
    abandoned_streams,
    crash_loop,
    rolling_deploy,
    killed_deploy,
    late_batches,
    clock_ahead,
    clock_change,
    summer_time_ends,
)
#: Days on which nothing happens; their traffic is their own. The last two take long and are run only by name.
HEALTHY: Final = (healthy_slow, healthy, healthy_fast)
LONG: Final = (healthy_day, healthy_wave)
