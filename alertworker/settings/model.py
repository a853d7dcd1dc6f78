"""What is in force: one frozen model, complete with its defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from math import ceil
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, InstanceOf, SecretStr, field_validator

from alertworker.alerts.catalogue import CATALOGUE, AlertType
from alertworker.budgets.configured import OwnBudget
from alertworker.budgets.user_thresholds import UserPolicy
from alertworker.channels import ChannelConfig, ConsoleConfig
from alertworker.channels.config import Hosts, Networks
from alertworker.delivery.retry import RetryPolicy
from alertworker.detectors import Policy
from alertworker.money import nanos_from_dollars
from alertworker.outages.windows import Limits, OutagePolicy
from alertworker.reports import Calendar
from alertworker.routing.inhibitions import DEFAULTS, Inhibition
from alertworker.routing.router import Route, Router
from alertworker.routing.time_intervals import DAYS

_RETRY = RetryPolicy()
_FROZEN = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
Interval = Annotated[float, Field(gt=0, le=366 * 86_400)]
Dollars = Annotated[float, Field(ge=0, le=1_000_000_000)]
Whole = Annotated[int, Field(gt=0, le=1_000_000)]


class AlertingArgs(BaseModel):
    """LiteLLM's ``alerting_args``, with the defaults of its alerting page; times in seconds."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    daily_report_frequency: Interval = 43_200
    report_check_interval: Interval = 3_600
    budget_alert_ttl: Interval = 86_400
    outage_alert_ttl: Interval = 60
    region_outage_alert_ttl: Interval = 60
    minor_outage_alert_threshold: Whole = 5
    major_outage_alert_threshold: Whole = 10
    max_outage_alert_list_size: Whole = 1_000
    log_to_console: bool = False
    #: Dollars; ``None`` is off.
    daily_spend_per_user_threshold: Dollars | None = None
    monthly_spend_per_user_threshold: Dollars | None = None
    spend_anomaly_multiplier: Annotated[float, Field(ge=1, le=1_000_000)] = 3.0
    spend_anomaly_baseline_days: Annotated[int, Field(ge=1, le=90)] = 7
    spend_anomaly_min_spend: Dollars = 10.0
    user_spend_check_interval: Annotated[float, Field(ge=60, le=86_400)] = 3_600


class Digest(BaseModel):
    """LiteLLM's ``alert_type_config`` of one type: ``digest_interval`` in seconds."""

    model_config = _FROZEN

    digest: bool = False
    digest_interval: Interval = 86_400


class Retry(BaseModel):
    """How failed deliveries are retried; seconds."""

    model_config = _FROZEN

    first: Interval = _RETRY.first
    factor: Annotated[float, Field(ge=1, le=10)] = _RETRY.factor
    longest: Interval = _RETRY.longest
    deadline: Interval = _RETRY.deadline
    longest_retry_after: Interval = _RETRY.longest_retry_after

    def policy(self) -> RetryPolicy:
        """Give it in the form that decides."""
        return RetryPolicy(**self.model_dump())


class Reports(BaseModel):
    """When reports go out, local time: whole weeks end before ``weekday``; all but the daily one come at ``hour``.

    ``teams`` also get a report of their own, which carries their label ``team``.
    """

    model_config = _FROZEN

    weekday: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] = "monday"
    hour: Annotated[int, Field(ge=0, le=23)] = 9
    teams: tuple[str, ...] = ()


