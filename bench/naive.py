"""The usual design: one Celery task per event, which validates the event and adds it to its team by one upsert."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from sqlalchemy import BigInteger, Column, MetaData, String, Table
from sqlalchemy.dialects import postgresql, sqlite

from alertworker.events import EVENT
from alertworker.publisher.topology import transport_options
from alertworker.store import make_engine

TABLE = Table(
    "bench_spend",
    MetaData(),
    Column("team_id", String(256), primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("spend_nanos", BigInteger, nullable=False),
)
app = Celery("naive", broker=os.environ.get("BENCH_BROKER_URL"))
app.conf.task_ignore_result = True
app.conf.task_acks_late = True
app.conf.broker_transport_options = transport_options("redis://")
_engine: list[Any] = []


@app.task
def record(event: dict[str, Any]) -> None:
    """Validate one event and add it to its team."""
    if not _engine:
        _engine.append(make_engine(os.environ["ALERTWORKER_DATABASE_URL"]))
    engine = _engine[0]
    valid = EVENT.validate_python(event)
    insert = sqlite.insert if engine.dialect.name == "sqlite" else postgresql.insert
    row = {"team_id": valid.team_id, "requests": 1, "spend_nanos": valid.cost_nanos or 0}
    statement = insert(TABLE).values(row)
    sums = {name: TABLE.c[name] + statement.excluded[name] for name in ("requests", "spend_nanos")}
    with engine.begin() as connection:
        connection.execute(statement.on_conflict_do_update(index_elements=["team_id"], set_=sums))
