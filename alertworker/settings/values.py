"""The keys that are in force as they are written, each with its type, its default and its description.

`FileConfig` and `Settings` both inherit them, so that each key stands here once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)

from alertworker.alerts.advice import Annotations
from alertworker.alerts.catalogue import AlertType
from alertworker.budgets.configured import OwnBudget
from alertworker.channels.config import Hosts, Networks
from alertworker.delivery.retry import RetryPolicy
from alertworker.host.addresses import BROKER_SCHEMES, DATABASE_SCHEMES, address_problem
from alertworker.settings.problems import NumberUnit, nearest

_RETRY = RetryPolicy()
#: Marks a key that the environment variable ``ALERTWORKER_<KEY>`` overrides.
ENVIRONMENT: Final = object()


def _alert_type(name: object) -> object:
    known = [alert_type.value for alert_type in AlertType]
    if isinstance(name, str) and name not in known:
        raise ValueError(f"unknown alert type {name!r}{nearest(name, known)}")
    return name


def _listed(value: object) -> object:
    """Return the parts of a list with commas, as a variable of the environment has it."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # the name of a folder of zones is an OSError
        raise ValueError(f"unknown time zone {name!r}; expected, for example, Europe/Berlin") from None
    return name


def _address(schemes: tuple[str, ...]) -> AfterValidator:
    def check(address: SecretStr) -> SecretStr:
        stripped = address.get_secret_value().strip()
        if (problem := address_problem(stripped, schemes)) is not None:
            raise ValueError(problem)
        return SecretStr(stripped)

    return AfterValidator(check)


#: Marks a number of seconds, for errors.
SECONDS: Final = NumberUnit("seconds", "300")
Interval = Annotated[float, Field(gt=0, le=366 * 86_400), SECONDS]
Dollars = Annotated[float, Field(ge=0, le=1_000_000_000), NumberUnit("dollars", "100")]
Whole = Annotated[int, Field(gt=0, le=1_000_000)]
TypeName = Annotated[AlertType, BeforeValidator(_alert_type)]
ZoneName = Annotated[str, AfterValidator(_zone)]
PublicUrl = Annotated[str, Field(pattern=r"^https?://[^\s<>|]+$")]
HostUrl = Annotated[str, Field(pattern=r"^https?://")]
BrokerAddress = Annotated[SecretStr, _address(BROKER_SCHEMES)]
DatabaseAddress = Annotated[SecretStr, _address(DATABASE_SCHEMES)]
_FROZEN = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)


class FileModel(BaseModel):
    """A mapping of the file. Unknown keys are errors; a key without a value counts as left out."""

    model_config = _FROZEN

    @field_validator("*", mode="before")
    @classmethod
    def _left_out(cls, value: object, info: ValidationInfo) -> object:
        field = cls.model_fields[str(info.field_name)]
        if value is not None or field.is_required():
            return value
        return field.get_default(call_default_factory=True)


class AnnotationsConfig(FileModel):
    """The operator's texts in messages about alerts."""

    runbook_url: Annotated[PublicUrl | None, Field(examples=["https://wiki.example.com/llm-outage"])] = None
    """URL of a page with instructions. Messages link to it."""
    note: Annotated[str | None, Field(min_length=1, max_length=500)] = None
    """The advice, in place of the line that alertworker has for the alert type and severity."""

    def compiled(self) -> Annotations:
        """Return the annotations that messages have."""
        return Annotations(self.note, self.runbook_url)


