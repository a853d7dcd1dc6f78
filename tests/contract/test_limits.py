"""Whatever there is to say and however much of it: nothing over a vendor's limit is sent, and what is cut is seen."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import Entry, Message, Step
from alertworker.text.shorten import CUT
from tests.contract.cases import NOW, message
from tests.contract.corpus import CORPUS
from tests.contract.kinds import CHANNELS, sent
from tests.contract.rules import RULES, SHOWN

KINDS = [kind for kind in CHANNELS if kind != "budget_webhook"]
#: Short and ordinary, anything at all, or something from the corpus and much of it.
TEXTS = st.one_of(
    st.text(max_size=40),
    st.text(max_size=400),
    st.sampled_from(list(CORPUS.values())),
    st.builds(lambda text, times: (text * times)[:2_000], st.sampled_from(list(CORPUS.values())), st.integers(1, 40)),
)
MESSAGES = st.builds(
    message,
    step=st.sampled_from([step for step in Step if step is not Step.DIGEST]),
    severity=st.sampled_from(list(Severity)),
    type=st.sampled_from(list(AlertType)),
    headline=TEXTS,
    facts=st.lists(TEXTS, max_size=60).map(
        lambda values: {f"fact{n}x": value or "-" for n, value in enumerate(values)}
    ),
    metadata=st.dictionaries(st.text(min_size=1, max_size=256), TEXTS, max_size=32),
    labels=st.dictionaries(st.sampled_from(["model", "team", "deployment", "user"]), TEXTS),
    members=st.lists(TEXTS, max_size=50).map(tuple),
    members_more=st.integers(0, 1_000_000),
    total=st.integers(1, 1_000_000_000),
    since=st.integers(0, 10_000_000).map(lambda seconds: NOW - timedelta(seconds=seconds)),
    proxy_url=st.one_of(st.none(), TEXTS),
)


def entry(number: int, headline: str, count: int = 1_000_000) -> Entry:
    """Make one of a digest's messages, with all that is longest."""
    return Entry(
        alert_id=f"{number:08d}-0000-7000-8000-000000000000",
        type=AlertType.MCP_TOOL_DESCRIPTION_BLOCKED,
        severity=Severity.MEDIUM,
        step=Step.RESOLVED,
        headline=headline,
        count=count,
    )


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(made=MESSAGES)
def test_any_message_is_taken(kind: str, made: Message) -> None:
    """It names its alert, and each fact that it leaves out is owned up to."""
    posted = sent(kind, made)

    assert RULES[kind](posted) == []
    shown = SHOWN[kind](posted)
    assert made.alert_id in shown
    if made.step not in (Step.RESOLVED, Step.FIRED_AND_RESOLVED) or kind != "pagerduty":  # a resolve tells nothing
        told = [name for name, value in made.facts.items() if name in shown or not value.strip()]
        assert len(told) == len(made.facts) or CUT in shown


@pytest.mark.parametrize("kind", [kind for kind in KINDS if CHANNELS[kind].digest_size])
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(headline=TEXTS, count=st.integers(1, 1_000_000_000))
def test_the_largest_digest_is_taken_and_names_every_alert(kind: str, headline: str, count: int) -> None:
    """Cutting takes words, never an alert."""
    size = CHANNELS[kind].digest_size
    entries = tuple(entry(number, headline, count) for number in range(size))
    about = ", ".join(f"{size} {alert_type.value}" for alert_type in AlertType)
    made = message(step=Step.DIGEST, entries=entries, facts={}, members=(), headline=f"{size} messages: {about}")
    posted = sent(kind, made)

    assert RULES[kind](posted) == []
    shown = SHOWN[kind](posted)
    assert [one.alert_id for one in entries if one.alert_id not in shown] == []
