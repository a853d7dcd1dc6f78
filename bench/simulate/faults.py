"""The faults: errors as LiteLLM names them, and periods in which attempts fail with them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from alertworker.events import Origin

#: How long an hour, a minute and a day are, in seconds.
MINUTE: Final = 60.0
HOUR: Final = 3_600.0
DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Error:
    """How an attempt fails: after ``seconds``, and whether LiteLLM tries again."""

    error_class: str
    status: int
    message: str
    origin: Origin = Origin.PROVIDER
    seconds: float = 0.4
    retried: bool = True


UNAVAILABLE: Final = Error("ServiceUnavailableError", 503, "The server is overloaded or not ready yet.")
SERVER_ERROR: Final = Error("InternalServerError", 500, "The server had an error while processing the request.")
TIMEOUT: Final = Error("Timeout", 408, "Request timed out after 30.0 seconds.", seconds=30.0)
CONNECTION: Final = Error("APIConnectionError", 500, "Connection error.", seconds=2.0)
RATE_LIMIT: Final = Error("RateLimitError", 429, "Rate limit reached for requests.", seconds=0.2)
UNAUTHORIZED: Final = Error("AuthenticationError", 401, "Incorrect API key provided.", seconds=0.2)
NOT_FOUND: Final = Error("NotFoundError", 404, "The API deployment for this resource does not exist.", seconds=0.2)
BAD_REQUEST: Final = Error(
    "BadRequestError", 400, "Invalid value for 'temperature'.", Origin.CALLER, seconds=0.2, retried=False
)
POLICY: Final = Error(
    "ContentPolicyViolationError",
    400,
    "The response was filtered by the content management policy.",
    Origin.CALLER,
    retried=False,
)
#: Refused by the proxy before any deployment was chosen.
BAD_KEY: Final = Error("ProxyException", 401, "Authentication Error, Invalid proxy server token.", Origin.CALLER, 0.0)
KEY_LIMIT: Final = Error("ProxyException", 429, "Rate limit exceeded for api_key.", Origin.CALLER, 0.0)
BROKEN_PROXY: Final = Error("ImportError", 500, "No module named 'custom_callbacks'.", Origin.PROXY, 0.0)
#: The error of LiteLLM's router when all deployments of a group cool down.
NO_DEPLOYMENTS: Final = Error(
    "RouterRateLimitError", 429, "No deployments available for selected model.", Origin.PROXY, 0.0
)
#: A stream that broke off after its first chunks; never retried.
BROKEN_STREAM: Final = Error("APIConnectionError", 500, "Connection lost mid-stream.", seconds=3.0, retried=False)


class After(StrEnum):
    """The end of a call that hung."""

    FAILS = "fails"
    ANSWERED = "answered"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class Fault:
    """Attempts fail from ``start`` until ``end``, in seconds after the warm-up.

    It is for the calls on ``deployments`` by ``callers`` (aliases of keys); empty means all. ``share`` of the attempts
    fail; with ``ramp`` the share grows from 0 to that. With ``down`` and ``up`` it comes and goes. With ``hang``
    the attempt makes no progress for so many seconds first; ``after`` says how it goes on, and ``chunks`` that it is a
    stream which stalls. ``most`` is how many attempts fail at the most, 0 for all.
    """

    start: float
    end: float
    error: Error = UNAVAILABLE
    deployments: frozenset[str] = frozenset()
    callers: frozenset[str] = frozenset()
    share: float = 1.0
    ramp: bool = False
    down: float = 0.0
    up: float = 0.0
    hang: float = 0.0
    after: After = After.FAILS
    chunks: int = 0
    most: int = 0

    def share_at(self, moment: float) -> float:
        """Return which part of the attempts fail at a moment.

        >>> Fault(0, 100, share=0.5, ramp=True).share_at(50)
        0.25
        """
        if not self.start <= moment < self.end:
            return 0.0
        passed = moment - self.start
        if self.down and passed % (self.down + self.up) >= self.down:
            return 0.0
        return self.share * passed / (self.end - self.start) if self.ramp else self.share


@dataclass(frozen=True, slots=True)
class Load:
    """Calls beside the usual traffic: ``per_minute`` of them on ``group`` by ``callers``, in turn.

    With ``refused`` the proxy refuses each before it is routed. ``most`` is how many there are at the most, 0 for all.
    """

    start: float
    end: float
    group: str
    per_minute: float
    callers: tuple[int, ...]
    refused: Error | None = None
    most: int = 0


@dataclass(frozen=True, slots=True)
class HealthChecks:
    """LiteLLM's background health checks: each deployment every ``every`` seconds; those on ``failing`` fail."""

    start: float
    end: float
    every: float
    failing: frozenset[str]
    error: Error = UNAVAILABLE


@dataclass(frozen=True, slots=True)
class Crash:
    """The process of a host dies without a clean shutdown, every ``every`` seconds, and starts again 5 s later."""

    start: float
    end: float
    host: str
    every: float


@dataclass(frozen=True, slots=True)
class Roll:
    """Hosts are replaced one after the other, ``gap`` seconds apart, by hosts with new names."""

    start: float
    gap: float
    clean: bool = True


@dataclass(frozen=True, slots=True)
class ClockChange:
    """A host's clock is ``ahead`` by so many seconds."""

    start: float
    end: float
    host: str
    ahead: float


@dataclass(frozen=True, slots=True)
class Delay:
    """A host cannot reach the broker: what it published comes all at once at the end."""

    start: float
    end: float
    host: str
