"""The advice in an alert: our own line for each type and severity, or the operator's note and runbook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from alertworker.alerts.catalogue import RELAYED, AlertType, OutageScope, Severity
from alertworker.alerts.message import Message, Step

#: The name of the line in messages and pages.
WHAT_TO_DO: Final = "What to do"
RUNBOOK: Final = "Runbook"
#: Messages that need no action.
_WITHOUT: Final = frozenset({Step.RESOLVED, Step.FIRED_AND_RESOLVED, Step.TRACKED, Step.TEST})
#: Changes by a person.
_CHANGED: Final = (
    "If the change is unexpected, ask the person who made it. If that person did not make it, revoke their access."
)
_REPORT: Final = "Nothing to do at once."

#: Our line for each type. It is the first thing to do, in at most two sentences.
_BY_TYPE: Final[Mapping[AlertType, str]] = {
    AlertType.LLM_EXCEPTIONS: (
        "Check the provider's status page, and the deployment's key and quota. An outage raises its own alert."
    ),
    AlertType.LLM_TOO_SLOW: (
        "Check the provider's status page and the size of the requests. "
        "If it lasts, set a timeout and a fallback for the model in the proxy's configuration."
    ),
    AlertType.LLM_REQUESTS_HANGING: (
        "Check the provider's status page. "
        "Set timeout and stream_timeout for the model in the proxy's configuration, so that calls fail over."
    ),
    AlertType.OUTAGE_ALERTS: (
        "Check the provider's status page, and the deployment's key and quota. "
        "If it lasts, remove the deployment from the proxy's model_list, or add a fallback for its model."
    ),
    AlertType.REGION_OUTAGE_ALERTS: (
        "Check the provider's status page for the region. "
        "If it lasts, add deployments or fallbacks in another region to the proxy's configuration."
    ),
    AlertType.COOLDOWN_DEPLOYMENT: (
        "Nothing to do at once: the router uses the deployment again after the cooldown. "
        "If it repeats, check the deployment's rate limits (rpm, tpm) and key."
    ),
    AlertType.NEW_MODEL_ADDED: "Check that you expected the new model. If not, ask the person who added it.",
    AlertType.MODEL_DEPRECATION_WARNINGS: (
        "Choose a successor and replace the model in the proxy's configuration before the date."
    ),
    AlertType.FALLBACK_REPORTS: f"{_REPORT} Look at models with many fallbacks: their first deployment often fails.",
    AlertType.BUDGET_ALERTS: (
        "Find out what is spending: the message and the page Spend name the largest parts. "
        "Then raise the budget, or block the key that spends too much."
    ),
    AlertType.SPEND_REPORTS: f"{_REPORT} Compare the largest changes with what you expected.",
    AlertType.FAILED_TRACKING_SPEND: (
        "Set input_cost_per_token and output_cost_per_token for the model in the proxy's configuration. "
        "Until then, budgets and reports lack its cost."
    ),
    AlertType.DAILY_REPORTS: f"{_REPORT} Look at deployments with many failures or a high latency.",
    AlertType.USER_SPEND_THRESHOLDS: (
        "Ask the user whether the spend is expected. If not, block the user's keys or set a budget for the user."
    ),
    AlertType.USER_SPEND_ANOMALIES: (
        "Ask the user whether the spend is expected. If not, a key may have leaked: block it and create a new one."
    ),
    AlertType.DB_EXCEPTIONS: (
        "Check that the proxy's database runs, has free space and accepts connections. "
        "Until it does, the proxy may reject keys and record no spend."
    ),
    AlertType.MCP_TOOL_DESCRIPTION_BLOCKED: (
        "Read the tool's new description before you allow it: it may give orders to the model. "
        "Ask the owner of the MCP server who changed it."
    ),
    AlertType.MCP_PINNED_TOOLS_CHANGED: (
        "Compare the tools with the pinned ones. Pin them again if the change is expected, or disable the MCP server."
    ),
    **dict.fromkeys(
        (
            AlertType.NEW_VIRTUAL_KEY_CREATED,
            AlertType.VIRTUAL_KEY_UPDATED,
            AlertType.NEW_TEAM_CREATED,
            AlertType.TEAM_UPDATED,
            AlertType.NEW_INTERNAL_USER_CREATED,
            AlertType.INTERNAL_USER_UPDATED,
            AlertType.VIRTUAL_KEY_UNBLOCKED,
            AlertType.TEAM_UNBLOCKED,
            AlertType.TEAM_MEMBER_ADDED,
        ),
        _CHANGED,
    ),
    **dict.fromkeys(
        (
            AlertType.VIRTUAL_KEY_DELETED,
            AlertType.TEAM_DELETED,
            AlertType.INTERNAL_USER_DELETED,
            AlertType.VIRTUAL_KEY_REGENERATED,
            AlertType.VIRTUAL_KEY_BLOCKED,
            AlertType.TEAM_BLOCKED,
            AlertType.TEAM_MEMBER_REMOVED,
        ),
        "If the change is unexpected, ask the person who made it. Calls with the old access are rejected from now on.",
    ),
    AlertType.UNKNOWN: "Read the text: this version does not know this type of LiteLLM's alerts. Upgrade alertworker.",
    AlertType.CALLER_ERRORS: (
        "Ask the owner of the key what changed in its calls: they fail where those of other keys succeed."
    ),
    AlertType.PUBLISHER_LOST: (
        "Find out why the process ended: its log and kubectl describe pod show a crash or a lack of memory. "
        "If a deploy killed it, allow more time for a clean shutdown."
    ),
    AlertType.PUBLISHER_SILENT: (
        "Check that the load balancer sends calls to this proxy. "
        "If it does, look for errors of the callback in its log."
    ),
    AlertType.CHANNEL_BROKEN: (
        "Check the channel's URL, its key and the receiver's status page. "
        "Then send a test message with alertworker test."
    ),
    AlertType.STORE_AWAY: (
        "Check that the database runs, has free space and accepts connections. Events wait in the broker meanwhile."
    ),
}
#: Our line for a severity of a type, where it differs.
_BY_SEVERITY: Final[Mapping[tuple[AlertType, Severity], str]] = {
    (AlertType.LLM_EXCEPTIONS, Severity.LOW): (
        "Nothing to do at once. If it continues, check the provider's status page and the deployment's key and quota."
    ),
    (AlertType.LLM_EXCEPTIONS, Severity.HIGH): (
        "Check the proxy's log, and undo the last change to its configuration. Then check the provider's status page."
    ),
    (AlertType.OUTAGE_ALERTS, Severity.MEDIUM): (
        "It can wait until morning while few calls are lost: retries and fallbacks save them. "
        "Then check the provider's status page, and the deployment's key and quota."
    ),
    (AlertType.REGION_OUTAGE_ALERTS, Severity.MEDIUM): (
        "It can wait until morning while few calls are lost: retries and fallbacks save them. "
        "Then check the provider's status page for the region."
    ),
    (AlertType.PUBLISHER_LOST, Severity.HIGH): (
        "Check that the proxy answers /health/liveliness, and read the end of its log. Undo the last deploy."
    ),
}
#: Our line for an alert by its label ``scope``, where it differs from that of the type.
_BY_SCOPE: Final[Mapping[str, str]] = {
    OutageScope.PROVIDER: (
        "Check the provider's status page, and your account's quota and bills there. "
        "Add deployments at another provider, or a fallback to one, to the proxy's configuration."
    ),
    OutageScope.MODEL: (
        "Check the status pages of the model's providers, and the keys of its deployments. "
        "Add a fallback to another model in the proxy's configuration."
    ),
    OutageScope.CREDENTIAL: (
        "Rotate the key: create a new one at the provider and put it into the proxy's configuration. "
        "Then restart the proxy."
    ),
}
#: Our line for an alert that LiteLLM itself sent, where it means something else than ours of the same type.
_BY_RELAYED_TYPE: Final[Mapping[AlertType, str]] = {
    AlertType.FAILED_TRACKING_SPEND: (
        "Read the proxy's log and check its database: LiteLLM could not record spend. "
        "Until it does, its budgets and reports lack this cost."
    ),
}


@dataclass(frozen=True, slots=True)
class Annotations:
    """The operator's note, which replaces our line, and the URL of a runbook."""

    note: str | None = None
    runbook_url: str | None = None

    def over(self, other: Annotations) -> Annotations:
        """Return these annotations, with those of ``other`` where one is missing."""
        return Annotations(self.note or other.note, self.runbook_url or other.runbook_url)


#: An operator who has written nothing.
NO_ANNOTATIONS: Final = Annotations()


def advise(alert_type: AlertType, severity: Severity, labels: Mapping[str, str]) -> str:
    """Return our own line for an alert."""
    scope = _BY_SCOPE.get(labels.get("scope", ""))
    relayed = _BY_RELAYED_TYPE.get(alert_type) if RELAYED in labels else None
    return scope or relayed or _BY_SEVERITY.get((alert_type, severity)) or _BY_TYPE[alert_type]


def advise_in(step: Step, alert_type: AlertType, severity: Severity, labels: Mapping[str, str]) -> str:
    """Return our own line for a message, "" if the message needs no action."""
    return "" if step in _WITHOUT else advise(alert_type, severity, labels)


def annotate(message: Message, annotations: Annotations) -> Message:
    """Return a message with the operator's annotations, unless it needs no action."""
    if annotations == NO_ANNOTATIONS or message.step in _WITHOUT:
        return message
    note = annotations.note or message.what_to_do
    return message.model_copy(update={"what_to_do": note, "runbook_url": annotations.runbook_url})
