"""Trouble that one caller has or makes, and the proxy's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from alertworker.alerts.catalogue import AlertType
from bench.simulate.calls import Behaviour
from bench.simulate.faults import (
    BAD_KEY,
    BAD_REQUEST,
    BROKEN_PROXY,
    KEY_LIMIT,
    MINUTE,
    POLICY,
    RATE_LIMIT,
    SERVER_ERROR,
    TIMEOUT,
    Error,
    Fault,
    Load,
)
from bench.simulate.labels import (
    HIGH,
    LOW,
    ONE,
    ONLY,
    OUTAGE,
    TAIL,
    alias,
    down,
    lasting,
    nothing,
    outage,
)
from bench.simulate.scenario import LONG_WINDOW, WINDOW, Affected, Incident, Must, Scenario, Traffic

#: A caller of the scenarios; it makes no other calls.
_CALLER: Final = 301


def _many(traffic: Traffic, high: float, low: float) -> float:
    """Return calls a minute."""
    return high if traffic is Traffic.HIGH else low


def _storm(traffic: Traffic, name: str, what: str, error: Error, *, refused: bool) -> Scenario:
    """Return many calls of one caller that fail by its own fault: they must not page."""
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
    """Prompts of one caller make every deployment fail; the calls of all others work."""
    lasts = 30 * MINUTE
    load = Load(0, lasts, "gpt-4o", _many(traffic, 24, 1.2), (_CALLER,))
    fault = Fault(0, lasts, SERVER_ERROR, callers=frozenset({alias(_CALLER)}))
    touched = frozenset({"gpt-4o", "claude-sonnet"})
    affected = Affected(callers=frozenset({alias(_CALLER)}), touched=touched)
    types = frozenset(AlertType) - {AlertType.LLM_EXCEPTIONS}
    must = Must(types, {"key": alias(_CALLER)}, LOW, 25 * MINUTE, end_within=None)
    incident = Incident("poison", 0, lasts, affected, must, grace=10 * MINUTE)
    return Scenario(
        "poison", "every call of one key makes the provider fail (500)", lasts + TAIL, (load, fault), (incident,)
    )


def _timeouts(name: str, what: str, calls: int) -> Scenario:
    """Return calls of one caller that time out, each on several deployments; no other caller's do."""
    load = Load(0, 5 * MINUTE, "gpt-4o", 6, (_CALLER,), most=calls)
    fault = Fault(0, 10 * MINUTE, TIMEOUT, callers=frozenset({alias(_CALLER)}))
    affected = Affected(callers=frozenset({alias(_CALLER)}), touched=frozenset({"gpt-4o", "claude-sonnet"}))
    return Scenario(name, what, TAIL, (load, fault), (nothing("timeouts", 0, 5 * MINUTE, affected),))


def caller_timeouts_two(traffic: Traffic) -> Scenario:
    """Retries and fallbacks make twelve failed attempts of two calls."""
    return _timeouts("caller-timeouts-two", "two calls of one key time out, with all their retries", 2)


def caller_timeouts(traffic: Traffic) -> Scenario:
    """Retries and fallbacks make 36 failed attempts of six calls."""
    return _timeouts("caller-timeouts", "six calls of one key time out, with all their retries", 6)


def busy_caller(traffic: Traffic) -> Scenario:
    """A key that made few calls before makes 90 % of them, and most failures of an outage are its own by chance."""
    lasts = 30 * MINUTE
    load = Load(0, lasts + TAIL, "o3", _many(traffic, 108, 5.4), (_CALLER,))
    fields = {"within": 20 * MINUTE, "after_failures": 13, "end_within": 20 * MINUTE, "older_by": LONG_WINDOW}
    return Scenario(
        "busy-caller",
        "20 % of a deployment's attempts fail; one key makes 90 % of the calls, and made few before",
        lasts + TAIL,
        (down(lasts, ONLY, share=0.2), load),
        (outage(traffic, lasts, ONLY, **fields),),
        warm_up=_many(traffic, 60, 180) * MINUTE,
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
    """The proxy fails by itself before it routes: no other event shows it."""
    lasts = lasting(traffic)
    load = Load(0, lasts, "gpt-4o", _many(traffic, 60, 10), tuple(range(30)), BROKEN_PROXY)
    # A third of the model's calls are lost.
    must = Must(OUTAGE | {AlertType.LLM_EXCEPTIONS}, {"deployment": None}, HIGH, WINDOW, end_within=None)
    affected = Affected(models=frozenset({"gpt-4o"}), touched=frozenset({"gpt-4o"}))
    incident = Incident("proxy", 0, lasts, affected, must, grace=10 * MINUTE)
    return Scenario(
        "proxy-error", "the proxy answers 500 to some calls before it routes", lasts + TAIL, (load,), (incident,)
    )


def unpriced(traffic: Traffic) -> Scenario:
    """A model has no price from some moment on."""
    lasts = 60 * MINUTE
    types = frozenset({AlertType.FAILED_TRACKING_SPEND})
    must = Must(types, {"model": "gemini-flash"}, HIGH, 5 * MINUTE, end_within=None)
    affected = Affected(touched=frozenset({"gemini-flash"}))
    return Scenario(
        "unpriced",
        "a model's calls have no price",
        lasts,
        (),
        (Incident("gemini-flash", 0, lasts, affected, must),),
        Behaviour(unpriced="gemini-flash"),
    )


CALLERS: Final[tuple[Callable[[Traffic], Scenario], ...]] = (
    bad_keys,
    key_limit,
    bad_requests,
    policy,
    poison,
    caller_timeouts_two,
    caller_timeouts,
    busy_caller,
    single_key,
    batch_job,
    proxy_error,
    unpriced,
)
