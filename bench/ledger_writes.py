"""The cost of the ledger: our writes and LiteLLM's writes for the same calls, on one PostgreSQL.

LiteLLM writes a row of its spend log for each call, and adds to its daily tables and to the spend of keys, users and
teams. Its daily statements are its own (1.106.2), over tables made from its ``schema.prisma``; here they are sent by
psycopg, without the engine of Prisma between, and in the same batches of 500 calls as ours. ``BENCH_WRITES`` (100,000)
is how many calls.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch
from uuid import uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, text

from alertworker.alerts.catalogue import AlertType
from alertworker.events import EndEvent, RequestFailed
from alertworker.events.compression import compress
from alertworker.folding import fold
from alertworker.pipeline import BatchMessage, Runtime, ingest
from alertworker.routing.router import Route, Router
from alertworker.store import SqlStore
from alertworker.store.ledger.postings import PostingStatements
from alertworker.store.migrations import upgrade
from alertworker.store.schema.ledger import ALIASES, FALLBACKS, LATENCIES, OUTCOMES, SPEND, SPEND_MONTHS, SPEND_SIZES
from bench.worker_cost import make_events
from tests.integration.harness import Recorder
from tests.integration.litellm_tables import add_daily, make_tables

WRITES = int(os.environ.get("BENCH_WRITES", "100000"))
BATCH = 500
_DAILY = {"user": "User", "team": "Team", "tag": "Tag"}
_SPENDERS = {
    "LiteLLM_VerificationToken": ("token", "key_hash"),
    "LiteLLM_UserTable": ("user_id", "user_id"),
    "LiteLLM_TeamTable": ("team_id", "team_id"),
}
_LOG = text("""INSERT INTO "LiteLLM_SpendLogs" (request_id, call_type, api_key, spend, total_tokens, prompt_tokens,
    completion_tokens, "startTime", "endTime", model, model_id, model_group, custom_llm_provider, "user", metadata,
    cache_hit, request_tags, team_id, status, updated_at) VALUES (:id, 'acompletion', :key, :spend, :total, :prompt,
    :completion, :start, :end, :model, :deployment, :model, 'openai', :user, CAST(:metadata AS jsonb), 'False',
    CAST(:tags AS jsonb), :team, :status, :end)""")
_OURS = (SPEND, SPEND_MONTHS, SPEND_SIZES, OUTCOMES, LATENCIES, FALLBACKS, ALIASES)
_METADATA = json.dumps({"user_api_key_alias": "search-prod", "user_api_key_team_alias": "Search", "status": "success"})


def measure(engine: Engine) -> dict[str, str]:
    """Return the figures by name."""
    upgrade(engine)
    with engine.begin() as connection:
        make_tables(connection, "LiteLLM_SpendLogs", *(f"LiteLLM_Daily{name}Spend" for name in _DAILY.values()))
        make_tables(connection, *_SPENDERS)
    events: Sequence[Any] = make_events(WRITES)
    _spenders(engine, events)
    batches = [events[start : start + BATCH] for start in range(0, WRITES, BATCH)]
    store, zone, now = SqlStore(engine), ZoneInfo("UTC"), datetime.now(UTC)

    def ours(batch: Sequence[EndEvent]) -> None:
        folded = fold(batch, slow_seconds=300, zone=zone, now=now)
        store.run(lambda tx: tx.ledger.add(folded.ledger, max_entities=20_000))

    def theirs(batch: Sequence[EndEvent]) -> None:
        with engine.begin() as connection:
            _litellm(connection, batch)

    (their_wall, their_cpu), (our_wall, our_cpu) = _run(theirs, batches), _run(ours, batches)
    their_bytes = _size(engine, "LiteLLM_SpendLogs", *(f"LiteLLM_Daily{name}Spend" for name in _DAILY.values()))
    our_bytes = _size(engine, *(table.name for table in _OURS))
    return {
        "LiteLLM's ledger, a call": _spelt(their_wall, their_cpu, their_bytes),
        "our ledger, a call": _spelt(our_wall, our_cpu, our_bytes),
        "ratio of ledgers": f"{their_wall / our_wall:.1f} times in time, {their_bytes / our_bytes:.0f} in bytes",
    }


def worker_share(engine: Engine) -> dict[str, str]:
    """Return a worker's CPU per event, with and without the ledger, excluding the broker."""
    upgrade(engine)
    router = Router(
        Route(receiver="none"), {"none": ()}, frozenset(AlertType), group_interval=300, repeat_interval=3_600
    )
    runtime = Runtime(store=SqlStore(engine), broker=Recorder(), channels={}, router=router)
    encoded = [event.model_dump_json(exclude_none=True).encode() for event in make_events(BATCH)]
    body = compress(b"[" + b",".join(encoded) + b"]")

    def one(_: object) -> None:
        ingest(BatchMessage(str(uuid4()), body, "zstd", "bench"), runtime, now=datetime.now(UTC))

    rounds = range(60)
    _, with_ledger = _run(one, rounds)
    with patch.object(PostingStatements, "add", return_value={}):
        _, without = _run(one, rounds)
    figures = {"with the ledger": with_ledger, "without": without}
    return {name: f"{cpu / (len(rounds) * BATCH) * 1e6:.1f} us" for name, cpu in figures.items()}


