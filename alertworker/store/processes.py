"""Our own running processes in SQL."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, select
from typing_extensions import override

from alertworker.ports.processes import GONE_AFTER, Process, ProcessPort
from alertworker.store.connection import ConnectionRunner, columns_of
from alertworker.store.schema.processes import PROCESSES
from alertworker.store.upsert import insert_or

_KEY: Final = ("host", "role", "pid")
#: Processes of one pool start within this time.
_TOGETHER: Final = timedelta(seconds=2)


class ProcessStore(ConnectionRunner, ProcessPort):
    """Running processes in SQL, each method in a transaction of its own."""

    @override
    def publish(self, process: Process) -> None:
        row = asdict(process)
        # The processes that this one replaced on its host are removed, too. A sibling that still runs publishes itself
        # again.
        replaced = (PROCESSES.c.host == process.host) & (PROCESSES.c.role == process.role)
        is_gone = (PROCESSES.c.seen_at < process.seen_at - GONE_AFTER) | (
            replaced & (PROCESSES.c.seen_at < process.started_at - _TOGETHER)
        )

        def work(connection: Connection) -> None:
            connection.execute(delete(PROCESSES).where(is_gone))
            changes = {name: value for name, value in row.items() if name not in _KEY}
            statement = insert_or(connection, PROCESSES).values(row)
            connection.execute(statement.on_conflict_do_update(index_elements=_KEY, set_=changes))

        self.on_connection(work)

    @override
    def running(self, *, now: datetime) -> list[Process]:
        order = (PROCESSES.c.role, PROCESSES.c.host, PROCESSES.c.pid)
        statement = select(*columns_of(Process, PROCESSES)).where(PROCESSES.c.seen_at >= now - GONE_AFTER)
        return self.rows(Process, statement.order_by(*order))
