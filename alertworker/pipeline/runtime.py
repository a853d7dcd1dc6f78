"""Everything the line works with, put together once by the composition root."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from zoneinfo import ZoneInfo

from alertworker import inhibitions
from alertworker.delivery import RetryPolicy
from alertworker.detectors import Policy
from alertworker.detectors.users import UserPolicy
from alertworker.inhibitions import Inhibition
from alertworker.own_budgets import OwnBudget
from alertworker.ports import Channel, Line, Store
from alertworker.routing import Router


@dataclass(frozen=True, slots=True)
class Runtime:
    """``heartbeat`` pings the dead man's switch, each ``heartbeat_seconds``; ``shadow`` does everything but send."""

    store: Store
    line: Line
    channels: Mapping[str, Channel]
    router: Router
    inhibitions: Sequence[Inhibition] = inhibitions.DEFAULTS
    policy: Policy = field(default_factory=Policy)
    users: UserPolicy = field(default_factory=UserPolicy)
    budgets: Sequence[OwnBudget] = ()
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    proxy_url: str | None = None
    heartbeat: Callable[[], None] | None = None
    heartbeat_seconds: float = 60.0
    shadow: bool = False
    #: Log each body that is sent, as LiteLLM's ``log_to_console`` does.
    log_payloads: bool = False
    #: How many values of a dimension the ledger keeps apart on one day.
    max_entities: int = 20_000
    #: How long the ledger is kept.
    retention: timedelta = timedelta(days=400)
