"""PagerDuty's events: the action of each step of an alert, and the targets of links."""

from __future__ import annotations

import json
from typing import Any

import pytest

from alertworker.alerts.catalogue import TRACE, Severity
from alertworker.alerts.message import Message, Step
from tests.contract.cases import ID, message, outage
from tests.contract.kinds import sent
from tests.contract.vendors.pagerduty import ROUTING_KEY


def event(made: Message) -> dict[str, Any]:
    """Return the posted event."""
    posted: dict[str, Any] = json.loads(sent("pagerduty", made).body)
    return posted


@pytest.mark.parametrize(
    ("step", "action"),
    [
        (Step.NOTICE, "trigger"),
        (Step.FIRING, "trigger"),
        (Step.SUMMARY, "trigger"),
        (Step.REMINDER, "trigger"),
        (Step.RESOLVED, "resolve"),
        (Step.FIRED_AND_RESOLVED, "resolve"),
        (Step.TEST, "trigger"),
    ],
)
def test_every_step_of_an_alert_is_about_one_incident(step: Step, action: str) -> None:
    """The key is the alert's id. Another generation is another incident."""
    posted = event(outage(step=step))

    assert (posted["event_action"], posted["dedup_key"], posted["routing_key"]) == (action, ID, ROUTING_KEY)


@pytest.mark.parametrize(("severity", "theirs"), list(zip(Severity, ["warning", "error", "critical"], strict=True)))
def test_each_severity_has_its_own(severity: Severity, theirs: str) -> None:
    """LiteLLM has three. "info", the lowest of PagerDuty's four, is for tests."""
    assert event(outage(severity=severity))["payload"]["severity"] == theirs
    assert event(outage(severity=severity, step=Step.TEST))["payload"]["severity"] == "info"


def test_links_lead_to_the_proxy_and_to_the_trace_and_nowhere_else() -> None:
    """A caller's string may be a URL. It becomes no link, and there are no images from elsewhere."""
    trace = "https://langfuse.example/trace/1"
    posted = event(message(facts={TRACE: trace, "Team": "https://evil.example"}, proxy_url="https://proxy.example"))

    assert posted["links"] == [
        {"href": "https://proxy.example", "text": "LLM proxy"},
        {"href": trace, "text": "Trace"},
    ]
    assert posted["client_url"] == "https://proxy.example"
    assert "images" not in posted
    for address in ("javascript:alert(1)", "https://a b.example", "https://x.example\n", ""):
        assert not {"links", "client_url"} & event(message(facts={TRACE: address}, proxy_url=address)).keys()


def test_facts_labels_and_metadata_never_cover_our_fields() -> None:
    """Facts, labels and metadata are separate objects, so their names may be equal."""
    details = event(message(facts={"count": "f"}, labels={"count": "l"}, metadata={"count": "m"}, total=7))["payload"]

    assert details["custom_details"]["count"] == 7
    named = {room: details["custom_details"][room]["count"] for room in ("facts", "labels", "metadata")}
    assert named == {"facts": "f", "labels": "l", "metadata": "m"}
