"""Windows that workers of the previous version wrote: they name no model, and belong to that of their deployment."""

from __future__ import annotations

from sqlalchemy import update

from alertworker.pipeline import Runtime, ingest
from alertworker.store import SqlStore
from alertworker.store.schema.outages import WINDOWS
from tests.integration.harness import Outbox, batch, run_until_quiet
from tests.integration.statements import counted
from tests.integration.test_model_outages import failing
from tests.integration.test_outages import after, ingest_at, pass_time, success


def forget_model(store: SqlStore, deployment: str, *, since: float) -> None:
    """Write the rows of a deployment as the previous version does."""
    own = (WINDOWS.c.deployment_id == deployment) & (WINDOWS.c.bucket >= int(after(since).timestamp()))
    with store.engine.begin() as connection:
        connection.execute(update(WINDOWS).where(own).values(model=""))


def scopes(outbox: Outbox) -> set[str | None]:
    return {message.labels.get("scope") for message in outbox.sent if message.type == "outage_alerts"}


def test_a_deployment_without_a_model_in_its_rows_answers(runtime: Runtime, store: SqlStore, outbox: Outbox) -> None:
    """Half of the deployments fail. That is no outage of the model."""
    ingest_at(runtime, *[success(n - 2_000, deployment=f"d{n}") for n in (1, 2, 3, 4)], at=4)
    ingest_at(runtime, *[success(60 + n, deployment=name) for n in range(20) for name in ("d3", "d4")], at=80)
    forget_model(store, "d3", since=30)
    forget_model(store, "d4", since=30)
    ingest_at(runtime, *[failing(f"c{n}{name}", 60 + n, name) for n in range(10) for name in ("d1", "d2")], at=81)
    for at in (85, 105, 115):
        pass_time(runtime, at)
    assert scopes(outbox) == {None}


def test_failures_without_a_model_in_their_rows_count(runtime: Runtime, store: SqlStore, outbox: Outbox) -> None:
    ingest_at(runtime, *[success(n, deployment=f"d{n}") for n in (1, 2)], at=4)
    ingest_at(runtime, *[failing(f"c{n}", 60 + n, "d2") for n in range(4)], at=64)
    forget_model(store, "d2", since=30)
    ingest_at(runtime, *[failing(f"e{n}", 70 + n, "d1") for n in range(10)], at=90)
    run_until_quiet(runtime, after(90))
    assert scopes(outbox) == {"model"}


def test_calls_of_producers_without_models_cost_no_more(runtime: Runtime, store: SqlStore) -> None:
    """Their deployments belong to no model."""
    ingest_at(runtime, *[success(n, deployment=f"x{n}", model_group=None) for n in range(3)], at=4)

    def work(mark: str) -> int:
        with counted(store.engine) as done:
            ingest(
                # The provider differs, because an outage of the first deployment counts for its provider's.
                batch(*[failing(f"{mark}{n}", 5 + n, mark, model_group=mark, provider=mark) for n in range(6)]),
                runtime,
                now=after(12),
            )
        return done.statements

    few = work("a")
    ingest_at(runtime, *[success(n, deployment=f"y{n}", model_group=None) for n in range(60)], at=60)
    assert work("b") == few
