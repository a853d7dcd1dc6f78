"""Refused credentials: what proves one, how bad it is, and when it is over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alertworker.alerts.catalogue import Severity
from alertworker.outages.credentials import (
    CredentialState,
    RefusalReport,
    Refusals,
    ended,
    grade_of,
    judge_credential,
    unserved_models,
)
from alertworker.outages.ending import End
from alertworker.outages.policy import Limits
from alertworker.outages.rows import CredentialKey
from alertworker.outages.windows import Calls

LIMITS = Limits(seconds=60, minor=5, major=10, share=0.1)
KEY = CredentialKey("openai", "0123456789ab")


def refused(deployment: str, count: int, *, last: int = 100, model: str = "gpt-4o", forbidden: int = 0) -> Refusals:
    return Refusals(deployment, "", model, count - forbidden, forbidden, 0, last, last * 1_000)


def test_refusals_of_all_deployments_count_together() -> None:
    """Cooldowns keep each deployment under its threshold."""
    found = judge_credential([refused("d1", 2), refused("d2", 3, forbidden=1)], LIMITS)
    assert found is not None
    assert (found.failed, found.causes, set(found.failures)) == (5, {"401": 4, "403": 1}, {"d1", "d2"})
    assert judge_credential([refused("d1", 3)], LIMITS) is None
    assert judge_credential([], LIMITS) is None
    assert judge_credential([refused("d1", 40)], Limits(seconds=60, minor=5, major=10)) is None


@pytest.mark.parametrize(
    ("calls", "alone", "expected"),
    [
        (Calls(by_retry=20), (), Severity.MEDIUM),
        (Calls(by_retry=20, lost={"a": 2}), (), Severity.MEDIUM),
        (Calls(by_retry=10, lost={"a": 2, "b": 1}), (), Severity.HIGH),
        (Calls(by_fallback=3), ("o3",), Severity.HIGH),
    ],
)
def test_the_severity_follows_harm(calls: Calls, alone: tuple[str, ...], expected: Severity) -> None:
    """Lost calls hurt, and so does a model that only a fallback replaces."""
    rows = (refused("d1", 20),)
    verdict = judge_credential(rows, LIMITS)
    assert verdict is not None
    assert grade_of(verdict, RefusalReport(KEY, rows, calls, alone)).severity is expected


def test_three_lost_calls_of_many_are_chance() -> None:
    """Calls are lost on healthy deployments, too."""
    rows = (refused("d1", 100),)
    verdict = judge_credential(rows, LIMITS)
    assert verdict is not None
    assert (
        grade_of(verdict, RefusalReport(KEY, rows, Calls(by_retry=97, lost={"a": 3}), ())).severity is Severity.MEDIUM
    )


def test_a_model_that_no_retry_serves_has_no_other_credential() -> None:
    """Too few calls prove nothing."""
    rows = [refused("d1", 9, model="o3"), refused("d2", 9), refused("d3", 9), refused("d4", 9, model="new")]
    calls = {
        "d1": Calls(by_fallback=3),
        "d2": Calls(by_fallback=3),
        "d3": Calls(by_retry=1),
        "d4": Calls(by_fallback=2),
    }
    assert unserved_models(rows, calls) == ("o3",)


@pytest.mark.parametrize(
    ("state", "successes", "until", "expected"),
    [
        (CredentialState(), {}, 200, None),
        (CredentialState(last_success=110), {}, 200, End.RECOVERED),
        (CredentialState(last_success=90), {}, 200, None),
        (CredentialState(last_success=110), {}, 100, None),  # more refusals may still arrive
        (CredentialState(), {"d1": 110_000}, 200, None),  # d2 may be refused yet
        (CredentialState(), {"d1": 110_000, "d2": 110_000}, 200, End.RECOVERED),  # a new key
        (CredentialState(), {"d1": 110_000}, 1_200, End.RECOVERED),  # and d2 gets no calls
        (CredentialState(), {}, 86_000, None),
        (CredentialState(), {}, 87_000, End.UNKNOWN),
    ],
)
def test_it_ends_with_a_success(
    state: CredentialState, successes: dict[str, int], until: int, expected: End | None
) -> None:
    """The success is with this credential, or with its replacement on the same deployments."""
    assert ended([refused("d1", 5), refused("d2", 5)], state, successes, until=until) is expected


def test_refusals_that_prove_it_are_enough() -> None:
    """Four of four are an evidence of 18.4. With a stray failure they are an outage of their deployment."""
    found = judge_credential([refused("d1", 4)], LIMITS)

    assert found is not None
    assert found.failed == 4
    assert judge_credential([refused("d1", 4)], replace(LIMITS, tolerated=0.05)) is None
