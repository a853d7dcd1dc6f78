"""1,000 alerts at once, in real processes, counted at the receiver."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from alertworker.publisher import Publisher
from tests.acceptance.receiver import Receiver
from tests.acceptance.sent_alerts import tellings
from tests.acceptance.stack import Stack
from tests.acceptance.test_faults import failed

ALERTS = 1_000


@pytest.mark.timeout(240)
def test_a_thousand_alerts_at_once_are_few_messages(stack: Stack, publisher: Publisher, slack: Receiver) -> None:
    """Each is named exactly once, at Slack's pace of one message a second and at most 50 alerts in each."""
    for number in range(ALERTS):
        publisher.publish(failed(number, model_group=f"m{number}", deployment_id=f"d{number}"))
    began = time.monotonic()
    while len(tellings(slack.taken())) < ALERTS and time.monotonic() < began + 90:
        time.sleep(0.2)
    seconds = time.monotonic() - began
    time.sleep(3)  # any surplus message would arrive now

    counts = Counter(alert for alert, _ in tellings(slack.taken()))
    print(f"{ALERTS} alerts in {len(slack.posts)} messages within {seconds:.0f} s")
    assert len(counts) == ALERTS
    assert set(counts.values()) == {1}
    assert len(slack.posts) <= 30
