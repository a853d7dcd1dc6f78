"""Reads the alerts that LiteLLM itself posts to a chat, or to its ``WEBHOOK_URL``, back into events. Worker side; pure.

A message that cannot be classified becomes an event of the type `UNKNOWN`, so nothing that LiteLLM sent is lost
here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from alertworker.errors import AlertWorkerError
from alertworker.events import AlertRelayed, BudgetReported, BudgetScope, EntityChanged, Event
from alertworker.events.admin import MAX_DETAILS
from alertworker.events.base import MAX_COUNT, MAX_ITEMS, MAX_TEXT
from alertworker.integrations.litellm.admin_alerts import MANAGEMENT, entity_changed
from alertworker.integrations.litellm.alert_text import cut_middle, header, read_labelled, split, without_messages
from alertworker.integrations.litellm.coerce import clip, key_hash, moment, name, nanos
from alertworker.integrations.litellm.outgoing import outgoing
from alertworker.text.redact import pseudonymous, without_keys, without_secrets
from alertworker.text.shorten import shorten

#: The largest body that is read, in bytes.
MAX_BODY: Final = 1024 * 1024
#: The type of a message that names no alert type.
UNKNOWN: Final = "unknown"
#: Types whose numbers look like secrets to the scrubber ("output token: …"). They hold no text of a caller.
_FIGURES: Final = frozenset(
    (
        "daily_reports",
        "fallback_reports",
        "model_deprecation_warnings",
        "new_model_added",
        "spend_reports",
        "user_spend_anomalies",
        "user_spend_thresholds",
    )
)

#: The link to the call's trace, after the message.
_TRACE: Final = re.compile(r"\n\n\W{1,4}Langfuse Trace: `(https?://[^`\s]{1,1000})`\Z")
#: The first line of the daily report: when it was made, in seconds since 1970.
_MADE_AT: Final = re.compile(r"\ATime: `[0-9.]{1,20}`s\n")

_LEVELS: Final = ("Low", "Medium", "High")
#: LiteLLM's ``event_group`` where it differs from our scope.
_SCOPES: Final = {"end_user": "customer", "user": "user"}
#: The fields that identify the owner of a budget. LiteLLM does not name a project: its budget is identified by the key
#: that reached it.
_ENTITIES: Final = {
    "team": ("team_id",),
    "user": ("user_id",),
    "team_member": ("user_id", "team_id"),
    "organization_member": ("user_id", "organization_id"),
    "customer": ("customer_id",),
    "organization": ("organization_id",),
}
#: The fields that name the owner of a budget.
_OWNER: Final = (
    "key_alias",
    "team_id",
    "team_alias",
    "user_id",
    "user_email",
    "customer_id",
    "organization_id",
)


class RelayError(AlertWorkerError):
    """A body is not a JSON object, or is larger than `MAX_BODY`. LiteLLM never sends either."""


def read_slack(
    body: bytes, *, now: datetime, named: str | None = None, host: str | None = None, show_messages: bool = False
) -> Event:
    """Read a body that LiteLLM posted to a chat's webhook, in Slack's or Teams' form.

    ``named`` is the type in the path and takes precedence over the type in the text. ``host`` is the proxy that sent
    the body. The caller's messages are kept only with ``show_messages``.

    Raises:
        RelayError: when it is not a JSON object.
    """
    stated, rest, times = header(_text(_object(body)))
    alert_type = name(named) or stated or UNKNOWN
    fields, message, metadata = split(rest)
    count = max(1, min(_number(fields.get("Count")) * times, MAX_COUNT))
    digest = {
        "count": count,
        "digest_from": _digest_time(fields.get("Start")),
        "digest_until": _digest_time(fields.get("End")),
    }
    if alert_type in MANAGEMENT:
        change = entity_changed(alert_type, message, now=now, host=host)
        return EntityChanged.model_validate(outgoing(change | digest))
    trace = _TRACE.search(message)
    message = cut_middle(message[: trace.start()] if trace else message)
    message = _MADE_AT.sub("", message if show_messages else without_messages(message))
    if alert_type == "outage_alerts" and "*Region Name:*" in message:
        alert_type = "region_outage_alerts"
    about = {
        "occurred_at": now,
        "alert_type": name(alert_type),
        "level": fields.get("Level") if fields.get("Level") in _LEVELS else None,
        "metadata": metadata,
        "source_host": name(host),
    }
    event = outgoing(about | digest) | _shown(alert_type, message, trace[1] if trace else None)
    event["headline"] = event["headline"] or f"LiteLLM sent an alert of type {event['alert_type']}"
    return AlertRelayed.model_validate(event)


def _shown(alert_type: str, message: str, trace: str | None) -> dict[str, Any]:
    """Return headline, facts and text of a message, without secrets."""
    is_figures = alert_type in _FIGURES
    shown = (
        _cut(read_labelled(without_keys(message))) if is_figures else outgoing(read_labelled(without_secrets(message)))
    )
    if trace and len(shown["facts"]) < MAX_ITEMS:  # the usual redaction would take the ids in a link for secrets
        shown["facts"]["Langfuse trace"] = shorten(pseudonymous(trace), MAX_TEXT)
    return shown


def read_webhook(body: bytes, *, now: datetime, host: str | None = None) -> Event:
    """Read LiteLLM's budget event. Any other body becomes a relayed alert of unknown type.

    Raises:
        RelayError: when it is not a JSON object.
    """
    fields = _object(body)
    group, event = name(fields.get("event_group")), name(fields.get("event"))
    scope = _SCOPES.get(group or "", group)
    if event is None or scope not in set(BudgetScope):
        headline = _string(fields.get("event_message")) or "LiteLLM's webhook sent something other than a budget event"
        other = {"occurred_at": now, "alert_type": UNKNOWN, "headline": headline, "source_host": name(host)}
        return AlertRelayed.model_validate(outgoing(other))
    reported = {
        "occurred_at": now,
        "event": event,
        "scope": BudgetScope(scope),
        "entity_id": _entity(fields, BudgetScope(scope)),
        "message": _string(fields.get("event_message")) or "",
        "spend_nanos": nanos(fields.get("spend")),
        "max_nanos": nanos(fields.get("max_budget")),
        "soft_nanos": nanos(fields.get("soft_budget")),
        "projected_spend_nanos": nanos(fields.get("projected_spend")),
        "projected_exceeded_date": name(fields.get("projected_exceeded_date")),
        "key_hash": key_hash(fields.get("token")),
        **{field: name(fields.get(field)) for field in _OWNER},
        "alert_emails": _emails(fields.get("alert_emails")),
        "source_host": name(host),
    }
    return BudgetReported.model_validate(outgoing(reported))


def _entity(fields: Mapping[str, Any], scope: BudgetScope) -> str:
    """Return the id of a budget's owner. Without one it is the key's hash or alias, else the scope itself."""
    hashed = key_hash(fields.get("token"))
    named = [found for field in _ENTITIES.get(scope, ()) if (found := name(fields.get(field)))]
    given = hashed if fields.get("event_group") == "key" else name(":".join(named))
    spare = hashed if scope is not BudgetScope.PROXY else None
    return given or spare or name(fields.get("key_alias")) or scope.value


def _emails(values: object) -> tuple[str, ...]:
    return tuple(found for item in values[:MAX_ITEMS] if (found := name(item))) if isinstance(values, list) else ()


def _object(body: bytes) -> dict[str, Any]:
    if len(body) > MAX_BODY:
        raise RelayError(f"the body has {len(body)} bytes; the limit is {MAX_BODY}")
    try:
        fields = json.loads(body)  # accepts lone surrogates, which Python's own encoder writes
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise RelayError("the body is not a JSON object")
    return fields


def _string(value: object) -> str | None:
    """Return a string of any length without NUL and lone surrogates; ``None`` for any other type."""
    return clip(value, MAX_BODY) if isinstance(value, str) else None


def _text(fields: dict[str, Any]) -> str:
    """Return the text of Slack's form, or of the Adaptive Card of Teams."""
    if isinstance(fields.get("text"), str):
        return clip(fields["text"], MAX_BODY) or ""
    return "\n".join(_card_texts(fields.get("attachments")))


def _card_texts(attachments: Any) -> list[str]:
    found: list[str] = []
    for attachment in attachments if isinstance(attachments, list) else []:
        content = attachment.get("content") if isinstance(attachment, dict) else None
        blocks = content.get("body") if isinstance(content, dict) else None
        for block in blocks if isinstance(blocks, list) else []:
            text = clip(block.get("text"), MAX_BODY) if isinstance(block, dict) else None
            found += [text] if text else []
    return found


def _cut(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Cut the parts of a message to size without redaction, which would take its figures for secrets.

    `without_keys` ran before.
    """
    return {
        "headline": shorten(parts["headline"], MAX_TEXT),
        "facts": {label: shorten(value, MAX_TEXT) for label, value in parts["facts"].items()},
        "text": shorten(parts["text"], MAX_DETAILS),
    }


def _number(text: str | None) -> int:
    return min(int(text), MAX_COUNT) if text and text.isascii() and text.isdigit() else 1


def _digest_time(text: str | None) -> datetime | None:
    """Return the time of a digest. LiteLLM writes it without a zone."""
    try:
        return moment(datetime.strptime(text or "", "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC))
    except ValueError:
        return None
