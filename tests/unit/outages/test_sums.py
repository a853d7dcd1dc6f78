"""The sums of outages: additive for every cut into batches, and one failed call counts once on a deployment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertworker.events import AttemptFailed, Event, FailedOn, Origin, RequestFailed, RequestSucceeded
from alertworker.outages.rows import (
    CallKey,
    CallSums,
    CauseKey,
    CauseSums,
    CredentialKey,
    FailingKey,
    KeyFailures,
    ModelCallKey,
    RefusalKey,
    RefusalSums,
    WindowKey,
    WindowSums,
)
from alertworker.outages.sums import OutageSums

START = datetime(2026, 11, 23, 14, tzinfo=UTC)
MOMENT = int(START.timestamp())
#: The sums whose newest or greatest value counts. The others are added up.
GREATEST = {"last_success", "last_failure", "last_refusal", "model"}


def facts(after: float = 0, **more: object) -> dict[str, object]:
    """Return the fields of a call on deployment d1 that happened some seconds after `START`."""
    at = START + timedelta(seconds=after)
    where = {"deployment_id": "d1", "provider": "openai", "region": "eu", "model_group": "gpt", "team_id": "t"}
    return {"call_id": "c", "started_at": at, "occurred_at": at, **where, **more}


def attempt(after: float = 0, *, status: object = 503, **more: object) -> AttemptFailed:
    """Return a failed attempt."""
    why = {"error_class": "APIError", "status_code": status, "origin": Origin.PROVIDER}
    return AttemptFailed.model_validate({**facts(after, **more), "failure": why})


def success(after: float = 0, **more: object) -> RequestSucceeded:
    """Return an answered call."""
    own = facts(after, **more)
    return RequestSucceeded.model_validate({**own, "ended_at": own["occurred_at"]})


def failure(after: float = 0, *, error_class: object = "APIError", **more: object) -> RequestFailed:
    """Return a call that ended without an answer."""
    own = facts(after, **more)
    why = {"error_class": error_class, "status_code": 503, "origin": Origin.PROVIDER}
    return RequestFailed.model_validate({**own, "ended_at": own["occurred_at"], "failure": why})


def sums_of(events: Iterable[Event]) -> OutageSums:
    """Add events up."""
    sums = OutageSums()
    for event in events:
        if isinstance(event, AttemptFailed):
            sums.add_attempt(event, event.occurred_at.timestamp())
        elif isinstance(event, RequestSucceeded | RequestFailed):
            sums.add_end(event, event.occurred_at.timestamp())
    return sums


@st.composite
def calls(draw: st.DrawFn) -> Event:
    """Return any end or failed attempt within a minute."""
    more: dict[str, object] = {
        "deployment_id": draw(st.sampled_from(["d1", "d2"])),
        "credential": draw(st.sampled_from([None, "0123456789ab"])),
        "key_hash": draw(st.sampled_from([None, "k1", "k2"])),
        "team_id": draw(st.sampled_from([None, "search"])),
        "model_group": draw(st.sampled_from(["gpt", "mistral"])),
    }
    after = draw(st.integers(0, 60_000)) / 1_000
    if draw(st.booleans()):
        return attempt(after, status=draw(st.sampled_from([401, 403, 429, 503, 400])), **more)
    failed_on = draw(st.lists(st.sampled_from(["d1", "d2"]), max_size=2))
    more["failed_on"] = [FailedOn(deployment_id=name) for name in failed_on]
    more["fallbacks"] = draw(st.integers(0, 1))
    return success(after, **more) if draw(st.booleans()) else failure(after, **more)


def merged(batches: list[OutageSums]) -> dict[str, dict[object, dict[str, object]]]:
    """Add the rows of batches up as the store does."""
    tables: dict[str, dict[object, dict[str, object]]] = {}
    for batch in batches:
        for table in ("windows", "causes", "calls", "models", "failing_keys", "refusals"):
            rows = tables.setdefault(table, {})
            for key, sums in getattr(batch, table).items():
                own = asdict(sums)
                rows[key] = {name: _merge(name, rows[key][name], own[name]) for name in own} if key in rows else own
    return tables


def _merge(name: str, one: Any, other: Any) -> object:
    if name in GREATEST:
        return max(one, other)
    return min(one, other) if name == "first_failure" else one + other


@given(st.lists(st.tuples(calls(), st.integers(0, 3)), max_size=30))
def test_any_cutting_of_the_same_calls_adds_up_to_the_same(cut: list[tuple[Event, int]]) -> None:
    """Four batches in any order add up to one batch."""
    batches = [sums_of(call for call, part in cut if part == number) for number in range(4)]

    assert merged(batches[::-1]) == merged([sums_of(call for call, _ in cut)])


def test_a_failed_call_is_counted_by_cause_key_and_credential() -> None:
    """Each table has the row of the call's deployment in the bucket of its own time."""
    sums = sums_of([attempt(12.5, status=401, credential="0123456789ab", key_hash="k1")])

    bucket, at = MOMENT + 10, MOMENT * 1_000 + 12_500
    assert sums.windows == {WindowKey("d1", "openai", "eu", bucket): WindowSums(model="gpt")}
    assert sums.causes == {CauseKey("d1", "openai", "eu", bucket, "401"): CauseSums(1, at, at)}
    assert sums.failing_keys == {FailingKey("d1", "openai", "eu", bucket, "k1"): KeyFailures(1, "gpt")}
    assert sums.refusals == {RefusalKey("openai", "0123456789ab", "d1", "eu", bucket): RefusalSums(1, 0, at, "gpt")}
    assert sums.rows == 3  # the window, the cause and the key


