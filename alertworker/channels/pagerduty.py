"""PagerDuty's Events API v2: one incident for each alert, resolved with it. Only alerts that are routed here page."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import SecretStr

from alertworker.alerts.catalogue import REPORTS, TRACE
from alertworker.alerts.message import Message, Step
from alertworker.channels.base import HttpChannel
from alertworker.channels.config import UrlConfig
from alertworker.channels.plain_text import has_ended, member_lines
from alertworker.delivery.channel import Answer, Pace
from alertworker.text.names import short_id
from alertworker.text.sanitize import clean, cut, one_line
from alertworker.text.shorten import CUT

#: https://developer.pagerduty.com/docs/send-alert-event: field lengths, and 512 KB for the whole event.
MAX_SUMMARY: Final = 1_024
MAX_BODY: Final = 512 * 1024
#: With these limits the longest event stays far below `MAX_BODY`.
_MAX_VALUE: Final = 1_000
_MAX_NAME: Final = 100
_MAX_DETAILS: Final = 40
_LINK: Final = re.compile(r"https?://[!-~]{1,2000}")
_SEVERITIES: Final = {"High": "critical", "Medium": "error", "Low": "warning"}


class PagerDutyConfig(UrlConfig):
    """An integration's routing key, which is a secret."""

    kind: Literal["pagerduty"] = "pagerduty"
    routing_key: SecretStr
    """Routing key of the integration. It is a secret; `os.environ/NAME` is the variable NAME."""
    url: SecretStr = SecretStr("https://events.pagerduty.com/v2/enqueue")
    """URL of the Events API."""


class PagerDuty(HttpChannel[PagerDutyConfig]):
    """Triggers, updates and resolves an incident under one key for each alert."""

    config_class = PagerDutyConfig
    hosts = ("events.pagerduty.com",)
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
        event = {
            "event_action": "trigger",
            "dedup_key": message.alert_id,
            "client": "alertworker",
            "payload": _payload(message),
        }
        return json.dumps(event | _links(message), ensure_ascii=False)

    def send(self, body: str, *, notification_id: str) -> Answer:
        """Make one attempt. PagerDuty recognizes a repeated event by its key."""
        event = {"routing_key": self._config.routing_key.get_secret_value(), **json.loads(body)}
        return super().send(json.dumps(event, ensure_ascii=False), notification_id=notification_id)


def _payload(message: Message) -> dict[str, Any]:
    labels = message.labels
    return {
        "summary": cut(one_line(message.headline), MAX_SUMMARY) or message.type.value,
        "source": cut(one_line(_source(message)), MAX_SUMMARY) or "alertworker",
        "severity": "info" if message.step is Step.TEST else _SEVERITIES[message.severity.value],
        "timestamp": message.at.isoformat(),
        "class": message.type.value,
        **_named(component=labels.get("model"), group=labels.get("team")),
        "custom_details": {
            "alert": message.alert_id,
            "step": message.step.value,
            "count": message.total,
            "since": message.since.isoformat(),
            **_named(
                facts=_details(message.facts),
                labels=_details(labels),
                metadata=_details(message.metadata),
                members=member_lines(message, lambda member: cut(one_line(member), _MAX_VALUE)),
            ),
        },
    }


def _source(message: Message) -> str:
    """Return what the incident is about: a deployment by its name, else the proxy."""
    deployment = message.facts.get("Deployment") or short_id(message.labels.get("deployment", ""))
    return deployment or message.proxy_url or ""


def _named(**values: Any) -> dict[str, Any]:
    """Return the values that are not empty, with their strings cut."""
    shown = {
        name: cut(one_line(value), MAX_SUMMARY) if isinstance(value, str) else value for name, value in values.items()
    }
    return {name: value for name, value in shown.items() if value}


def _details(values: Mapping[str, str]) -> dict[str, str]:
    """Return what PagerDuty shows as a table. The last line says if lines are left out."""
    shown = {cut(one_line(name), _MAX_NAME): cut(clean(value), _MAX_VALUE) for name, value in values.items()}
    return dict(list(shown.items())[:_MAX_DETAILS]) | ({"…": CUT} if len(values) > _MAX_DETAILS else {})


def _links(message: Message) -> dict[str, Any]:
    """Return links to the proxy and to the call's trace."""
    proxy, trace = message.proxy_url or "", message.facts.get(TRACE, "")
    found = [("LLM proxy", proxy), ("Trace", trace)]
    links = [{"href": address, "text": name} for name, address in found if _LINK.fullmatch(address)]
    return ({"client_url": proxy} if _LINK.fullmatch(proxy) else {}) | ({"links": links} if links else {})
