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
from alertworker.integrations.litellm.coerce import clip, key_hash, moment, name, nanos
from alertworker.integrations.litellm.leaving import leaving
from alertworker.integrations.litellm.scrub import without
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

_HEAD: Final = re.compile(
    r"\A(?:\[Num Alerts: (?P<times>[0-9]{1,10})\]\s+)?"
    r"Alert type: `(?P<type>[^`\n]{1,256})`(?: \(Digest\))?(?P<rest>.*)\Z",
    re.DOTALL,
)
_FIELD: Final = re.compile(r"\n(Level|Timestamp|Start|End|Count): `([^`\n]{0,64})`")
_PROXY_URL: Final = re.compile(r"\n\nProxy URL: `[^`\n]*`\s*\Z")
_METADATA: Final = "\n\n*Alerting Metadata*: \n"
#: The link to the call's trace, behind the message.
_TRACE: Final = re.compile(r"\n\n\W{1,4}Langfuse Trace: `(https?://[^`\s]{1,1000})`\Z")
#: A labelled line of a message: ``*Model Name:* `gpt-4o` `` or ``API Base: `https://…` ``.
_FACT: Final = re.compile(r"^[ \t]*\*?([^\W_][\w /-]{0,60}?):\*?:? `([^`\n]*)`[ \t]*$", re.MULTILINE)
_PLAIN_FACT: Final = re.compile(r"^ ?(Model|model): ([^\n`]{1,256})$", re.MULTILINE)
#: The excerpt of the caller's messages. It is one line for a list; any other excerpt may hold lines that look like
#: facts.
_MESSAGES: Final = re.compile(r"^Messages: (?:`\[\{'[^\n]*$\n?|.*\Z)", re.MULTILINE | re.DOTALL)
#: The maximum length of LiteLLM's excerpt, in characters.
_EXCERPT: Final = 100
_MARKS: Final = re.compile(r"[*`]+")
#: The first line of the daily report: when it was made, in seconds since 1970.
_MADE_AT: Final = re.compile(r"\ATime: `[0-9.]{1,20}`s\n")
#: The remainder of an error's closing mark.
_LONE_MARK: Final = re.compile(r"^`$", re.MULTILINE)
#: How much of a message is read, in characters: its start, and the lines at its end, where LiteLLM puts its facts.
_MAX_BEGIN: Final = 48_000
_MAX_END: Final = 16_000

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
    text, named = _text(_object(body)), name(named)
    head = _HEAD.match(text)
    if head is None:
        kind, rest, times = named or UNKNOWN, text, 1
    else:
        kind, rest, times = named or head["type"], head["rest"], int(head["times"] or 1)
    fields, message, metadata = _parts(rest if head is not None else f"\n{rest}")
    count = max(1, min(_number(fields.get("Count")) * times, MAX_COUNT))
    digest_from, digest_until = _moment(fields.get("Start")), _moment(fields.get("End"))
    if kind in MANAGEMENT:
        change = entity_changed(kind, message, now=now, host=host)
        digest = {"count": count, "digest_from": digest_from, "digest_until": digest_until}
        return EntityChanged.model_validate(leaving(change | digest))
    trace = _TRACE.search(message)
    message = _bounded(message[: trace.start()] if trace else message)
    message = _MADE_AT.sub("", message if show_messages else _without_messages(message))
    if kind == "outage_alerts" and "*Region Name:*" in message:
        kind = "region_outage_alerts"
    said = _message(without_keys(message) if kind in _FIGURES else without_secrets(message))
    told = leaving({
        "occurred_at": now,
        "alert_type": name(kind),
        "level": fields.get("Level") if fields.get("Level") in _LEVELS else None,
        "metadata": metadata,
        "count": count,
        "source_host": name(host),
        "digest_from": digest_from,
        "digest_until": digest_until,
    })  # fmt: skip
    told |= _cut(said) if kind in _FIGURES else leaving(said)
    if trace and len(told["facts"]) < MAX_ITEMS:  # the usual redaction would take the ids in a link for secrets
        told["facts"]["Langfuse trace"] = shorten(pseudonymous(trace[1]), MAX_TEXT)
    told["headline"] = told["headline"] or f"LiteLLM sent an alert of type {told['alert_type']}"
    return AlertRelayed.model_validate(told)


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
        told = {"occurred_at": now, "alert_type": UNKNOWN, "headline": headline, "source_host": name(host)}
        return AlertRelayed.model_validate(leaving(told))
    hashed = key_hash(fields.get("token"))
    named = [found for field in _ENTITIES.get(scope, ()) if (found := name(fields.get(field)))]
    given = hashed if group == "key" else name(":".join(named))
    emails = fields.get("alert_emails")
    reported = {
        "occurred_at": now,
        "event": event,
        "scope": BudgetScope(scope),
        "entity_id": given
        or (hashed if scope != BudgetScope.PROXY else None)
        or name(fields.get("key_alias"))
        or scope,
        "message": _string(fields.get("event_message")) or "",
        "spend_nanos": nanos(fields.get("spend")),
        "max_nanos": nanos(fields.get("max_budget")),
        "soft_nanos": nanos(fields.get("soft_budget")),
        "projected_spend_nanos": nanos(fields.get("projected_spend")),
        "projected_exceeded_date": name(fields.get("projected_exceeded_date")),
        "key_hash": hashed,
        "key_alias": name(fields.get("key_alias")),
        "team_id": name(fields.get("team_id")),
        "team_alias": name(fields.get("team_alias")),
        "user_id": name(fields.get("user_id")),
        "user_email": name(fields.get("user_email")),
        "customer_id": name(fields.get("customer_id")),
        "organization_id": name(fields.get("organization_id")),
        "alert_emails": tuple(found for item in emails[:MAX_ITEMS] if (found := name(item)))
        if isinstance(emails, list)
        else (),
        "source_host": name(host),
    }
    return BudgetReported.model_validate(leaving(reported))


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


