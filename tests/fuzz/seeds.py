"""The fuzzer's seeds: real messages of LiteLLM and producers, and the words that matter in them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from typing import Final

import msgpack
import zstandard

from tests.fuzz.targets import KEY

_HEAD: Final = "Level: `High`\nTimestamp: `14:02:11`\n\nMessage: "
_METADATA: Final = "\n\n*Alerting Metadata*: \nticket: `T-17`\n\n"
TEXTS: Final = (
    f"""[Num Alerts: 3]

Alert type: `llm_exceptions`
{_HEAD}LLM API call failed: `litellm.APIError: boom {KEY}

Key Name: `app`
Team: `search`
Model: gpt-4o
API Base: `https://u:p@eu.example/v1?key=1`
Messages: `[{{'role': 'user', 'content': 'my private words'}}]`
model_group: `gpt-4o`

deployment: `azure/x`
`

🪢 Langfuse Trace: `https://l.example/trace/1`

{_METADATA}{_METADATA}

Proxy URL: `https://p.example`""",
    """Alert type: `llm_requests_hanging` (Digest)
Level: `Medium`
Start: `2026-11-23 10:00:00`
End: `2026-11-23 14:00:00`
Count: `41`

Message: `Requests are hanging - 300s+ request time`
Request Model: `m`""",
    f"""Alert type: `outage_alerts`
{_HEAD}

*⚠️ Major Service Outage*

*Region Name:* `eu`
*Provider:* `azure`

*Errors:*

API Errors: 10

*Last Check:* `0.0s ago`
""",
    """Alert type: `daily_reports`

Time: `1764.5`s
Here are today's key metrics 📈:

	1. Deployment: `m`, Latency per output token: `0.5s/token`,  API Base: `b`

Next Run is at: `1765.5`s""",
    f"""Alert type: `user_spend_thresholds`
{_HEAD}User Daily Spend Threshold Crossed:
User: `u1`
Spend Today: `$60.00`

User Daily Spend Threshold Crossed:
User: `u2`
Spend Today: `$70.00`""",
    f"""Alert type: `virtual_key_updated`
{_HEAD}`Virtual Key Updated`
*Action Done by:*
created_by_user_id: `admin`

*Arguments passed:*
data: `key='{KEY}' keys=['{KEY}', 'b'] max_budget=20.0 metadata={{'a': 'b'}}`
litellm_changed_by: `carol`
""",
    f"""Alert type: `virtual_key_deleted` (Digest)
Level: `High`
Start: `2026-11-23 10:00:00`
End: `2026-11-23 14:00:00`
Count: `7`

Message: `Virtual Key Deleted`
*Arguments passed:*
data: `key_aliases=["bob's app", 'it\\'s "both"'] keys=["{KEY}"]`
""",
    f"""Alert type: `db_exceptions`
{_HEAD}DB read/write call failed: postgresql://a:b@db:5432/x refused, token={KEY}Traceback (most recent call last):
  File x
-----BEGIN RSA PRIVATE KEY-----
abc
""",
)
_CALL: Final = {
    "call_id": "1",
    "started_at": "2026-11-24T12:00:00Z",
    "ended_at": "2026-11-24T12:00:01Z",
    "model_group": "gpt-4o",
    "tags": ["a", KEY],
    "alerting_metadata": {KEY: "x"},
    "budgets": [{"scope": "key", "entity_id": "app", "spend_nanos": 1, "max_nanos": 100}],
}
_EVENTS: Final = (
    _CALL | {"type": "llm.request.succeeded", "cost_nanos": 13_500},
    _CALL | {"type": "llm.request.failed", "failure": {"error_class": "APIError", "origin": "provider"}},
    _CALL | {"type": "llm.request.succeeded", "alerting_metadata": {KEY: 7}},
    {"type": "litellm.alert.relayed", "alert_type": "x", "headline": f"y {KEY}", "metadata": {KEY: KEY}},
    {"type": "admin.entity.changed", "entity": "key", "action": "deleted", "changed": [KEY]},
    {"type": "system.canary"},
    {"type": KEY},
)
_BUDGET: Final = {
    "spend": 100.0,
    "max_budget": 1e400,
    "token": KEY,
    "user_id": "u1",
    "team_id": "t1",
    "event_group": "team_member",
    "event": "budget_crossed",
    "event_message": f"Budget Crossed\n Total Budget:`1` {KEY}",
    "alert_emails": ["a@example.com"],
}
_CARD: Final = {"attachments": [{"content": {"body": [{"type": "TextBlock", "text": TEXTS[0]}]}}]}
_LINES: Final = tuple(json.dumps(event).encode() for event in _EVENTS)
#: Blocks of zstd without output, and of deflate; a skippable frame.
_NOTHING: Final = (b"\x28\xb5\x2f\xfd\x00\x58\x00\x00\x00\x01\x00\x00", b"\x50\x2a\x4d\x18\x01\x00\x00\x00x")
_MESSAGE: Final = b'[[], {"batch_id": "b", "sealed_at": "x", "events": [' + b",".join(_LINES) + b"]}, {}]"
SEEDS: Final[Mapping[str, Sequence[bytes]]] = {
    "slack": [text.encode() for text in TEXTS],
    "relay": [json.dumps(body).encode() for body in ({"text": TEXTS[0]}, {"text": TEXTS[5]}, _BUDGET, _CARD)],
    "batch": [b"[" + b",".join(_LINES) + b"]", *(b"[" + line + b"]" for line in _LINES)],
    "packed": [pack(text) for pack in (gzip.compress, zstandard.compress) for text in (b"", *_LINES)] + [*_NOTHING],
    "message": [_MESSAGE, gzip.compress(_MESSAGE), msgpack.packb(json.loads(_MESSAGE)), b'{"kwargs": {}}'],
    "http": [b"\n".join(_LINES), b"[" + b",".join(_LINES) + b"]", *_LINES],
}
#: Insertions of a mutation: marks of the forms, bounds of the fields, and what breaks careless readers.
WORDS: Final = (
    b"\n\n", b"`", b"`\n\n", b"*", b": `", b"\n\n*Alerting Metadata*: \n", b"\nLevel: `Low`", b" (Digest)",
    b"\nCount: `9`", b"\n\nProxy URL: `", b"Messages: `[{'", b"*Arguments passed:*", b"*Region Name:*",
    b"[Num Alerts: 9]\n\n", b"Alert type: `", b"keys=['", b"\x00", b"\\ud800", b"\xff", b"{", b"}", b"[", b"]", b'":',
    b"1e999", b"9" * 5_000, b"[" * 300, b"]" * 300, b'{"a":' * 300, b"\\udc00", b"\xed\xa0\x80", b"Infinity",
    b"\\", b'"', b",", b"-1", b"NaN", b"99999999999999999999", b"null", b'"type"', b"a" * 300, KEY.encode(),
    "é🪢".encode(), b"https://", b"-----BEGIN A-----",
)  # fmt: skip
