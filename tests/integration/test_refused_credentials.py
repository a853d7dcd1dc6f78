"""Work with many refused credentials, and the current facts of one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from alertworker.alerts.message import Step
from alertworker.events import AttemptFailed, Event, FailedOn, RequestFailed
from alertworker.pipeline import Runtime, ingest, sweep
from alertworker.store import SqlStore
from alertworker.store.schema.alerts import ALERTS
from tests.integration.harness import Outbox, batch, rows, run_until_quiet
from tests.integration.statements import counted
from tests.integration.test_credentials import cooled, refused
from tests.integration.test_outages import after, attempt, ingest_at, lost, pass_time, success

SCOPES = ("credential", "model")


def of(number: int, seconds: float, deployment: str) -> AttemptFailed:
    """Return a refused call with one of many credentials."""
    return refused(seconds, deployment).model_copy(update={"credential": f"{number:012x}", "model_group": "m"})


def refuse(runtime: Runtime, numbers: Sequence[int]) -> None:
    ingest_at(runtime, *[of(number, n, f"r{number}") for number in numbers for n in range(6)], at=6)


def starved(seconds: float, model: str = "gpt-4o") -> RequestFailed:
    """Return a call for which the router found no deployment."""
    failure = lost().failure.model_copy(update={"error_class": "RouterRateLimitError", "status_code": 429})
    return lost(seconds, deployment_id=None, provider=None, failure=failure, model_group=model)


def lost_on(seconds: float, *deployments: str) -> RequestFailed:
    return lost(seconds, failed_on=tuple(FailedOn(deployment_id=name, provider="azure") for name in deployments))


def test_statements_do_not_grow_with_refused_credentials(runtime: Runtime, store: SqlStore) -> None:
    """A batch has outages, cooldowns and lost calls that may be explained."""

    def hurt(at: float, mark: str) -> list[Event]:
        deployments = [f"{mark}{number}" for number in range(3)]
        events: list[Event] = [
            attempt(at + n, deployment=name, status=401).model_copy(update={"model_group": mark, "provider": mark})
            for n in range(6)
            for name in deployments
        ]
        return [
            *events,
            cooled(at + 7, deployments[0]),
            starved(at + 7, mark),
            *[lost_on(at + 7, name).model_copy(update={"model_group": mark}) for name in deployments],
        ]

    refuse(runtime, range(3))
    ingest(batch(*hurt(20, "a")), runtime, now=after(40))
    with counted(store.engine) as few:
        ingest(batch(*hurt(20, "b")), runtime, now=after(40))
    refuse(runtime, range(3, 40))
    with counted(store.engine) as many:
        ingest(batch(*hurt(20, "c")), runtime, now=after(40))
    assert many.statements == few.statements


def test_other_refused_credentials_are_not_read(runtime: Runtime, store: SqlStore) -> None:
    """With 500 of them, a batch with one failure took 2 s instead of 0.1 s."""

    def hurt(mark: str) -> list[Event]:
        failures = [attempt(20 + n, deployment=mark, status=401) for n in range(6)]
        return [event.model_copy(update={"model_group": mark, "provider": mark}) for event in failures]

    refuse(runtime, range(3))
    ingest(batch(*hurt("a")), runtime, now=after(40))
    with counted(store.engine) as few:
        ingest(batch(*hurt("b")), runtime, now=after(40))
    refuse(runtime, range(3, 40))
    with counted(store.engine) as many:
        ingest(batch(*hurt("c")), runtime, now=after(40))
    assert (many.statements, many.rows) == (few.statements, few.rows)


def test_ends_of_credentials_are_judged_by_few_statements(runtime: Runtime, store: SqlStore) -> None:
    refuse(runtime, range(3))
    pass_time(runtime, 60)
    with counted(store.engine) as few:
        sweep(runtime, now=after(61))
    refuse(runtime, range(3, 40))
    pass_time(runtime, 90)
    with counted(store.engine) as many:
        sweep(runtime, now=after(91))
    assert many.statements == few.statements


def test_the_end_counts_all_calls(runtime: Runtime, outbox: Outbox) -> None:
    """Calls that end after the last refusal count, and calls for which the router found no deployment."""
    ingest_at(runtime, *[refused(n) for n in range(6)], at=6)
    ingest_at(runtime, *[lost_on(n, "d1") for n in range(6)], at=20)
    run_until_quiet(runtime, after(20))
    ingest_at(runtime, *[starved(20 + n) for n in range(30)], at=60)
    ingest_at(runtime, success(100), at=100)
    pass_time(runtime, 2_000)
    ends = [message for message in outbox.sent if message.step is Step.RESOLVED]
    assert [message.facts["Calls lost"] for message in ends] == ["36 (search ×36)"]
    assert ends[0].facts["Attempts"] == "6 of 6 failed in 10 s"


def test_a_call_that_is_retried_with_the_same_credential_is_lost_once(runtime: Runtime, outbox: Outbox) -> None:
    failing = [refused(n, name) for n in range(6) for name in ("d1", "d2")]
    ingest_at(runtime, *failing, *[lost_on(n, "d1", "d2") for n in range(6)], at=7)
    run_until_quiet(runtime, after(8))
    (message,) = (message for message in outbox.sent if "API key refused" in message.headline)
    assert message.facts["Calls lost"] == "6 (search ×6)"


def test_an_explained_outage_ends_with_its_totals(runtime: Runtime, store: SqlStore) -> None:
    """Calls that end without a failed attempt in their batch count, too."""
    ingest_at(runtime, *[refused(n) for n in range(66)], at=66)
    for start in (0, 30):
        ingest_at(runtime, *[lost_on(start + n, "d1") for n in range(30)], at=90)
    ingest_at(runtime, success(100), at=100)
    pass_time(runtime, 2_000)
    (outage,) = (
        row for row in rows(store, ALERTS) if row.labels.get("deployment") == "d1" and row.type == "outage_alerts"
    )
    assert outage.closed_at is not None
    assert outage.facts["Attempts"].startswith("66 of 66 failed")
    assert outage.facts["Calls lost"] == "60 (search ×60)"


@pytest.mark.parametrize("deployments", [1, 40])
def test_harm_on_one_deployment_is_harm_of_the_credential(runtime: Runtime, outbox: Outbox, deployments: int) -> None:
    """The credential inhibits the outage of that deployment, so it is as severe."""
    failing = [refused(n, f"d{n % deployments}") for n in range(10 * deployments)]
    saved = [
        success(n, deployment="other", failed_on=(FailedOn(deployment_id=f"d{n % deployments}", provider="azure"),))
        for n in range(50)
    ]
    ingest_at(runtime, *failing, *saved, *[lost_on(n, "d0") for n in range(6)], at=400)
    run_until_quiet(runtime, after(400))
    assert {message.severity for message in outbox.sent if "API key refused" in message.headline} == {"High"}


def alerts_of(store: SqlStore) -> list[tuple[str, int, bool]]:
    """Return the credential, the number of calls and whether it is open, of each condition of refused credentials."""
    found = [row for row in rows(store, ALERTS) if row.labels.get("scope") == "credential"]
    return sorted((row.labels["credential"], row.count, row.closed_at is None) for row in found)


def test_many_refused_credentials_share_a_condition(runtime: Runtime, store: SqlStore, outbox: Outbox) -> None:
    """A provider that refuses all keys of a proxy is one message. Credentials with a condition keep it."""
    refuse(runtime, [1, 2])
    refuse(runtime, range(1, 60))
    assert alerts_of(store) == [("(many) azure", 57 * 6, True), (f"{1:012x}", 12, True), (f"{2:012x}", 12, True)]
    run_until_quiet(runtime, after(7))
    told = [message.headline for message in outbox.sent if message.step is Step.FIRING]
    assert sum("API keys refused" in headline for headline in told) == 1
    assert len(told) == 3, "the outages of the deployments are explained"


def test_a_shared_condition_ends_with_its_last_credential(runtime: Runtime, store: SqlStore) -> None:
    refuse(runtime, range(30))
    assert alerts_of(store) == [("(many) azure", 180, True)]
    refuse(runtime, [3])
    assert alerts_of(store) == [("(many) azure", 186, True)]

    def works(numbers: Sequence[int], at: float) -> None:
        answers = [success(at, deployment=f"r{number}", credential=f"{number:012x}") for number in numbers]
        ingest_at(runtime, *answers, at=at)

    works(range(29), 100)
    pass_time(runtime, 200)
    assert alerts_of(store) == [("(many) azure", 186, True)]
    works([29], 210)
    pass_time(runtime, 400)
    assert alerts_of(store) == [("(many) azure", 186, False)]
    left = [row for row in rows(store, ALERTS) if row.closed_at is None]
    assert [row.headline for row in left if row.labels["deployment"]] == [], "their outages end with it"


def test_a_shared_condition_explains_outages_of_its_own_provider_alone(runtime: Runtime, store: SqlStore) -> None:
    """The end of one provider's condition must not end what the other one's explains."""
    for provider in ("azure", "openai"):
        events = [of(number, n, f"{provider}-{number}") for number in range(25) for n in range(6)]
        own = {"provider": provider, "model_group": provider}
        ingest_at(runtime, *[event.model_copy(update=own) for event in events], at=6)
    scopes = {scope: [row for row in rows(store, ALERTS) if row.labels.get("scope") == scope] for scope in SCOPES}
    conditions = {row.labels["provider"]: f"alert {row.id}" for row in scopes["credential"]}
    assert {row.labels["provider"]: row.suppressed_by for row in scopes["model"]} == conditions
    assert len(set(conditions.values())) == 2


#: Deployments with their model and region. Only the first one gets calls again.
PLACES = {"d1": ("used", "eu"), "d2": ("rare", "eu"), "d3": ("rare", "us")}


def refused_everywhere(number: int) -> list[Event]:
    """Return refused calls with a credential on deployments of its own, in two models and two regions."""
    own = {"credential": f"{number:012x}"}
    return [
        refused(n, f"{name}-{number}", region=region).model_copy(update={"model_group": f"{model}-{number}", **own})
        for n in range(6)
        for name, (model, region) in PLACES.items()
    ]


def works_again(number: int, at: float) -> Event:
    own = {"credential": f"{number:012x}", "model_group": f"used-{number}"}
    return success(at, deployment=f"d1-{number}", region="eu", **own)


def open_outages(store: SqlStore) -> set[str]:
    """Return the scope, deployment or region of each open outage."""
    found = [row.labels for row in rows(store, ALERTS) if row.closed_at is None and "outage" in row.type]
    return {labels.get("scope") or labels.get("deployment") or labels["region"] for labels in found}


def test_all_that_a_credential_explains_ends_with_it(runtime: Runtime, store: SqlStore, outbox: Outbox) -> None:
    """Also an outage of a model that gets no calls. It stayed open for a day."""
    ingest_at(runtime, *refused_everywhere(1), at=6)
    assert open_outages(store) >= {"credential", "provider", "model", *(f"{name}-1" for name in PLACES)}
    run_until_quiet(runtime, after(7))
    ingest_at(runtime, works_again(1, 100), at=100)
    pass_time(runtime, 200)
    assert open_outages(store) == set()
    assert [message.step for message in outbox.sent] == [Step.FIRING, Step.RESOLVED]


def test_all_that_a_shared_condition_explains_ends_with_it(runtime: Runtime, store: SqlStore, outbox: Outbox) -> None:
    """Also what a credential explained that ended earlier than the last one."""
    for part in range(0, 24, 8):
        ingest_at(runtime, *[event for number in range(part, part + 8) for event in refused_everywhere(number)], at=6)
    ingest_at(runtime, *[works_again(number, 100) for number in range(23)], at=100)
    pass_time(runtime, 200)
    ingest_at(runtime, works_again(23, 210), at=210)
    pass_time(runtime, 300)
    assert open_outages(store) == set()
