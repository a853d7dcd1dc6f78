"""PagerDuty's Events API v2: an incident per alert, resolved with it. Only what is routed here ever pages."""

from __future__ import annotations

import json
from typing import Final, Literal

from pydantic import SecretStr

from alertworker.alerts import REPORTS
from alertworker.channels import http
from alertworker.channels.base import BaseChannel
from alertworker.channels.config import UrlConfig
from alertworker.channels.text import clean, cut, one_line
from alertworker.messages import Message, Step
from alertworker.ports import Pace

#: https://developer.pagerduty.com/docs/send-alert-event: field lengths, and 512 KB for all of it.
MAX_SUMMARY: Final = 1_024
MAX_DEDUP_KEY: Final = 255
MAX_BODY: Final = 512 * 1024
_MAX_VALUE: Final = 2_000
_SEVERITIES: Final = {"High": "critical", "Medium": "error", "Low": "warning"}


class PagerDutyConfig(UrlConfig):
    """An integration's routing key, which is a secret."""

    kind: Literal["pagerduty"] = "pagerduty"
    routing_key: SecretStr
    url: SecretStr = SecretStr("https://events.pagerduty.com/v2/enqueue")


class PagerDuty(BaseChannel):
    """Triggers, updates and resolves under one key per alert."""

    kind = "pagerduty"
    #: https://developer.pagerduty.com/docs/events-api-v2-limits: 120 events a minute for each key are safe.
    pace = Pace(interval=0.5, burst=10)
    digest_size = 0

    def __init__(self, config: PagerDutyConfig) -> None:
        self.name = config.name
        self._config = config

    def takes(self, message: Message, /) -> bool:
        """Want nothing that comes by the calendar: a report must not wake anybody."""
        return message.type not in REPORTS

    def render(self, message: Message) -> str:
        """Give the event without its routing key, which must not lie in rows."""
        key = cut(message.alert_id, MAX_DEDUP_KEY)
        if message.step in (Step.RESOLVED, Step.PASSED):
            return json.dumps({"event_action": "resolve", "dedup_key": key})
        details = {
            "count": str(message.total),
            "since": message.since.isoformat(),
            "members": ", ".join(message.members),
        }
        details |= {**message.facts, **message.labels, **message.metadata}
        payload = {
            "summary": cut(one_line(message.headline), MAX_SUMMARY),
            "source": cut(one_line(message.proxy_url or "alertworker"), MAX_SUMMARY),
            "severity": "info" if message.step is Step.TEST else _SEVERITIES[message.severity.value],
            "timestamp": message.at.isoformat(),
            "class": message.type.value,
            "component": cut(one_line(message.labels.get("model", "")), MAX_SUMMARY),
            "group": cut(one_line(message.labels.get("team", "")), MAX_SUMMARY),
            "custom_details": {
                cut(clean(name), 100): cut(clean(value), _MAX_VALUE) for name, value in list(details.items())[:60]
            },
        }
        event = {"event_action": "trigger", "dedup_key": key, "client": "alertworker", "payload": payload}
        return json.dumps(event, ensure_ascii=False)

    def send(self, body: str, *, notification_id: str) -> str:
        """Make one attempt; PagerDuty itself knows a repeated one by its key."""
        headers = {"Content-Type": "application/json", "X-Alertworker-Notification": notification_id}
        config = self._config
        event = json.dumps({"routing_key": config.routing_key.get_secret_value(), **json.loads(body)})
        return http.post(config, event, headers)
