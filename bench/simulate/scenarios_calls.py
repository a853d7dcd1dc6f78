"""Callers, calls, processes, clocks, and days on which nothing happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from alertworker.alerts.catalogue import AlertType, Severity
from bench.simulate.calls import Behaviour
from bench.simulate.faults import (
    BAD_KEY,
    BAD_REQUEST,
    BROKEN_PROXY,
    DAY,
    HOUR,
    KEY_LIMIT,
    MINUTE,
    NOT_FOUND,
    POLICY,
    RATE_LIMIT,
    SERVER_ERROR,
    TIMEOUT,
    After,
    ClockChange,
    Crash,
    Delay,
    Error,
    Fault,
    HealthChecks,
    Load,
    Roll,
)
from bench.simulate.labels import (
    HIGH,
    LOW,
    MEDIUM,
    MEDIUM_OR_HIGH,
    ONE,
    OUTAGE,
    TAIL,
    alias,
    down,
    lasting,
    nothing,
    outage,
    touches,
)
from bench.simulate.scenario import LONG_WINDOW, WINDOW, Affected, Incident, Must, Scenario, Traffic

_HANGING: Final = frozenset({AlertType.LLM_REQUESTS_HANGING})
_LOST: Final = frozenset({AlertType.PUBLISHER_LOST})
#: A caller of the scenarios; it makes no other calls.
_CALLER: Final = 301


def _many(traffic: Traffic, high: float, low: float) -> float:
    """Return calls a minute."""
    return high if traffic is Traffic.HIGH else low


def _storm(traffic: Traffic, name: str, what: str, error: Error, *, refused: bool) -> Scenario:
    """Return many calls of one caller that fail by its own fault: nobody is woken for it."""
    lasts = 15 * MINUTE
    load = Load(0, lasts, "gpt-4o", _many(traffic, 240, 30), (_CALLER,), error if refused else None)
    faults = () if refused else (Fault(0, lasts, error, callers=frozenset({alias(_CALLER)})),)
    affected = Affected(callers=frozenset({alias(_CALLER)}), touched=frozenset({"gpt-4o"}))
    return Scenario(name, what, lasts + TAIL, (load, *faults), (nothing(name, 0, lasts, affected),))


def bad_keys(traffic: Traffic) -> Scenario:
    """A client tries keys that do not exist."""
    return _storm(traffic, "bad-keys", "a client sends a wrong key again and again (401)", BAD_KEY, refused=True)


def key_limit(traffic: Traffic) -> Scenario:
    """A caller is over the rate limit of its own key."""
    return _storm(traffic, "key-limit", "a key is over the proxy's own limit (429)", KEY_LIMIT, refused=True)


def bad_requests(traffic: Traffic) -> Scenario:
    """A client sends requests that no provider takes."""
    return _storm(traffic, "bad-requests", "a client sends invalid requests (400)", BAD_REQUEST, refused=False)


def policy(traffic: Traffic) -> Scenario:
    """A client's prompts are against the provider's policy."""
    return _storm(traffic, "policy", "a client's prompts violate the content policy", POLICY, refused=False)


def poison(traffic: Traffic) -> Scenario:
    """Prompts of one caller make every deployment fail; everybody else's calls work."""
    lasts = 30 * MINUTE
    load = Load(0, lasts, "gpt-4o", _many(traffic, 40, 2), (_CALLER,))
    fault = Fault(0, lasts, SERVER_ERROR, callers=frozenset({alias(_CALLER)}))
    touched = frozenset({"gpt-4o", "claude-sonnet"})
    affected = Affected(callers=frozenset({alias(_CALLER)}), touched=touched)
    types = OUTAGE | {AlertType.LLM_EXCEPTIONS}
    must = Must(types, {"key": alias(_CALLER)}, LOW, LONG_WINDOW, end_within=None, messages=6)
    incident = Incident("poison", 0, lasts, affected, must, grace=10 * MINUTE)
    return Scenario(
        "poison", "every call of one key makes the provider fail (500)", lasts + TAIL, (load, fault), (incident,)
    )