class AlertingArgs(BaseModel):
    """LiteLLM's ``alerting_args``, with the defaults of its alerting page. Unknown keys are ignored."""

    model_config = _FROZEN | ConfigDict(extra="ignore")

    daily_report_frequency: Interval = 43_200
    """Seconds between daily reports. The day starts again at midnight."""
    report_check_interval: Interval = 3_600
    """Seconds after which a report is marked as late."""
    budget_alert_ttl: Interval = 86_400
    """Seconds between two alerts about a crossed budget with new spend, and of the digest of calls without a price."""
    outage_alert_ttl: Interval = 60
    """Seconds in which failed calls on a deployment count together."""
    region_outage_alert_ttl: Interval = 60
    """Seconds in which failed calls in a region count together."""
    minor_outage_alert_threshold: Whole = 5
    """Number of failed calls from which an outage is minor."""
    major_outage_alert_threshold: Whole = 10
    """Number of failed calls from which an outage is major."""
    max_outage_alert_list_size: Whole = 1_000
    """Number of failed calls of an outage that are stored one by one. All are counted."""
    log_to_console: bool = False
    """Log the body of each message, at level warning, to alertworker.alerts."""
    slack_budget_alert_key_aliases: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] | None = None
    """Patterns of key aliases, such as github-*. Slack gets budget alerts only of these keys. Not set: of all."""
    daily_spend_per_user_threshold: Dollars | None = None
    """Dollars a day from which a user's spend is an alert. Off by default."""
    monthly_spend_per_user_threshold: Dollars | None = None
    """Dollars a month from which a user's spend is an alert. Off by default."""
    spend_anomaly_multiplier: Annotated[float, Field(ge=1, le=1_000_000)] = 3.0
    """For user_spend_anomalies: ratio of a day's spend to the mean of the days before."""
    spend_anomaly_baseline_days: Annotated[int, Field(ge=1, le=90)] = 7
    """For user_spend_anomalies: number of days before that make the mean."""
    spend_anomaly_min_spend: Dollars = 10.0
    """For user_spend_anomalies: dollars a day below which nothing is an anomaly."""
    user_spend_check_interval: Annotated[float, Field(ge=60, le=86_400), SECONDS] = 3_600
    """Seconds between two checks of users' spend."""


class Digest(BaseModel):
    """LiteLLM's ``alert_type_config`` of one alert type."""

    model_config = _FROZEN

    digest: bool = False
    """Summarize the occurrences of this type in one message per digest_interval."""
    digest_interval: Interval = 86_400
    """Seconds between two summaries."""


class Retry(BaseModel):
    """How failed deliveries are retried."""

    model_config = _FROZEN

    first: Interval = _RETRY.first
    """Seconds before the first retry."""
    factor: Annotated[float, Field(ge=1, le=10)] = _RETRY.factor
    """Each further retry waits this many times longer."""
    longest: Interval = _RETRY.longest
    """Seconds between two retries, at most."""
    deadline: Interval = _RETRY.deadline
    """Seconds after which a message that was never delivered is a dead letter."""
    longest_retry_after: Interval = _RETRY.longest_retry_after
    """Seconds that a receiver's Retry-After can ask for, at most."""

    def policy(self) -> RetryPolicy:
        """Return the policy that the delivery decides by."""
        return RetryPolicy(**self.model_dump())


class Reports(BaseModel):
    """When reports are sent, in the configured time zone."""

    model_config = _FROZEN

    weekday: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] = "monday"
    """Reports of whole weeks end before this day."""
    hour: Annotated[int, Field(ge=0, le=23)] = 9
    """Hour at which all reports but the daily one are sent."""
    teams: tuple[str, ...] = ()
    """Ids of the teams that get a report of their own, labelled with the team."""


class LiteLLMValues(FileModel):
    """LiteLLM's keys that are in force as they are written."""

    alerting_threshold: Annotated[float, Field(gt=0, le=30 * 86_400), SECONDS, ENVIRONMENT] = 300.0
    """Seconds from which a call is slow, or hangs."""
    alerting_args: AlertingArgs = AlertingArgs()
    """Thresholds and times of LiteLLM's alerting."""
    alert_type_config: dict[TypeName, Digest] = Field(default_factory=dict)
    """Digests, by alert type."""
    spend_report_frequency: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,3}d$", examples=["7d"])] = "7d"
    """Number of days that a spend report covers: 1d, 7d, any number."""


class AllowedAddressKeys(FileModel):
    """Private addresses that channels can connect to."""

    allowed_networks: Annotated[Networks, Field(examples=['["10.0.0.0/8"]'])] = ()
    """Private networks that channels can connect to. All others are refused."""
    allowed_hosts: Annotated[Hosts, Field(examples=['["chat.corp.example", "*.alerts.corp.example"]'])] = ()
    """Host names whose private addresses channels can connect to."""

    def allowed(self) -> dict[str, object]:
        """Return both by name, as channels have them."""
        return self.model_dump(include=set(AllowedAddressKeys.model_fields))


