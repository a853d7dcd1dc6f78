"""No message, however long, is over a vendor's limit, and a reader sees what was cut."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alertworker.alerts.catalogue import AlertType, Severity
from alertworker.alerts.message import Entry, Message, Step
from alertworker.channels import CHANNELS
from alertworker.channels.plain_text import has_ended
from alertworker.text.shorten import CUT
from tests.contract.cases import NOW, message
from tests.contract.corpus import CORPUS
from tests.contract.kinds import ALERT_KINDS, channel_of, complaints, every_kind_for_alerts, sent, shown

#: Short and ordinary strings, any strings, and repeated strings from the corpus.
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
    what_to_do=st.text(max_size=500),
    runbook_url=st.one_of(st.none(), st.just("https://wiki.example/" + "x" * 400)),
)


def entry(number: int, headline: str, count: int = 1_000_000) -> Entry:
    """Return one of a digest's messages, with the longest value of each field."""
    return Entry(
        alert_id=f"{number:08d}-0000-7000-8000-000000000000",
        type=AlertType.MCP_TOOL_DESCRIPTION_BLOCKED,
        severity=Severity.MEDIUM,
        step=Step.RESOLVED,
        headline=headline,
        count=count,
    )


@every_kind_for_alerts
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(made=MESSAGES)
def test_any_message_is_taken(kind: str, made: Message) -> None:
    """The message names its alert, and shows that facts are left out."""
    posted = sent(kind, made)

    assert complaints(kind, posted) == []
    text = shown(kind, posted)
    assert made.alert_id in text
    if not has_ended(made) or not channel_of(kind).keeps_open:  # what a receiver keeps open is closed without words
        shown_facts = [name for name, value in made.facts.items() if name in text or not value.strip()]
        assert len(shown_facts) == len(made.facts) or CUT in text


@pytest.mark.parametrize("kind", [kind for kind in ALERT_KINDS if CHANNELS[kind].digest_size])
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(headline=TEXTS, count=st.integers(1, 1_000_000_000))
def test_the_largest_digest_is_taken_and_names_every_alert(kind: str, headline: str, count: int) -> None:
    """Words are cut, but no alert is left out."""
    size = channel_of(kind).digest_size
    entries = tuple(entry(number, headline, count) for number in range(size))
    about = ", ".join(f"{size} {alert_type.value}" for alert_type in AlertType)
    made = message(step=Step.DIGEST, entries=entries, facts={}, members=(), headline=f"{size} messages: {about}")
    posted = sent(kind, made)

    assert complaints(kind, posted) == []
    text = shown(kind, posted)
    lacking = [one.alert_id for one in entries if one.alert_id not in text]
    assert lacking == [], "too long: lower `digest_size`, or the length of an entry"
