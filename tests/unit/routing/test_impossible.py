"""Matchers that no alert can pass are warned about, with what was probably meant."""

from __future__ import annotations

import pytest

from alertworker.routing.impossible import label_warning, matcher_warnings
from alertworker.routing.matchers import parse_list


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('sevrity="High"', "severity"),
        ('team_alias="search"', "did you mean team?"),
        ('severity="high"', "High"),
        ('severity!="critical"', "known are High, Low, Medium"),
        ('alert_type="budget_alert"', "budget_alerts"),
        ('alert_type=~"llm_exceptions|budget_alert"', "budget_alerts"),
        ('alert_type=~"llm_slow.*"', "llm_too_slow"),
        ('alert_type!~"LLM_.*"', "known are"),
        ('origin="client"', "known are caller, provider, proxy"),
        ('relayed_from="LiteLLM"', "litellm"),
        ('report="month"', "monthly"),
        ('instance="x"', "known are alert_receiver, alert_type"),
        ('alerting_metadata="x"', "known are alert_receiver, alert_type"),
    ],
)
def test_an_unknown_label_or_value_is_named_with_the_nearest(text: str, meant: str) -> None:
    """Each matcher has a warning of its own, which names it."""
    [doubt] = matcher_warnings(parse_list(text))

    assert doubt.startswith(str(parse_list(text)[0]))
    assert meant in doubt


@pytest.mark.parametrize(
    "text",
    [
        'severity="High"',
        'severity=~"High|Medium"',
        'severity=~"(?i)high"',
        'alert_type=~"llm_.*"',
        'alert_type!~"llm_.*|outage_alerts"',
        'team="anything"',
        'relayed_from=""',
        'origin!=""',
        'tag=~"a|b"',
        'customer="c1"',
    ],
)
def test_a_possible_label_value_has_no_warning(text: str) -> None:
    """An empty value asks for alerts without the label."""
    assert matcher_warnings(parse_list(text)) == ()


def test_a_label_of_an_inhibition_is_looked_at_too() -> None:
    """A label that no alert has is never equal."""
    assert label_warning("deployment") is None
    assert "did you mean deployment?" in (label_warning("deploymnt") or "")