def _parts(rest: str) -> tuple[dict[str, str], str, dict[str, str]]:
    """Split what follows the type into header fields, the message, and the caller's metadata."""
    fields: dict[str, str] = {}
    position = 0
    while match := _FIELD.match(rest, position):
        fields[match[1]] = match[2]
        position = match.end()
    message = _PROXY_URL.sub("", rest[position:]).removeprefix("\n\nMessage: ")
    message, *marked = message.split(_METADATA)
    metadata: dict[str, str] = {}
    for item in marked:
        key, separator, value = item.partition(": `")
        if key and separator and len(metadata) < MAX_ITEMS:
            metadata[key] = value.rstrip("\n").removesuffix("`")
    return fields, message.strip(), metadata


def _bounded(message: str) -> str:
    """Return a message without its middle, if it is too long to be read whole."""
    if len(message) <= _MAX_BEGIN + _MAX_END:
        return message
    _, _, end = message[-_MAX_END:].partition("\n")
    return f"{shorten(message, _MAX_BEGIN)}\n{end}"


def _message(message: str) -> dict[str, Any]:
    """Return a message's first line (``headline``), its labelled lines (``facts``), and the rest of it (``text``).

    If a label occurs twice, for example in a message about several users, the rest contains all lines.
    """
    lines = message.split("\n")
    first = next((index for index, line in enumerate(lines) if _MARKS.sub("", line).strip()), len(lines))
    headline = _MARKS.sub("", lines[first]).strip() if first < len(lines) else ""
    headline = headline.partition("Traceback (most recent call last)")[0] or headline
    rest = "\n".join(lines[first + 1 :])
    facts: dict[str, str] = {}
    labelled = (*_FACT.findall(rest), *_PLAIN_FACT.findall(rest))
    for label, value in labelled[:MAX_ITEMS]:
        facts.setdefault(label.strip(), value)
    if len(facts) == len(labelled):
        rest = _PLAIN_FACT.sub("", _FACT.sub("", rest))
    rest = re.sub(r"\n{3,}", "\n\n", _LONE_MARK.sub("", rest))
    return {"headline": headline.removesuffix(":"), "facts": facts, "text": rest.strip()}


def _cut(said: Mapping[str, Any]) -> dict[str, Any]:
    """Cut the parts of a message to size without redaction, which would take its figures for secrets.

    `without_keys` ran before.
    """
    return {
        "headline": shorten(said["headline"], MAX_TEXT),
        "facts": {label: shorten(value, MAX_TEXT) for label, value in said["facts"].items()},
        "text": shorten(said["text"], MAX_DETAILS),
    }


def _without_messages(message: str) -> str:
    """Remove the excerpt of the caller's messages, and every repetition of it: providers echo prompts in errors."""
    excerpts = [found[0].removeprefix("Messages: `")[:_EXCERPT] for found in _MESSAGES.finditer(message)]
    pieces = [line for excerpt in excerpts for line in excerpt.splitlines()]
    return without(_MESSAGES.sub("", message), pieces) if excerpts else message


def _number(text: str | None) -> int:
    return min(int(text), MAX_COUNT) if text and text.isascii() and text.isdigit() else 1


def _moment(text: str | None) -> datetime | None:
    """Return the time of a digest. LiteLLM writes it without a zone."""
    try:
        return moment(datetime.strptime(text or "", "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC))
    except ValueError:
        return None