class Settings(BaseModel):
    """Everything the worker reads. ``None`` for an address means the embedded default."""

    model_config = _FROZEN

    broker_url: SecretStr | None = None
    database_url: SecretStr | None = None
    #: May do everything over HTTP; LiteLLM's master key where it is not set.
    api_key: SecretStr | None = None
    #: May only publish over HTTP.
    publish_key: SecretStr | None = None
    http_host: Annotated[str, Field(min_length=1, max_length=253)] = "127.0.0.1"
    http_port: Annotated[int, Field(ge=1, le=65_535)] = 4010
    data_dir: Path = Path("alertworker-data")
    proxy_base_url: str | None = None
    #: Where people reach the pages of `alertworker web`; messages link there.
    public_url: Annotated[str, Field(pattern=r"^https?://[^\s<>|]+$")] | None = None
    langfuse_host: Annotated[str, Field(pattern=r"^https?://")] | None = None
    time_zone: str = "UTC"
    log_format: Literal["text", "json"] = "text"
    alerting_threshold: Annotated[float, Field(gt=0, le=30 * 86_400)] = 300.0
    alert_types: frozenset[AlertType] = frozenset(kind for kind, spec in CATALOGUE.items() if spec.on_by_default)
    alerting_args: AlertingArgs = AlertingArgs()
    alert_type_config: dict[AlertType, Digest] = Field(default_factory=dict)
    budgets: tuple[OwnBudget, ...] = ()
    spend_report_frequency: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,3}d$")] = "7d"
    reports: Reports = Reports()
    #: Beside the counts: which part of a window's attempts must have failed, and how many attempts there must be.
    outage_minimum_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    outage_minimum_traffic: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    #: How many values of a dimension (tags, users, …) the ledger keeps apart on one day; further ones are "(other)".
    spend_max_entities: Whole = 20_000
    #: How many days alerts, notifications, dead letters, silences and publishers are kept when they are over.
    retention_days: Annotated[int, Field(ge=7, le=10_000)] = 90
    #: How many days the ledger is kept; longer than batches may come late.
    spend_retention_days: Annotated[int, Field(ge=62, le=10_000)] = 400
    group_interval: Interval = 300.0
    #: Of what LiteLLM's own alerting says; the proxy's callback, where the messages are, reads the same words itself.
    show_messages: bool = False
    #: Obeyed by the proxy's callback alone, which reads it itself.
    metadata_keys: tuple[str, ...] = ()
    retry: Retry = Retry()
    #: How often to remind of a condition that still holds and that nobody has acknowledged.
    repeat_interval: Interval = 14_400.0
    #: How long the database may be away before people are told, past it.
    store_patience: Interval = 60.0
    shadow: bool = False
    #: Private networks that channels may connect to ("10.0.0.0/8"); all others are refused.
    allowed_networks: Networks = ()
    #: Names of hosts whose private addresses channels may connect to.
    allowed_hosts: Hosts = ()
    heartbeat_url: SecretStr | None = None
    heartbeat_interval: Interval = 60.0
    channels: tuple[InstanceOf[ChannelConfig], ...] = (ConsoleConfig(),)
    receivers: Mapping[str, tuple[str, ...]] = {"default": ("console",)}
    tree: InstanceOf[Route] = Field(default_factory=lambda: Route(receiver="default"))
    inhibitions: tuple[InstanceOf[Inhibition], ...] = DEFAULTS
    warnings: tuple[str, ...] = ()
    #: Where each value came from, by its name.
    origins: dict[str, str] = Field(default_factory=dict)

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError('is not a known time zone; use a name like "Europe/Berlin"') from error
        return name

    def users(self) -> UserPolicy:
        """Give what is told of single users."""
        args = self.alerting_args
        told = AlertType.USER_SPEND_THRESHOLDS in self.alert_types
        daily, monthly = args.daily_spend_per_user_threshold, args.monthly_spend_per_user_threshold
        return UserPolicy(
            daily_nanos=nanos_from_dollars(daily) if told and daily is not None else None,
            monthly_nanos=nanos_from_dollars(monthly) if told and monthly is not None else None,
            anomalies=AlertType.USER_SPEND_ANOMALIES in self.alert_types,
            anomaly_ratio=args.spend_anomaly_multiplier,
            anomaly_days=args.spend_anomaly_baseline_days,
            anomaly_floor_nanos=nanos_from_dollars(args.spend_anomaly_min_spend),
            every=timedelta(seconds=args.user_spend_check_interval),
        )

    def calendar(self) -> Calendar:
        """Give what decides when reports are due."""
        return Calendar(
            zone=ZoneInfo(self.time_zone),
            every_days=int(self.spend_report_frequency.removesuffix("d")),
            weekday=DAYS.index(self.reports.weekday),
            hour=self.reports.hour,
            daily_seconds=max(1, round(self.alerting_args.daily_report_frequency)),
        )

    def policy(self) -> Policy:
        """Give what detectors judge by."""
        args = self.alerting_args
        deployment = Limits(
            seconds=ceil(args.outage_alert_ttl),
            minor=args.minor_outage_alert_threshold,
            major=args.major_outage_alert_threshold,
            share=self.outage_minimum_share,
            traffic=self.outage_minimum_traffic,
        )
        return Policy(
            threshold_seconds=self.alerting_threshold,
            outages=OutagePolicy(
                deployment=deployment,
                region=replace(deployment, seconds=ceil(args.region_outage_alert_ttl), deployments=2),
                max_details=args.max_outage_alert_list_size,
            ),
            langfuse_host=self.langfuse_host,
        )

    def router(self) -> Router:
        """Give what decides where an alert goes."""
        return Router(
            root=self.tree,
            receivers=self.receivers,
            types=self.alert_types,
            group_interval=self.group_interval,
            repeat_interval=self.repeat_interval,
            digests={AlertType.FAILED_TRACKING_SPEND: self.alerting_args.budget_alert_ttl}  # as LiteLLM has it
            | {kind: spec.digest_interval for kind, spec in self.alert_type_config.items() if spec.digest},
            repeats={AlertType.BUDGET_ALERTS: self.alerting_args.budget_alert_ttl},
            zone=ZoneInfo(self.time_zone),
        )
