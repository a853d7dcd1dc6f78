"""Failed calls: the headline of a notice distinguishes it from other notices."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from alertworker.detectors.llm import exceptions
from alertworker.detectors.policy import Policy
from alertworker.events import Failure, Origin, RequestFailed
from alertworker.folding import fold

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)


def headlines(*places: dict[str, str]) -> list[str]:
    """Return the headlines of calls for one model that failed at these places."""
    failure = Failure(error_class="AuthenticationError", status_code=401, origin=Origin.PROVIDER)
    moments = dict.fromkeys(("started_at", "ended_at", "occurred_at"), NOW)
    events = [
        RequestFailed.model_validate({"call_id": "c", "model_group": "fast", "failure": failure, **moments, **place})
        for place in places
    ]
    folded = fold(events, slow_seconds=300, zone=ZoneInfo("UTC"), now=NOW)
    return [alert.headline for alert in exceptions(folded, Policy())]


def test_failures_on_two_deployments_of_a_model_have_different_headlines() -> None:
    """They are two notices. Two keys of one provider differ in the deployment's id alone."""
    ids = ("0c5b1f0a-7f0e-4f7b-9a55-0d6b7a1c2e3f", "4e8f6a11-1b2c-4d5e-8f90-a1b2c3d4e5f6")
    where = {"model": "gpt-4o", "provider": "openai"}
    assert headlines(*({"deployment_id": one, **where} for one in ids)) == [
        "LLM API call failed: fast · AuthenticationError 401 · openai/gpt-4o (0c5b1f0a…)",
        "LLM API call failed: fast · AuthenticationError 401 · openai/gpt-4o (4e8f6a11…)",
    ]


def test_a_failure_without_a_deployment_names_none() -> None:
    """The router found none, or the producer did not report it."""
    assert headlines({}) == ["LLM API call failed: fast · AuthenticationError 401"]