class Values(LiteLLMValues, AllowedAddressKeys):
    """All keys that are in force as they are written. ``None`` for a URL means the embedded default."""

    broker_url: Annotated[BrokerAddress | None, ENVIRONMENT] = None
    """URL of the broker: redis, rediss, redis+socket, amqp or amqps. Embedded by default."""
    database_url: Annotated[DatabaseAddress | None, ENVIRONMENT] = None
    """URL of the database: postgresql or sqlite. Embedded by default."""
    data_dir: Annotated[Path, ENVIRONMENT] = Path("alertworker-data")
    """Folder of the embedded broker and database, of the spool, and of the outage marker."""
    http_host: Annotated[str, Field(min_length=1, max_length=253), ENVIRONMENT] = "127.0.0.1"
    """Address on which `alertworker web` listens."""
    http_port: Annotated[int, Field(ge=1, le=65_535), ENVIRONMENT] = 4010
    """Port on which `alertworker web` listens."""
    http_hosts: Annotated[
        Hosts, BeforeValidator(_listed), Field(examples=['["alertworker.internal"]']), ENVIRONMENT
    ] = ()
    """Host names under which `alertworker web` answers, besides its addresses and the host of public_url."""
    trusted_proxies: Annotated[Networks, BeforeValidator(_listed), Field(examples=['["10.0.0.0/8"]']), ENVIRONMENT] = ()
    """Networks of the proxies whose X-Forwarded-For and X-Forwarded-Proto headers count. All others are ignored."""
    http_events_per_second: Annotated[int, Field(ge=0, le=1_000_000), ENVIRONMENT] = 5_000
    """Number of events a second that one address can post to /v1/events, on average over a minute. 0: any number."""
    http_names_per_hour: Annotated[int, Field(ge=0, le=1_000_000), ENVIRONMENT] = 20_000
    """Number of values of a field, such as model or key, that one address can use in an hour. 0: any number."""
    public_url: Annotated[PublicUrl | None, Field(examples=["https://alerts.example.com"]), ENVIRONMENT] = None
    """URL under which people reach `alertworker web`. Messages link to it."""
    langfuse_host: Annotated[HostUrl | None, Field(examples=["https://cloud.langfuse.com"])] = None
    """URL of Langfuse. Alerts about calls link to the call's trace there."""
    time_zone: Annotated[ZoneName, ENVIRONMENT] = "UTC"
    """Time zone in which days begin and times are shown. LiteLLM's litellm_settings.timezone is the default."""
    log_format: Annotated[Literal["text", "json"], ENVIRONMENT] = "text"
    """Form of the log lines."""
    group_interval: Annotated[Interval, ENVIRONMENT] = 300.0
    """Seconds between a first message and the summary of what followed."""
    repeat_interval: Interval = 14_400.0
    """Seconds between two reminders of a condition that still fires and is not acknowledged."""
    annotations: Annotated[
        dict[TypeName, AnnotationsConfig], Field(examples=["{outage_alerts: {note: Call the platform team.}}"])
    ] = Field(default_factory=dict)
    """The advice, and the URL of a runbook, by alert type."""
    budgets: tuple[OwnBudget, ...] = ()
    """Budgets for entities of the ledger. They notify and enforce nothing."""
    reports: Reports = Reports()
    """When reports are sent, and which teams get their own."""
    retry: Retry = Retry()
    """When failed deliveries are retried."""
    outage_minimum_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of the calls that must have failed for an outage, besides the counts. 0: only the counts, as in LiteLLM."""
    outage_minimum_traffic: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Number of calls that a window must have for an outage. 0 requires none."""
    outage_tolerated_error_rate: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Error rate up to which failed calls may be chance. Not used if outage_minimum_share is 0."""
    spend_max_entities: Whole = 20_000
    """Number of values of a dimension that the ledger keeps apart on one day. Further ones are "(other)"."""
    retention_days: Annotated[int, Field(ge=7, le=10_000)] = 90
    """Days that closed alerts, notifications, dead letters, silences and publishers are kept."""
    spend_retention_days: Annotated[int, Field(ge=62, le=10_000)] = 400
    """Days that the ledger is kept."""
    store_patience: Interval = 60.0
    """Seconds that the database can be away before beat notifies the channels directly."""
    shadow: Annotated[bool, ENVIRONMENT] = False
    """Dry run on real traffic: do everything except send."""
    show_messages: Annotated[bool, ENVIRONMENT] = False
    """Let the first 100 characters of a call's messages leave the proxy. The callback reads this key itself."""
    metadata_keys: tuple[str, ...] = ()
    """Keys of team and key metadata that can leave the proxy. Only the callback reads this key."""
    heartbeat_url: Annotated[SecretStr | None, ENVIRONMENT] = None
    """URL of a dead man's switch that is called while the pipeline works."""
    heartbeat_interval: Interval = 60.0
    """Seconds between two calls of heartbeat_url."""
