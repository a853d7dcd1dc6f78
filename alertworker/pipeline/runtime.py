"""The ports and settings of the pipeline, built once by the composition root."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from zoneinfo import ZoneInfo

from alertworker.alerts.alert import Subject
from alertworker.alerts.compose import Installation
from alertworker.alerts.message import Message, Step
from alertworker.alerts.suppression import Suppression
from alertworker.budgets.configured import OwnBudget
from alertworker.budgets.user_thresholds import UserPolicy
from alertworker.delivery.channel import Channel
from alertworker.delivery.channel_labels import ChannelLabels
from alertworker.delivery.retry import RetryPolicy
from alertworker.detectors import Policy
from alertworker.ports import Broker, Store
from alertworker.routing import inhibitions
from alertworker.routing.inhibitions import Inhibition
from alertworker.routing.router import Decision, Router


@dataclass(frozen=True, slots=True)
class NotifyOutcome:
    """The decision about one alert, for `Runtime.watch`.

    Without a ``step`` the alert was only counted in its open generation. Without a ``message`` no channel is notified.
    With a ``message``, ``channels`` are notified.
    """

    alert: Subject
    step: Step | None = None
    decision: Decision | None = None
    suppression: Suppression | None = None
    channels: tuple[str, ...] = ()
    message: Message | None = None


@dataclass(frozen=True, slots=True)
class Runtime:
    """The ports, the routing and the settings that every step of the pipeline gets.

    ``heartbeat`` pings the dead man's switch every ``heartbeat_seconds``. With ``shadow`` everything happens except
    sending. ``watch`` is called with every outcome, inside its transaction.
    """

    store: Store
    broker: Broker
    channels: Mapping[str, Channel]
    router: Router
    #: How people see each channel, in messages and in the log.
    labels: ChannelLabels = field(default_factory=ChannelLabels)
    #: The place that configures each channel, for the log.
    places: Mapping[str, str] = field(default_factory=dict)
    inhibitions: Sequence[Inhibition] = inhibitions.DEFAULTS
    policy: Policy = field(default_factory=Policy)
    users: UserPolicy = field(default_factory=UserPolicy)
    budgets: Sequence[OwnBudget] = ()
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    proxy_url: str | None = None
    #: The URL of alertworker's own pages, for links in messages.
    public_url: str | None = None
    #: The channel that also notifies a budget's owners.
    owner_mail: str | None = None
    heartbeat: Callable[[], None] | None = None
    heartbeat_seconds: float = 60.0
    shadow: bool = False
    #: Log each body that is sent, as LiteLLM's ``log_to_console`` does.
    log_payloads: bool = False
    #: How many values of a dimension the ledger stores separately on one day.
    max_entities: int = 20_000
    #: How long the ledger is kept.
    retention: timedelta = timedelta(days=400)
    #: How long closed alerts, settled notifications, dead letters, ended silences and lost publishers are kept.
    record_retention: timedelta = timedelta(days=90)
    watch: Callable[[NotifyOutcome], None] = lambda _outcome: None

    @property
    def installation(self) -> Installation:
        """The facts that all messages share."""
        return Installation(self.proxy_url, self.public_url, self.zone.key)
