"""The options of the callback: the environment, our section, then LiteLLM's keys."""

from __future__ import annotations

from typing import Any

import pytest

from alertworker.integrations.litellm.metadata import to_strings
from alertworker.integrations.litellm.options import CallbackOptions


def test_nothing_set_shows_nothing_and_leaves_the_threshold_to_litellm() -> None:
    """The defaults are the safe ones."""
    options = CallbackOptions.read({}, {})

    assert options == CallbackOptions(None, ("soft_budget_alerting_emails", "alert_receiver"), show_messages=False)


@pytest.mark.parametrize(
    ("environ", "config", "expected"),
    [
        ({}, {"litellm_settings": {"redact_messages_in_exceptions": False}}, True),
        ({}, {"litellm_settings": {"redact_messages_in_exceptions": True}}, False),
        ({}, {"litellm_settings": {}}, False),
        ({}, {"alertworker": {"show_messages": True}}, True),
        (
            {},
            {"alertworker": {"show_messages": False}, "litellm_settings": {"redact_messages_in_exceptions": False}},
            False,
        ),
        ({"ALERTWORKER_SHOW_MESSAGES": "true"}, {"alertworker": {"show_messages": False}}, True),
        ({"ALERTWORKER_SHOW_MESSAGES": "true"}, {"litellm_settings": {"turn_off_message_logging": True}}, False),
        ({}, {"alertworker": ["not", "a", "mapping"], "litellm_settings": None}, False),
    ],
)
def test_messages_leave_the_proxy_only_if_configured(
    environ: dict[str, str], config: dict[str, Any], expected: bool
) -> None:
    """Our words beat LiteLLM's, the environment beats the file, and turning logging off beats all."""
    assert CallbackOptions.read(environ, config).show_messages is expected


@pytest.mark.parametrize(
    ("environ", "config", "expected"),
    [
        ({}, {"alertworker": {"alerting_threshold": 7}}, 7.0),
        ({"ALERTWORKER_ALERTING_THRESHOLD": "5"}, {"alertworker": {"alerting_threshold": 7}}, 5.0),
        ({"ALERTWORKER_ALERTING_THRESHOLD": "soon"}, {}, None),
    ],
)
def test_a_threshold_of_our_own_beats_litellms(
    environ: dict[str, str], config: dict[str, Any], expected: float | None
) -> None:
    """An invalid number of seconds falls back to LiteLLM's."""
    assert CallbackOptions.read(environ, config).threshold_seconds == expected


def test_the_allowed_metadata_is_a_list_or_a_string_with_commas() -> None:
    """Both forms name keys, and nothing else travels."""
    own = {"alertworker": {"metadata_keys": ["cost_center", " owner ", 3]}}

    assert CallbackOptions.read({}, own).metadata_keys == ("cost_center", "owner")
    assert CallbackOptions.read({"ALERTWORKER_METADATA_KEYS": "a, b,"}, own).metadata_keys == ("a", "b")


def test_a_list_of_addresses_travels_as_addresses() -> None:
    """A team's ``soft_budget_alerting_emails`` is a list in LiteLLM, whole however many there are."""
    named = [f"person{number}@corp.example" for number in range(12)]

    assert to_strings({"soft_budget_alerting_emails": named}) == {"soft_budget_alerting_emails": ", ".join(named)}
    assert to_strings({"mixed": [1, "a"]}) == {"mixed": "[1, 'a']"}
