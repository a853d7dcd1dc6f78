"""CPU per event through the whole worker, from broker to SQL commit, compared with one Celery task per event."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import psycopg
from sqlalchemy import Engine, func, select

from alertworker.events import EVENT, Event
from alertworker.events.base import new_id
from alertworker.events.batch import seal
from alertworker.publisher import BrokerTransport
from alertworker.store import make_engine
from alertworker.store.schema.ledger import SPEND
from tests.acceptance.stack import Stack

BATCHES, SINGLES = 200, 3_000


def make_events(count: int) -> list[Event]:
    """Return the traffic of a company: 200 teams, 500 keys, 10 models, 30 deployments, 2 tags, one failure in 50."""
    chance = random.Random(7)
    now = datetime.now(UTC)
    failure = {"error_class": "APIError", "status_code": 500, "origin": "caller"}  # No message is sent.
    events = []
    for number in range(count):
        deployment = chance.randrange(30)
        event: dict[str, Any] = {
            "type": "llm.request.succeeded", "call_id": f"c{number}", "started_at": now - timedelta(seconds=1),
            "ended_at": now, "model_group": f"m{deployment % 10}", "deployment_id": f"d{deployment}",
            "provider": "openai", "team_id": f"t{min(199, int(chance.paretovariate(1)))}",
            "key_hash": f"k{min(499, int(chance.paretovariate(0.5)))}", "user_id": "u", "prompt_tokens": 300,
            "completion_tokens": 50, "cost_nanos": 1_230_000, "tags": ["a", f"b{number % 5}"],
        }  # fmt: skip
        if number % 50 == 0:
            event |= {"type": "llm.request.failed", "failure": failure}
        events.append(event)
    return [EVENT.validate_python(event) for event in events]  # one by one: a list of them is bounded as a batch is


def measure(folder: Path, database: str) -> dict[str, float]:
    """Return the CPU time per event in microseconds, ours and one task per event, on one database."""
    folder.mkdir(parents=True)
    name = f"alertworker_bench_{uuid4().hex[:8]}"
    if database == "SQLite":
        return _measure(folder, {})
    with psycopg.connect("postgresql://127.0.0.1:5432/postgres", autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            return _measure(folder, {"ALERTWORKER_DATABASE_URL": f"postgresql://127.0.0.1:5432/{name}"})
        finally:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def _measure(folder: Path, environ: dict[str, str]) -> dict[str, float]:
    stack = Stack(folder, "general_settings: {alerting: []}", environ)
    try:
        stack.start_broker()
        subprocess.run([sys.executable, "-m", "alertworker", "db", "upgrade"], env=stack.env, check=True)
        engine = make_engine(stack.env["ALERTWORKER_DATABASE_URL"])
        return {
            "alertworker": _ours(stack, engine),
            "one task per event": _naive(stack, engine),
        }
    finally:
        stack.down()


def _ours(stack: Stack, engine: Engine) -> float:
    encoded = [event.model_dump_json(exclude_none=True).encode() for event in make_events(500)]
    transport = BrokerTransport(stack.broker_url)
    for _ in range(BATCHES):
        transport.send(seal(encoded, batch_id=str(new_id()), producer="bench", sealed_at=datetime.now(UTC)))
    stack.start("ingest")
    total = select(func.sum(SPEND.c.requests)).where(SPEND.c.dimension == "model")
    used = _until(lambda: _scalar(engine, total) == BATCHES * 500, stack.processes["ingest"].pid)
    stack.kill("ingest")
    return used / (BATCHES * 500) * 1e6


def _naive(stack: Stack, engine: Engine) -> float:
    from bench import naive

    environ = {**stack.env, "BENCH_BROKER_URL": stack.broker_url, "PYTHONPATH": str(Path(__file__).parents[1])}
    naive.TABLE.metadata.create_all(engine)
    with naive.app.connection_for_write(stack.broker_url) as connection:
        for event in make_events(SINGLES):
            arguments = [event.model_dump(mode="json", exclude_none=True)]
            naive.app.send_task(naive.record.name, arguments, connection=connection)
    command = [sys.executable, "-m", "celery", "-A", "bench.naive", "--quiet", "worker", "-c", "2", "-l", "ERROR"]
    with (stack.folder / "naive.log").open("wb") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
    try:
        total = select(func.sum(naive.TABLE.c.requests))
        used = _until(lambda: _scalar(engine, total) == SINGLES, process.pid)
    finally:
        process.terminate()
        process.wait(20)
    return used / SINGLES * 1e6


def _until(done: Callable[[], bool], pid: int) -> float:
    """Wait, and return the CPU seconds of a worker and its children, without those of their start."""
    parent = psutil.Process(pid)
    ends = time.monotonic() + 300
    while not done() and time.monotonic() < ends:
        time.sleep(0.05)
    if not done():
        raise RuntimeError("the worker did not finish within 300 s")
    used = 0.0
    for process in [parent, *parent.children(recursive=True)]:
        times = process.cpu_times()
        used += times.user + times.system
    return used - _START


def _scalar(engine: Engine, statement: Any) -> int:
    with engine.connect() as connection:
        return int(connection.execute(statement).scalar() or 0)


def _start_cost() -> float:
    """Return the CPU seconds to import a worker. The rest of its start counts as work, for both contenders."""
    before = os.times()
    subprocess.run([sys.executable, "-c", "import alertworker.worker.tasks"], check=True)
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


_START = _start_cost()
