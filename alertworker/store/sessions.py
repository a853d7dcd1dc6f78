"""Sessions of the pages in SQL. Every process that serves pages sees the same ones."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select
from typing_extensions import override

from alertworker.ports.sessions import SessionPort
from alertworker.store.connection import ConnectionRunner
from alertworker.store.schema.sessions import SESSIONS


class SessionStore(ConnectionRunner, SessionPort):
    """Sessions in SQL, each method in a transaction of its own."""

    @override
    def add(self, digest: str, name: str, csrf: str, *, ends_at: datetime, now: datetime) -> None:
        def work(connection: Connection) -> None:
            connection.execute(delete(SESSIONS).where(SESSIONS.c.ends_at <= now))
            connection.execute(insert(SESSIONS).values(digest=digest, name=name, csrf=csrf, ends_at=ends_at))

        self.on_connection(work)

    @override
    def find(self, digest: str, *, now: datetime) -> tuple[str, str] | None:
        statement = select(SESSIONS.c.name, SESSIONS.c.csrf).where(
            SESSIONS.c.digest == digest, SESSIONS.c.ends_at > now
        )
        row = self.read_on_connection(lambda connection: connection.execute(statement).first())
        return None if row is None else (row.name, row.csrf)

    @override
    def end(self, digest: str) -> None:
        self.on_connection(lambda connection: connection.execute(delete(SESSIONS).where(SESSIONS.c.digest == digest)))
