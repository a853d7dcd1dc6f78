"""The advice: a line for each type and severity, the operator's own, and none if no action is needed."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from alertworker.alerts.advice import Annotations, advise, advise_in, annotate
from alertworker.alerts.alert import Subject
from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.compose import compose
from alertworker.alerts.message import Message, Step
from alertworker.channels.plain_text import with_advice
from alertworker.delivery.coalescing import compose_digest
from alertworker.text.shorten import CUT

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
SUBJECT = Subject(
    id="1",
    type=AlertType.OUTAGE_ALERTS,
    severity=Severity.HIGH,
    headline="Major Service Outage: d1",
    labels={"deployment": "d1"},
    first_at=NOW,
    last_at=NOW,
)
SCOPES = ("", "model", "credential", "caller")


def made(step: Step = Step.FIRING, **more: object) -> Message:
    """Return a message about an outage."""
    return compose(replace(SUBJECT, **more), step, at=NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize("alert_type", list(AlertType))
@pytest.mark.parametrize("severity", list(Severity))
@pytest.mark.parametrize("scope", SCOPES)
def test_every_type_and_severity_has_a_line_of_at_most_two_sentences(
    alert_type: AlertType, severity: Severity, scope: str
) -> None:
    """It fits into one line of every channel, and has no markup, which a channel would show as it is."""
    text = advise(alert_type, severity, {"scope": scope} if scope else {})

    assert 20 < len(text) <= 220
    assert 1 <= len(re.findall(r"[.:?](?: |$)", text.replace(": ", " "))) <= 2
    assert text[0].isupper()
    assert text.endswith(".")
    assert not set(text) & set("`*<>|[]{}")


def test_it_differs_where_the_severity_does() -> None:
    """A person who is paged reads something else than a person who looks in the morning."""
    for alert_type in (AlertType.OUTAGE_ALERTS, AlertType.REGION_OUTAGE_ALERTS, AlertType.PUBLISHER_LOST):
        assert advise(alert_type, Severity.MEDIUM, {}) != advise(alert_type, Severity.HIGH, {})


def test_spend_that_litellm_could_not_record_is_not_a_missing_price() -> None:
    """The callback's alert of this type is about a model without a price."""
    own = advise(AlertType.FAILED_TRACKING_SPEND, Severity.HIGH, {})
    relayed = advise(AlertType.FAILED_TRACKING_SPEND, Severity.HIGH, {"relayed_from": "litellm"})
    assert ("input_cost_per_token" in own, "input_cost_per_token" in relayed) == (True, False)
    assert "could not record spend" in relayed
    assert len(relayed) <= 220


@pytest.mark.parametrize("step", list(Step))
def test_only_messages_that_ask_for_something_have_the_line(step: Step) -> None:
    """The end of a condition, a test and a customer's call need no action."""
    quiet = step in {Step.RESOLVED, Step.FIRED_AND_RESOLVED, Step.TRACKED, Step.TEST}
    assert bool(advise_in(step, SUBJECT.type, SUBJECT.severity, {})) is not quiet
    assert bool(made(step).what_to_do) is not quiet
    annotated = annotate(made(step), Annotations("Call us.", "https://wiki.example/x"))
    assert (annotated.what_to_do, annotated.runbook_url) == (
        ("", None) if quiet else ("Call us.", "https://wiki.example/x")
    )


def test_a_runbook_alone_keeps_our_line() -> None:
    """A note replaces it."""
    ours = made().what_to_do
    assert annotate(made(), Annotations(runbook_url="https://wiki.example/x")).what_to_do == ours
    assert annotate(made(), Annotations(note="Call us.")).what_to_do == "Call us."


def test_a_digest_has_the_advice_of_its_most_urgent_alert() -> None:
    """An alert that has ended needs nothing. This holds for every severity."""
    low = made(type=AlertType.LLM_TOO_SLOW, severity=Severity.LOW)
    medium = made(type=AlertType.COOLDOWN_DEPLOYMENT, severity=Severity.MEDIUM)
    digest = compose_digest([low, medium, made(Step.RESOLVED)], since=NOW, alert_id="2", now=NOW)

    assert digest.what_to_do == f"cooldown_deployment: {medium.what_to_do}"
    ended = compose_digest([made(Step.RESOLVED)] * 2, since=NOW, alert_id="2", now=NOW)
    assert ended.what_to_do == ""


def test_facts_come_before_advice() -> None:
    """It is left out where a limit would cut facts for it, and not where something is cut anyway."""

    def render(message: Message) -> str:
        text = f'"{message.headline}\\n{message.what_to_do}"'
        return text if len(text) < 40 else f'"{message.headline[:20]}{CUT}\\n{message.what_to_do}"'

    short, long = made(headline="x" * 30), made(headline="x" * 50)
    short, long = (one.model_copy(update={"what_to_do": "Call us now."}) for one in (short, long))
    assert with_advice(short, render) == render(short.without_advice())
    assert with_advice(long, render) == render(long)
