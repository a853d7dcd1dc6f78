"""Everything the line works with, put together once by the composition root."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from alertworker.alerts import AlertType
from alertworker.delivery import RetryPolicy
from alertworker.detectors import Policy
from alertworker.ports import Channel, Line, Store


@dataclass(frozen=True, slots=True)
class Runtime:
    """``route`` names the channels of a type (none: recorded and counted only); ``group_interval`` is in seconds."""

    store: Store
    line: Line
    channels: Mapping[str, Channel]
    route: Callable[[AlertType], tuple[str, ...]]
    group_interval: Callable[[AlertType], float]
    policy: Policy = field(default_factory=Policy)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    proxy_url: str | None = None
