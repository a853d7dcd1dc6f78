"""An address with several hosts, or with the folder of a Unix socket, reaches a real PostgreSQL."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from alertworker.store import make_engine


def ask(address: str, question: str) -> str:
    """Return the first value of a query, and close the connection."""
    engine = make_engine(address)
    try:
        with engine.connect() as connection:
            return str(connection.execute(text(question)).scalar())
    finally:
        engine.dispose()


@pytest.mark.postgresql
@pytest.mark.parametrize("hosts", ["127.0.0.1:1,127.0.0.1:5432", "127.0.0.1:1,127.0.0.1"])
def test_the_next_host_answers_for_one_that_is_down(postgresql_url: str, hosts: str) -> None:
    name = urlsplit(postgresql_url).path.strip("/")
    assert ask(f"postgresql://{hosts}/{name}", "SELECT current_database()") == name


@pytest.mark.postgresql
def test_a_unix_socket_is_a_host(postgresql_url: str) -> None:
    """The server may not trust this user on its socket. Then its refusal proves that the socket was found."""
    folder = ask(postgresql_url, "SHOW unix_socket_directories").split(",")[0].strip()
    user, name = ask(postgresql_url, "SELECT current_user"), urlsplit(postgresql_url).path.strip("/")
    address = f"postgresql://{user}@{quote(folder, safe='')}/{name}"
    try:
        answer = ask(address, "SELECT current_database()")
    except OperationalError as error:
        answer = name if "authentication failed" in str(error) else str(error)
    assert answer == name