@pytest.mark.parametrize(
    "event",
    [attempt(first_on_deployment=False), attempt(status=400)],
    ids=["retried on the deployment", "the caller's mistake"],
)
def test_an_attempt_that_blames_nobody_has_only_its_window(event: AttemptFailed) -> None:
    """Causes are read together with the row of their bucket."""
    sums = sums_of([event])

    assert sums.windows.keys() == {WindowKey("d1", "openai", "eu", MOMENT)}
    assert not sums.causes
    assert not sums.blamed


def test_a_call_that_failed_on_its_deployment_before_is_no_success_there() -> None:
    """A call counts once on a deployment, and the retry says that the deployment answers again."""
    retried = success(1, failed_on=[FailedOn(deployment_id="d1")], credential="0123456789ab")

    sums = sums_of([retried, success(2)])

    at = MOMENT * 1_000 + 2_000
    assert sums.windows == {WindowKey("d1", "openai", "eu", MOMENT): WindowSums(1, at, "gpt")}
    assert sums.accepted == {CredentialKey("openai", "0123456789ab"): MOMENT}
    assert sums.calls == {CallKey("d1", "", "", MOMENT, "t"): CallSums(by_retry=1)}


def test_an_empty_id_is_no_deployment() -> None:
    """Outages without a target would be stored. The rest of the event counts."""
    unknown = {"deployment_id": "", "provider": "openai"}
    lost = failure(failed_on=[unknown, {"deployment_id": "d2"}])

    sums = sums_of([lost, attempt(deployment_id="")])

    assert [one.deployment_id for one in lost.failed_on] == ["d2"]
    assert sums.calls == {CallKey("d2", "", "", MOMENT, "t"): CallSums(lost=1)}
    assert not sums.blamed


@pytest.mark.parametrize(
    ("event", "deployment", "expected"),
    [
        (success(failed_on=[FailedOn(deployment_id="d1")], fallbacks=1), "d1", CallSums(by_fallback=1)),
        (success(failed_on=[FailedOn(deployment_id="d1")]), "d1", CallSums(by_retry=1)),
        (failure(failed_on=[FailedOn(deployment_id="d1")]), "d1", CallSums(lost=1)),
        (failure(error_class="RouterRateLimitError", deployment_id=None), "", CallSums(lost=1)),
    ],
    ids=["fallback", "retry", "lost", "no deployment available"],
)
def test_a_models_calls_are_counted_by_how_they_ended(event: Event, deployment: str, expected: CallSums) -> None:
    """The row names the first deployment that failed the call, or none if all were cooling down."""
    assert sums_of([event]).models == {ModelCallKey("gpt", deployment, MOMENT, "t"): expected}


def test_health_checks_are_neither_success_nor_failure() -> None:
    """A proxy's own checks would hide an outage at low traffic, or make one."""
    checks = [success(health_check=True), failure(health_check=True), attempt(health_check=True)]

    assert sums_of(checks) == OutageSums()