def _litellm(connection: Connection, batch: Sequence[EndEvent]) -> None:
    connection.execute(_LOG, [_row(call) for call in batch])
    days = [(call, _day(call)) for call in batch]
    add_daily(connection, "user", [row | {"user_id": call.user_id} for call, row in days])
    add_daily(connection, "team", [row | {"team_id": call.team_id} for call, row in days])
    add_daily(connection, "tag", [row | {"tag": tag} for call, row in days for tag in call.tags])
    for table, (column, field) in _SPENDERS.items():
        spent = Counter[str]()
        for call in batch:
            spent[getattr(call, field)] += call.cost_nanos or 0
        more = text(f'UPDATE "{table}" SET spend = spend + :spend WHERE {column} = :id')
        connection.execute(more, [{"id": one, "spend": spent[one] / 1e9} for one in sorted(spent)])


def _row(call: EndEvent) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{uuid4()}",
        "key": call.key_hash,
        "spend": (call.cost_nanos or 0) / 1e9,
        "total": call.prompt_tokens + call.completion_tokens,
        "prompt": call.prompt_tokens,
        "completion": call.completion_tokens,
        "start": call.started_at.replace(tzinfo=None),
        "end": call.ended_at.replace(tzinfo=None),
        "model": call.model_group,
        "deployment": call.deployment_id,
        "user": call.user_id,
        "metadata": _METADATA,
        "tags": json.dumps(call.tags),
        "team": call.team_id,
        "status": "failure" if isinstance(call, RequestFailed) else "success",
    }


def _day(call: EndEvent) -> dict[str, Any]:
    failed = isinstance(call, RequestFailed)
    return {
        "date": str(call.started_at.date()),
        "api_key": call.key_hash,
        "model": call.model_group,
        "model_group": call.model_group,
        "custom_llm_provider": call.provider,
        "endpoint": "/chat/completions",
        "prompt_tokens": call.prompt_tokens,
        "completion_tokens": call.completion_tokens,
        "api_requests": 1,
        "successful_requests": int(not failed),
        "failed_requests": int(failed),
        "spend": (call.cost_nanos or 0) / 1e9,
    }


def _spenders(engine: Engine, events: Sequence[Any]) -> None:
    """Insert the keys, users and teams whose spend LiteLLM updates."""
    with engine.begin() as connection:
        for table, (column, field) in _SPENDERS.items():
            known = [{"id": one} for one in sorted({getattr(event, field) for event in events})]
            more = ", updated_at" if table == "LiteLLM_TeamTable" else ""
            values = ", now()" if more else ""
            connection.execute(text(f'INSERT INTO "{table}" ({column}{more}) VALUES (:id{values})'), known)


def _run(work: Callable[[Any], None], pieces: Sequence[Any]) -> tuple[float, float]:
    """Return the seconds that all pieces take: wall-clock time and CPU time of this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    for piece in pieces:
        work(piece)
    return time.perf_counter() - wall, time.process_time() - cpu


def _spelt(wall: float, cpu: float, weight: int) -> str:
    each = f"{wall / WRITES * 1e6:.0f} us, {cpu / WRITES * 1e6:.0f} us of it CPU of ours"
    return f"{each}; {weight / 1e6:,.1f} MB for {WRITES:,}"


def _size(engine: Engine, *tables: str) -> int:
    size = text("SELECT pg_total_relation_size(:name)")
    with engine.connect() as connection:
        return sum(int(connection.execute(size, {"name": f'"{one}"'}).scalar_one()) for one in tables)
