"""PostgreSQL behind a pooler, where each transaction may have another session; and the settings of an address."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import psycopg
import pytest
from sqlalchemy import Engine, text

from alertworker.errors import StoreUnavailable
from alertworker.store import make_engine
from alertworker.store.migrations import has_schema, upgrade
from tests.pgbouncer import pgbouncer

pytestmark = pytest.mark.postgresql


@pytest.fixture
def pooled_url(postgresql_url: str) -> Iterator[str]:
    """Return the address of a new database behind PgBouncer."""
    with psycopg.connect(postgresql_url) as connection:
        user = connection.info.user
    with pgbouncer(user) as port:
        yield f"postgresql://{user}@127.0.0.1:{port}{urlsplit(postgresql_url).path}"


@pytest.fixture(params=["direct", "pooled"])
def url(request: pytest.FixtureRequest) -> str:
    """Return the address of a new database, directly and behind PgBouncer."""
    name = "pooled_url" if request.param == "pooled" else "postgresql_url"
    return str(request.getfixturevalue(name))


def setting(engine: Engine, name: str) -> str:
    with engine.connect() as connection:
        return str(connection.execute(text("SELECT current_setting(:name)"), {"name": name}).scalar())


def tables(url: str, schema: str) -> int:
    engine = make_engine(url)
    with engine.connect() as connection:
        counted = text("SELECT count(*) FROM pg_tables WHERE schemaname = :schema")
        found = int(connection.execute(counted, {"schema": schema}).scalar_one())
    engine.dispose()
    return found


def test_the_time_limits_apply_in_each_transaction(url: str) -> None:
    """A pooler refuses them as startup parameters."""
    engine = make_engine(url)
    for _ in range(3):
        assert setting(engine, "statement_timeout") == "1min"
        assert setting(engine, "lock_timeout") == "20s"
        assert setting(engine, "TimeZone") == "UTC"
    engine.dispose()


def test_no_setting_stays_in_a_session_that_the_pooler_gives_to_others(pooled_url: str) -> None:
    """LiteLLM may use the same pooler, and its statements may take long."""
    engine = make_engine(pooled_url)
    assert setting(engine, "statement_timeout") == "1min"
    with psycopg.connect(pooled_url, autocommit=True) as other:
        for _ in range(4):
            row = other.execute("SHOW statement_timeout").fetchone()
            assert row == ("0",)
    engine.dispose()


def test_statements_are_not_prepared_behind_a_pooler(pooled_url: str) -> None:
    """The next transaction may have a session that does not know the prepared statement."""
    engine = make_engine(pooled_url)
    for _ in range(12):
        with engine.connect() as connection:
            assert connection.execute(text("SELECT 1 WHERE 1 = :one"), {"one": 1}).scalar() == 1
            assert connection.execute(text("SELECT count(*) FROM pg_prepared_statements")).scalar() == 0
    engine.dispose()


@pytest.mark.parametrize("words", ["options=" + quote("-c search_path=own"), "schema=own"])
def test_tables_are_made_in_the_schema_of_the_address(url: str, words: str) -> None:
    """Also a second upgrade finds them there."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("CREATE SCHEMA own")
    for _ in range(2):
        engine = make_engine(f"{url}?{words}")
        upgrade(engine)
        assert has_schema(engine)
        engine.dispose()

    assert tables(url, "own") > 30
    assert tables(url, "public") == 0


def test_the_address_overrides_our_time_limits(url: str) -> None:
    engine = make_engine(f"{url}?options={quote('-c statement_timeout=9s --work-mem=64MB -c timezone=Asia/Tokyo')}")
    assert (setting(engine, "statement_timeout"), setting(engine, "work_mem")) == ("9s", "64MB")
    assert setting(engine, "TimeZone") == "UTC"  # our statements rely on it
    engine.dispose()


def test_an_address_as_prisma_has_it_works(url: str) -> None:
    """People copy LiteLLM's ``DATABASE_URL``."""
    engine = make_engine(f"{url}?schema=public&connection_limit=1&pgbouncer=true&pool_timeout=20&sslaccept=strict")
    assert setting(engine, "search_path") == '"public"'
    assert setting(engine, "statement_timeout") == "1min"
    engine.dispose()


@pytest.mark.parametrize("setting", ["no_such_setting=1", "statement_timeout=soon"])
def test_a_setting_that_the_server_refuses_is_a_sentence(url: str, setting: str) -> None:
    engine = make_engine(f"{url}?options={quote('-c ' + setting)}")
    with pytest.raises(StoreUnavailable, match="refuses a setting in the options of the database's address"):
        upgrade(engine)
    engine.dispose()


@pytest.mark.parametrize(
    ("address", "cause"),
    [
        ("postgresql://127.0.0.1:5432/alertworker_absent", "the database that the address names does not exist"),
        ("postgresql://alertworker_absent:x@127.0.0.1:5432/postgres", "the server refuses the user or the password"),
        ("postgresql://127.0.0.1:1/postgres", "the server cannot be reached; check host and port"),
    ],
)
def test_an_upgrade_without_a_database_is_a_sentence_with_the_cause(address: str, cause: str) -> None:
    engine = make_engine(address)
    with pytest.raises(StoreUnavailable, match=cause) as caught:
        upgrade(engine)
    assert "absent" not in str(caught.value)
    engine.dispose()


def test_a_schema_that_does_not_exist_is_a_sentence(url: str) -> None:
    engine = make_engine(f"{url}?schema=absent")
    with pytest.raises(StoreUnavailable, match="the schema of the search path does not exist; create it"):
        upgrade(engine)
    engine.dispose()


def test_a_user_without_permission_to_create_tables_is_a_sentence(url: str) -> None:
    """From PostgreSQL 15 on only the owner of the database may create tables in the schema public."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("CREATE SCHEMA others")
        admin.execute("CREATE ROLE alertworker_test_guest")
        admin.execute("GRANT USAGE ON SCHEMA others TO alertworker_test_guest")
    engine = make_engine(f"{url}?options={quote('-c search_path=others -c role=alertworker_test_guest')}")
    try:
        with pytest.raises(StoreUnavailable, match="the database user has no permission"):
            upgrade(engine)
    finally:
        engine.dispose()
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute("DROP OWNED BY alertworker_test_guest")
            admin.execute("DROP ROLE alertworker_test_guest")