def caller_timeouts(traffic: Traffic) -> Scenario:
    """Six calls of one caller time out, each on several deployments."""
    load = Load(0, MINUTE, "gpt-4o", 6, (_CALLER,))
    fault = Fault(0, 10 * MINUTE, TIMEOUT, callers=frozenset({alias(_CALLER)}))
    affected = Affected(callers=frozenset({alias(_CALLER)}), touched=frozenset({"gpt-4o", "claude-sonnet"}))
    return Scenario(
        "caller-timeouts",
        "six calls of one key time out, with all their retries",
        TAIL,
        (load, fault),
        (nothing("timeouts", 0, 5 * MINUTE, affected),),
    )


def single_key(traffic: Traffic) -> Scenario:
    """A company with one key: its trouble is not a caller's."""
    lasts = lasting(traffic)
    return Scenario(
        "single-key",
        "one deployment of five is down; all calls have one key",
        lasts + TAIL,
        (down(lasts, ONE),),
        (outage(traffic, lasts),),
        Behaviour(only_caller=304),
    )


def batch_job(traffic: Traffic) -> Scenario:
    """A nightly job makes most of the traffic for a while, and retries the 429 that it gets."""
    lasts = 20 * MINUTE
    load = Load(0, lasts, "gpt-4o-mini", _many(traffic, 600, 60), (_CALLER,))
    fault = Fault(0, lasts, RATE_LIMIT, callers=frozenset({alias(_CALLER)}), share=0.02)
    affected = Affected(callers=frozenset({alias(_CALLER)}), touched=frozenset({"gpt-4o-mini"}))
    return Scenario(
        "batch-job",
        "one key makes most calls for 20 min; 2 % are answered with 429 and saved",
        lasts + TAIL,
        (load, fault),
        (nothing("batch-job", 0, lasts, affected),),
    )


def proxy_error(traffic: Traffic) -> Scenario:
    """The proxy fails by itself before it routes: nobody else says so."""
    lasts = lasting(traffic)
    load = Load(0, lasts, "gpt-4o", _many(traffic, 60, 10), tuple(range(30)), BROKEN_PROXY)
    levels = frozenset(Severity)
    must = Must(frozenset({AlertType.LLM_EXCEPTIONS}), {}, levels, WINDOW, end_within=None, messages=4)
    affected = Affected(touched=frozenset({"gpt-4o"}))
    incident = Incident("proxy", 0, lasts, affected, must, grace=10 * MINUTE)
    return Scenario(
        "proxy-error", "the proxy answers 500 to some calls before it routes", lasts + TAIL, (load,), (incident,)
    )


def _hung(traffic: Traffic, name: str, what: str, fault: Fault, *, messages: int | None = None) -> Scenario:
    over = fault.end + fault.hang * 1.1
    must = Must(
        _HANGING, {"model": "gpt-4o"}, MEDIUM, 6 * MINUTE + MINUTE, 0, 5 * MINUTE, messages=messages
    )
    incident = Incident(name, 0, over, touches(ONE), must)
    return Scenario(name, what, over + TAIL, (fault,), (incident,))


def hung_calls(traffic: Traffic) -> Scenario:
    """Calls make no progress for 11 minutes, and are answered after all."""
    fault = down(10 * MINUTE, ONE, share=0.5, hang=11 * MINUTE, after=After.ANSWERED)
    return _hung(traffic, "hung-calls", "half of a deployment's calls are answered after 11 min", fault)


def hung_calls_fail(traffic: Traffic) -> Scenario:
    """Calls make no progress until they time out, which is an outage, too."""
    fault = down(10 * MINUTE, ONE, error=TIMEOUT, share=0.5, hang=10 * MINUTE)
    what = "half of a deployment's calls time out after 10 min"
    return _hung(traffic, "hung-calls-fail", what, fault, messages=4)


def stalled_streams(traffic: Traffic) -> Scenario:
    """Streams stop in the middle until their clients give up."""
    fault = down(10 * MINUTE, ONE, share=0.5, hang=8 * MINUTE, after=After.ABANDONED, chunks=5)
    return _hung(traffic, "stalled-streams", "half of a deployment's streams stall until clients give up", fault)


