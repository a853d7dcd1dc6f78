"""PagerDuty's Events API v2: one incident for each alert, resolved with it. Only alerts that are routed here page."""

from __future__ import annotations

import json
from typing import Final, Literal

from pydantic import SecretStr

from alertworker.alerts.advice import RUNBOOK
from alertworker.alerts.catalogue import REPORTS, TRACE
from alertworker.alerts.message import Message, Step
from alertworker.channels.base import HttpChannel
from alertworker.channels.config import UrlConfig
from alertworker.channels.plain_text import details, has_ended, is_link, member_lines, non_empty
from alertworker.delivery.channel import Answer, Pace
from alertworker.text.names import short_id
from alertworker.text.sanitize import cut, one_line

#: https://developer.pagerduty.com/docs/send-alert-event. The longest event stays far below the 512 KB of an event.
MAX_SUMMARY: Final = 1_024
_SEVERITIES: Final = {"High": "critical", "Medium": "error", "Low": "warning"}


class PagerDutyConfig(UrlConfig):
    """An integration's routing key, which is a secret."""

    kind: Literal["pagerduty"] = "pagerduty"
    routing_key: SecretStr
    """Routing key of the integration. It is a secret; `os.environ/NAME` is the variable NAME."""
    url: SecretStr = SecretStr("https://events.pagerduty.com/v2/enqueue")
    """URL of the Events API. `https://events.eu.pagerduty.com/v2/enqueue` for accounts in the EU."""


class PagerDuty(HttpChannel[PagerDutyConfig]):
    """Triggers, updates and resolves an incident under one key for each alert."""

    config_class = PagerDutyConfig
    is_pager = True
    hosts = ("events.pagerduty.com", "events.eu.pagerduty.com")
    #: https://developer.pagerduty.com/docs/events-api-v2-limits: 120 events a minute for each key are safe.
    pace = Pace(interval=0.5, burst=10)
    keeps_open = True

    def takes(self, message: Message, /) -> bool:
        """Return false for reports: they come by the calendar and must not wake anybody."""
        return message.type not in REPORTS

    def render(self, message: Message) -> str:
        """Return the event without its routing key, which must not be stored in rows."""
        if has_ended(message):
            return json.dumps({"event_action": "resolve", "dedup_key": message.alert_id})
        event = {"event_action": "trigger", "dedup_key": message.alert_id, "client": "alertworker"}
        return json.dumps({**event, "payload": _payload(message), **_links(message)}, ensure_ascii=False)

    def send(self, body: str, *, notification_id: str) -> Answer:
        """Make one attempt. PagerDuty recognizes a repeated event by its key."""
        event = {"routing_key": self._config.routing_key.get_secret_value(), **json.loads(body)}
        return super().send(json.dumps(event, ensure_ascii=False), notification_id=notification_id)


def _payload(message: Message) -> dict[str, object]:
    tables = {name: details(getattr(message, name)) for name in ("facts", "labels", "metadata")}
    members = member_lines(message, _line)
    deployment = message.facts.get("Deployment") or short_id(message.labels.get("deployment", ""))
    about = {"alert": message.alert_id, "step": message.step, "count": message.total}
    about |= non_empty(since=message.since.isoformat(), what_to_do=message.what_to_do, **tables, members=members)
    payload = {
        "summary": _line(message.headline) or message.type.value,
        "source": _line(deployment or message.proxy_url) or "alertworker",
        "severity": "info" if message.step is Step.TEST else _SEVERITIES[message.severity.value],
        "timestamp": message.at.isoformat(),
        "class": message.type.value,
        "component": _line(message.labels.get("model")),
        "group": _line(message.labels.get("team")),
        "custom_details": about,
    }
    return non_empty(**payload)


def _line(text: str | None) -> str:
    return cut(one_line(text or ""), MAX_SUMMARY)


def _links(message: Message) -> dict[str, object]:
    """Return links to the runbook, the alert's page, the proxy and the call's trace."""
    urls = {RUNBOOK: message.runbook_url, "Alert": message.page_url, "LLM proxy": message.proxy_url}
    shown = (*urls.items(), ("Trace", message.facts.get(TRACE)))
    links = [{"href": url, "text": name} for name, url in shown if is_link(url or "")]
    return non_empty(client_url=message.proxy_url if is_link(message.proxy_url or "") else "", links=links)
