"""Sessions of the pages, as the web processes need them from the store."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class SessionPort(Protocol):
    """Sessions by the digest of their cookie. A session is a name, and the token in its forms."""

    def add(self, digest: str, name: str, csrf: str, *, ends_at: datetime, now: datetime) -> None:
        """Keep a new session, and forget those that have expired."""
        ...

    def find(self, digest: str, *, now: datetime) -> tuple[str, str] | None:
        """Return a session's name and token, ``None`` if it ended or never existed."""
        ...

    def end(self, digest: str) -> None:
        """End a session."""
        ...