def abandoned_streams(traffic: Traffic) -> Scenario:
    """Clients leave their streams after a minute: that is theirs to do."""
    fault = down(15 * MINUTE, ONE, share=0.7, hang=MINUTE, after=After.ABANDONED, chunks=5)
    return Scenario(
        "abandoned-streams",
        "70 % of a deployment's clients leave their streams after a minute",
        15 * MINUTE + TAIL,
        (fault,),
        (nothing("abandoned-streams", 0, 16 * MINUTE, touches(ONE)),),
    )


def unpriced(traffic: Traffic) -> Scenario:
    """A model has no price from some moment on."""
    lasts = 60 * MINUTE
    types = frozenset({AlertType.FAILED_TRACKING_SPEND})
    must = Must(types, {"model": "gemini-flash"}, HIGH, 5 * MINUTE, end_within=None, messages=2)
    affected = Affected(touched=frozenset({"gemini-flash"}))
    return Scenario(
        "unpriced",
        "a model's calls have no price",
        lasts,
        (),
        (Incident("gemini-flash", 0, lasts, affected, must),),
        Behaviour(unpriced="gemini-flash"),
    )


def cold_start(traffic: Traffic) -> Scenario:
    """A new deployment times out a few times before it is warm."""
    return Scenario(
        "cold-start",
        "the first 3 calls of a new deployment time out",
        TAIL,
        (down(10 * MINUTE, ONE, error=TIMEOUT, most=3),),
        (nothing(ONE, 0, 10 * MINUTE, touches(ONE)),),
        Behaviour(joins=ONE),
    )


def cold_start_broken(traffic: Traffic) -> Scenario:
    """A new deployment does not exist at its provider: it never answers."""
    lasts = lasting(traffic)
    return Scenario(
        "cold-start-broken",
        "a new deployment answers 404 to every call",
        lasts + TAIL,
        (down(lasts, ONE, error=NOT_FOUND),),
        (outage(traffic, lasts),),
        Behaviour(joins=ONE),
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
    """Every host is replaced, and each process says goodbye."""
    hosts = frozenset({"proxy-0", "proxy-1", "proxy-2"})
    return Scenario(
        "rolling-deploy",
        "all hosts are replaced, each with a goodbye",
        TAIL,
        (Roll(0, 60),),
        (nothing("deploy", 0, 3 * MINUTE, Affected(hosts=hosts)),),
    )


def killed_deploy(traffic: Traffic) -> Scenario:
    """Every host is replaced and no process says goodbye; their names do not come back."""
    hosts = frozenset({"proxy-0", "proxy-1", "proxy-2"})
    must = Must(_LOST, {}, MEDIUM_OR_HIGH, 2 * MINUTE, end_within=40 * MINUTE, messages=6, comes_and_goes=True)
    return Scenario(
        "killed-deploy",
        "all hosts are replaced without a goodbye",
        50 * MINUTE,
        (Roll(0, 60, goodbye=False),),
        (Incident("deploy", 0, 3 * MINUTE, Affected(hosts=hosts), must),),
    )


def late_batches(traffic: Traffic) -> Scenario:
    """One host cannot reach the broker while a deployment is down, and then sends everything at once."""
    lasts = lasting(traffic)
    lost = Must(_LOST, {"host": "proxy-0"}, MEDIUM_OR_HIGH, 2 * MINUTE, end_within=None, messages=3)
    host = Incident("proxy-0", 0, lasts + 5 * MINUTE, Affected(hosts=frozenset({"proxy-0"})), lost)
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
        (outage(traffic, lasts, end_within=20 * MINUTE),),
    )


def clock_change(traffic: Traffic) -> Scenario:
    """The clock of a host jumps 20 minutes ahead and back; nothing else happens."""
    return Scenario(
        "clock-change", "a host's clock jumps 20 min ahead, and back", TAIL, (ClockChange(0, 10 * MINUTE, "proxy-0", 1_200),)
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


CALLS: Final[tuple[Callable[[Traffic], Scenario], ...]] = (
    bad_keys,
    key_limit,
    bad_requests,
    policy,
    poison,
    caller_timeouts,
    single_key,
    batch_job,
    proxy_error,
    hung_calls,
    hung_calls_fail,
    stalled_streams,
    abandoned_streams,
    unpriced,
    cold_start,
    cold_start_broken,
    health_checks,
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
