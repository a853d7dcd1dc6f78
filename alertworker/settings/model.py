"""The settings in force: one frozen model, complete with its defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from math import ceil
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, InstanceOf, SecretStr

from alertworker.alerts.catalogue import CATALOGUE, AlertType
from alertworker.budgets.user_thresholds import UserPolicy
from alertworker.channels.config import ChannelConfig
from alertworker.channels.console import ConsoleConfig
from alertworker.channels.owner_mail import build_owner_mail
from alertworker.delivery.channel_labels import ChannelLabels, is_hashed, label_channels
from alertworker.detectors import Policy
from alertworker.money import nanos_from_dollars
from alertworker.outages.policy import Limits, OutagePolicy
from alertworker.reports import Calendar
from alertworker.routing.inhibitions import DEFAULTS, Inhibition
from alertworker.routing.router import Route, Router
from alertworker.routing.time_intervals import DAYS
from alertworker.settings.values import ENVIRONMENT, Values
from alertworker.text.format import read_duration


class Settings(Values):
    """Everything the worker reads: the keys that are in force as they are written, and what was compiled."""

    api_key: Annotated[SecretStr | None, ENVIRONMENT] = None
    """Allows everything over HTTP. LiteLLM's master key if not set."""
    publish_key: Annotated[SecretStr | None, ENVIRONMENT] = None
    """Allows publishing over HTTP, and nothing else."""
    proxy_base_url: str | None = None
    alert_types: frozenset[AlertType] = frozenset(
        alert_type for alert_type, spec in CATALOGUE.items() if spec.on_by_default
    )
    channels: tuple[InstanceOf[ChannelConfig], ...] = (ConsoleConfig(),)
    places: Mapping[str, str] = Field(default_factory=dict)
    """The file and line, or the variable, that configures each channel, by the channel's name."""
    short_places: Mapping[str, str] = Field(default_factory=dict)
    """The same without the path of the key in the file."""
    receivers: Mapping[str, tuple[str, ...]] = {"default": ("console",)}
    selectable: frozenset[str] = frozenset()
    tree: InstanceOf[Route] = Field(default_factory=lambda: Route(receiver="default"))
    inhibitions: tuple[InstanceOf[Inhibition], ...] = DEFAULTS
    warnings: tuple[str, ...] = ()
    origins: dict[str, str] = Field(default_factory=dict)
    """The origin of each value, by its name."""

    @property
    def channel_labels(self) -> ChannelLabels:
        """How people see the channels, including the one that writes to budgets' owners."""
        hashed = {config.name for config in self.channels if is_hashed(config.name, config.kind)}
        places = {name: (self.short_places[name], self.places[name]) for name in hashed & self.short_places.keys()}
        labels = label_channels([config.name for config in self.channels], places)
        owners = build_owner_mail(self.channels)
        if owners is not None:
            labels[owners.name] = f"{labels[owners.mail_channel]}-owners"
        return ChannelLabels(labels)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which days begin and times are shown."""
        return ZoneInfo(self.time_zone)

    def users(self) -> UserPolicy:
        """Return the thresholds of single users' spend."""
        args = self.alerting_args
        thresholds_on = AlertType.USER_SPEND_THRESHOLDS in self.alert_types
        daily, monthly = args.daily_spend_per_user_threshold, args.monthly_spend_per_user_threshold
        return UserPolicy(
            daily_nanos=nanos_from_dollars(daily) if thresholds_on and daily is not None else None,
            monthly_nanos=nanos_from_dollars(monthly) if thresholds_on and monthly is not None else None,
            anomalies=AlertType.USER_SPEND_ANOMALIES in self.alert_types,
            anomaly_ratio=args.spend_anomaly_multiplier,
            anomaly_days=args.spend_anomaly_baseline_days,
            anomaly_floor_nanos=nanos_from_dollars(args.spend_anomaly_min_spend),
            every=timedelta(seconds=args.user_spend_check_interval),
        )

    def calendar(self) -> Calendar:
        """Return the calendar that reports are due by."""
        return Calendar(
            zone=self.zone,
            every_days=read_duration(self.spend_report_frequency).days,
            weekday=DAYS.index(self.reports.weekday),
            hour=self.reports.hour,
            daily_seconds=max(1, round(self.alerting_args.daily_report_frequency)),
        )

    def policy(self) -> Policy:
        """Return the policy of the detectors."""
        args = self.alerting_args
        deployment = Limits(
            seconds=ceil(args.outage_alert_ttl),
            minor=args.minor_outage_alert_threshold,
            major=args.major_outage_alert_threshold,
            share=self.outage_minimum_share,
            traffic=self.outage_minimum_traffic,
            tolerated=self.outage_tolerated_error_rate,
        )
        return Policy(
            threshold_seconds=self.alerting_threshold,
            outages=OutagePolicy(
                deployment=deployment,
                region=replace(deployment, seconds=ceil(args.region_outage_alert_ttl), deployments=2),
                max_details=args.max_outage_alert_list_size,
            ),
            langfuse_host=self.langfuse_host,
            zone=self.zone,
        )

    def router(self) -> Router:
        """Return the router of alerts to channels."""
        return Router(
            root=self.tree,
            receivers=self.receivers,
            selectable=self.selectable,
            types=self.alert_types,
            group_interval=self.group_interval,
            repeat_interval=self.repeat_interval,
            digests={AlertType.FAILED_TRACKING_SPEND: self.alerting_args.budget_alert_ttl}  # as LiteLLM has it
            | {alert_type: spec.digest_interval for alert_type, spec in self.alert_type_config.items() if spec.digest},
            repeats={AlertType.BUDGET_ALERTS: self.alerting_args.budget_alert_ttl},
            annotations={alert_type: config.compiled() for alert_type, config in self.annotations.items()},
            zone=self.zone,
        )
