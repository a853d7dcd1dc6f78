"""The types of alert, and what all alerts of a type share: default, severity, kind, identity and window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Severity(StrEnum):
    """The severity. The values are the levels that LiteLLM prints, so that filters on them keep working."""

    LOW = "Low"
    MEDIUM = "Medium"
    HIGH = "High"

    @property
    def rank(self) -> int:
        """The order of severities: 0 for the lowest."""
        return list(Severity).index(self)


class AlertKind(StrEnum):
    """A notice happens once; a condition fires and later resolves."""

    NOTICE = "notice"
    CONDITION = "condition"


class OutageScope(StrEnum):
    """The value of the label ``scope`` of an outage that is not one of a deployment or region."""

    PROVIDER = "provider"
    MODEL = "model"
    CREDENTIAL = "credential"


class AlertType(StrEnum):
    """The names that people write into ``alert_types`` and ``alert_to_webhook_url``."""

    LLM_EXCEPTIONS = "llm_exceptions"
    LLM_TOO_SLOW = "llm_too_slow"
    LLM_REQUESTS_HANGING = "llm_requests_hanging"
    OUTAGE_ALERTS = "outage_alerts"
    REGION_OUTAGE_ALERTS = "region_outage_alerts"
    COOLDOWN_DEPLOYMENT = "cooldown_deployment"
    NEW_MODEL_ADDED = "new_model_added"
    MODEL_DEPRECATION_WARNINGS = "model_deprecation_warnings"
    FALLBACK_REPORTS = "fallback_reports"
    BUDGET_ALERTS = "budget_alerts"
    SPEND_REPORTS = "spend_reports"
    FAILED_TRACKING_SPEND = "failed_tracking_spend"
    DAILY_REPORTS = "daily_reports"
    USER_SPEND_THRESHOLDS = "user_spend_thresholds"
    USER_SPEND_ANOMALIES = "user_spend_anomalies"
    DB_EXCEPTIONS = "db_exceptions"
    MCP_TOOL_DESCRIPTION_BLOCKED = "mcp_tool_description_blocked"
    MCP_PINNED_TOOLS_CHANGED = "mcp_pinned_tools_changed"
    NEW_VIRTUAL_KEY_CREATED = "new_virtual_key_created"
    VIRTUAL_KEY_UPDATED = "virtual_key_updated"
    VIRTUAL_KEY_DELETED = "virtual_key_deleted"
    NEW_TEAM_CREATED = "new_team_created"
    TEAM_UPDATED = "team_updated"
    TEAM_DELETED = "team_deleted"
    NEW_INTERNAL_USER_CREATED = "new_internal_user_created"
    INTERNAL_USER_UPDATED = "internal_user_updated"
    INTERNAL_USER_DELETED = "internal_user_deleted"
    #: Ours: changes that LiteLLM's own alerting does not cover.
    VIRTUAL_KEY_REGENERATED = "virtual_key_regenerated"
    VIRTUAL_KEY_BLOCKED = "virtual_key_blocked"
    VIRTUAL_KEY_UNBLOCKED = "virtual_key_unblocked"
    TEAM_BLOCKED = "team_blocked"
    TEAM_UNBLOCKED = "team_unblocked"
    TEAM_MEMBER_ADDED = "team_member_added"
    TEAM_MEMBER_REMOVED = "team_member_removed"
    #: Ours: LiteLLM's own alerting sent an alert of an unknown type.
    UNKNOWN = "unknown"
    #: Ours: calls of one caller's key fail on deployments that answer the calls of other keys.
    CALLER_ERRORS = "caller_errors"
    #: Ours: a proxy process stopped sending heartbeats without a clean shutdown, with the calls it had announced.
    PUBLISHER_LOST = "publisher_lost"
    #: Ours: a proxy is running and publishes nothing, while other proxies do.
    PUBLISHER_SILENT = "publisher_silent"
    #: Ours: a receiver rejects our messages permanently, or has not accepted any for a while.
    CHANNEL_BROKEN = "channel_broken"
    #: Ours: the database is unreachable. This alert is sent without it.
    STORE_AWAY = "store_away"


#: The label of an alert that LiteLLM's own alerting raised. Such an alert is a notice, whatever its type.
RELAYED: Final = "relayed_from"


@dataclass(frozen=True, slots=True)
class AlertSpec:
    """The properties that all alerts of a type share, if we raise them ourselves.

    ``severity`` is the initial one. ``identity`` names the identifying labels. It is empty for an alert that is sent
    without the store: each host sends its own. An alert of LiteLLM's own alerting is identified by the labels in
    `_RELAYED` and its host instead, whatever its type. ``window`` is the setting for the time over which an alert of
    this type is judged, or after which a notice without another occurrence is over. It is ``None`` if there is no
    such setting.
    """

    on_by_default: bool
    severity: Severity
    kind: AlertKind
    identity: tuple[str, ...]
    window: str | None = None


_ON, _OFF = True, False


_LOW, _MEDIUM, _HIGH = Severity.LOW, Severity.MEDIUM, Severity.HIGH


_NOTICE, _CONDITION = AlertKind.NOTICE, AlertKind.CONDITION


#: A notice is over after this time without another occurrence.
_QUIET: Final = "group_interval"


_CALL: Final = ("model", "deployment")


_REPORT: Final = ("report", "period", "until")


_RELAYED: Final = (RELAYED, "what")


#: Changes by a person.
_CHANGED: Final = AlertSpec(_OFF, _HIGH, _NOTICE, ("entity", "by"), _QUIET)


#: Defaults and levels are those of LiteLLM's alerting page. A type takes effect only if something raises it.
CATALOGUE: Final[Mapping[AlertType, AlertSpec]] = {
    AlertType.LLM_EXCEPTIONS: AlertSpec(_ON, _LOW, _NOTICE, (*_CALL, "error", "status", "origin"), _QUIET),
    AlertType.LLM_TOO_SLOW: AlertSpec(_ON, _LOW, _NOTICE, _CALL, _QUIET),
    AlertType.LLM_REQUESTS_HANGING: AlertSpec(_ON, _MEDIUM, _CONDITION, ("model",), "alerting_threshold"),
    AlertType.OUTAGE_ALERTS: AlertSpec(_ON, _MEDIUM, _CONDITION, ("deployment",), "outage_alert_ttl"),
    AlertType.REGION_OUTAGE_ALERTS: AlertSpec(
        _ON, _MEDIUM, _CONDITION, ("provider", "region"), "region_outage_alert_ttl"
    ),
    AlertType.COOLDOWN_DEPLOYMENT: AlertSpec(_ON, _LOW, _NOTICE, ("deployment",), _QUIET),
    AlertType.NEW_MODEL_ADDED: AlertSpec(_ON, _LOW, _NOTICE, _CHANGED.identity, _QUIET),
    AlertType.MODEL_DEPRECATION_WARNINGS: AlertSpec(_ON, _MEDIUM, _NOTICE, _RELAYED, _QUIET),
    AlertType.FALLBACK_REPORTS: AlertSpec(_ON, _LOW, _NOTICE, _REPORT),
    AlertType.BUDGET_ALERTS: AlertSpec(_ON, _HIGH, _CONDITION, ("budget", "entity", "period")),
    AlertType.SPEND_REPORTS: AlertSpec(_ON, _LOW, _NOTICE, _REPORT, "spend_report_frequency"),
    AlertType.FAILED_TRACKING_SPEND: AlertSpec(_ON, _HIGH, _NOTICE, ("model", "provider"), "budget_alert_ttl"),
    AlertType.DAILY_REPORTS: AlertSpec(_ON, _LOW, _NOTICE, _REPORT, "daily_report_frequency"),
    AlertType.USER_SPEND_THRESHOLDS: AlertSpec(_ON, _HIGH, _NOTICE, ("user", "period")),
    AlertType.USER_SPEND_ANOMALIES: AlertSpec(_OFF, _HIGH, _NOTICE, ("user", "period"), "spend_anomaly_baseline_days"),
    AlertType.DB_EXCEPTIONS: AlertSpec(_ON, _HIGH, _NOTICE, _RELAYED, _QUIET),
    AlertType.MCP_TOOL_DESCRIPTION_BLOCKED: AlertSpec(_ON, _MEDIUM, _NOTICE, _RELAYED, _QUIET),
    AlertType.MCP_PINNED_TOOLS_CHANGED: AlertSpec(_ON, _MEDIUM, _NOTICE, _RELAYED, _QUIET),
    AlertType.NEW_VIRTUAL_KEY_CREATED: _CHANGED,
    AlertType.VIRTUAL_KEY_UPDATED: _CHANGED,
    AlertType.VIRTUAL_KEY_DELETED: _CHANGED,
    AlertType.NEW_TEAM_CREATED: _CHANGED,
    AlertType.TEAM_UPDATED: _CHANGED,
    AlertType.TEAM_DELETED: _CHANGED,
    AlertType.NEW_INTERNAL_USER_CREATED: _CHANGED,
    AlertType.INTERNAL_USER_UPDATED: _CHANGED,
    AlertType.INTERNAL_USER_DELETED: _CHANGED,
    AlertType.VIRTUAL_KEY_REGENERATED: _CHANGED,
    AlertType.VIRTUAL_KEY_BLOCKED: _CHANGED,
    AlertType.VIRTUAL_KEY_UNBLOCKED: _CHANGED,
    AlertType.TEAM_BLOCKED: _CHANGED,
    AlertType.TEAM_UNBLOCKED: _CHANGED,
    AlertType.TEAM_MEMBER_ADDED: _CHANGED,
    AlertType.TEAM_MEMBER_REMOVED: _CHANGED,
    AlertType.UNKNOWN: AlertSpec(_ON, _MEDIUM, _NOTICE, (*_RELAYED, "said"), _QUIET),
    AlertType.CALLER_ERRORS: AlertSpec(_ON, _LOW, _CONDITION, ("entity",), "outage_alert_ttl"),
    AlertType.PUBLISHER_LOST: AlertSpec(_ON, _MEDIUM, _CONDITION, ("host", "integration")),
    AlertType.PUBLISHER_SILENT: AlertSpec(_ON, _MEDIUM, _CONDITION, ("host", "integration")),
    AlertType.CHANNEL_BROKEN: AlertSpec(_ON, _HIGH, _CONDITION, ("channel",)),
    AlertType.STORE_AWAY: AlertSpec(_ON, _HIGH, _CONDITION, (), "store_patience"),
}


#: Types that LiteLLM's ``alert_types`` cannot name, so its list does not disable them.
OURS: Final = frozenset(
    {
        AlertType.CALLER_ERRORS,
        AlertType.PUBLISHER_LOST,
        AlertType.PUBLISHER_SILENT,
        AlertType.CHANNEL_BROKEN,
        AlertType.STORE_AWAY,
        AlertType.UNKNOWN,
    }
)


#: The label of a relayed alert that another alert already reports. It is sent to no receiver.
COVERED_BY: Final = "covered_by"


#: The label of an outage that ends and returns again and again. Its value is "true".
FLAPPING: Final = "flapping"


#: The label of the fact with the address of a call's trace, in LiteLLM's words.
TRACE: Final = "🪢 Langfuse Trace"


#: Types that are sent by the calendar. They do not page.
REPORTS: Final = frozenset({AlertType.SPEND_REPORTS, AlertType.DAILY_REPORTS, AlertType.FALLBACK_REPORTS})


#: Conditions that need a person at once when their severity is High: calls, messages or data are being lost. Only these
#: page if ``alerting`` names a pager.
URGENT: Final = frozenset(
    {
        AlertType.OUTAGE_ALERTS,
        AlertType.REGION_OUTAGE_ALERTS,
        AlertType.CHANNEL_BROKEN,
        AlertType.STORE_AWAY,
    }
)


#: Types whose severity depends on the case. All others keep that of their `AlertSpec`.
_GRADED: Final[Mapping[AlertType, tuple[Severity, ...]]] = {
    AlertType.LLM_EXCEPTIONS: (_LOW, _MEDIUM, _HIGH),
    AlertType.OUTAGE_ALERTS: (_MEDIUM, _HIGH),
    AlertType.REGION_OUTAGE_ALERTS: (_MEDIUM, _HIGH),
    AlertType.FAILED_TRACKING_SPEND: (_LOW, _HIGH),
    AlertType.PUBLISHER_LOST: (_MEDIUM, _HIGH),
}


def severities_of(alert_type: AlertType) -> tuple[Severity, ...]:
    """Return the severities that our own alerts of a type can have. LiteLLM's own alerting may choose any."""
    return _GRADED.get(alert_type, (CATALOGUE[alert_type].severity,))


#: The number of members (single calls, failures) in a message, and that a batch adds to an alert. The rest is counted.
#: For an outage, ``max_outage_alert_list_size`` applies.
MAX_MEMBERS: Final = 10
