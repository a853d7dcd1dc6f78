"""The relay and the proxy's callback show callers' messages by the same words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from alertworker.integrations.litellm.options import CallbackOptions
from alertworker.settings import load_settings

SHOWN, REDACTED = ({"redact_messages_in_exceptions": redacted} for redacted in (False, True))
OFF = {"turn_off_message_logging": True}
REFERRED_OFF = {"turn_off_message_logging": "os.environ/HIDE"}
QUOTED_OFF = {"turn_off_message_logging": "true"}


@pytest.mark.parametrize(
    ("environ", "config", "expected"),
    [
        ({}, {}, False),
        ({}, {"litellm_settings": SHOWN}, True),
        ({}, {"litellm_settings": REDACTED}, False),
        ({}, {"alertworker": {"show_messages": True}}, True),
        ({}, {"alertworker": {"show_messages": False}, "litellm_settings": SHOWN}, False),
        ({}, {"alertworker": {"show_messages": True}, "litellm_settings": REDACTED}, True),
        ({"ALERTWORKER_SHOW_MESSAGES": "true"}, {}, True),
        ({"ALERTWORKER_SHOW_MESSAGES": "false"}, {"litellm_settings": SHOWN}, False),
        ({"ALERTWORKER_SHOW_MESSAGES": ""}, {"litellm_settings": SHOWN}, True),
        ({"ALERTWORKER_SHOW_MESSAGES": "true"}, {"litellm_settings": OFF}, False),
        ({}, {"alertworker": {"show_messages": True}, "litellm_settings": OFF | SHOWN}, False),
        ({"HIDE": "True"}, {"alertworker": {"show_messages": True}, "litellm_settings": REFERRED_OFF}, False),
        ({"HIDE": "false"}, {"alertworker": {"show_messages": True}, "litellm_settings": REFERRED_OFF}, True),
        ({"HIDE": "false"}, {"litellm_settings": {"redact_messages_in_exceptions": "os.environ/HIDE"}}, True),
        ({"HIDE": "true"}, {"litellm_settings": {"redact_messages_in_exceptions": "os.environ/HIDE"}}, False),
        ({}, {"alertworker": {"show_messages": True}, "litellm_settings": QUOTED_OFF}, False),
    ],
)
def test_both_show_messages_only_if_configured(
    tmp_path: Path, environ: dict[str, str], config: dict[str, Any], expected: bool
) -> None:
    """Our words beat LiteLLM's, the environment beats the file, and turning logging off beats all."""
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps(config))

    assert load_settings(environ=environ, config=path).show_messages is expected
    assert CallbackOptions.read(environ, config).show_messages is expected


def test_it_names_the_key_of_litellm_that_decided(tmp_path: Path) -> None:
    """``alertworker check`` prints it."""
    path = tmp_path / "config.yaml"
    path.write_text("litellm_settings:\n  redact_messages_in_exceptions: false\n")
    assert load_settings(environ={}, config=path).origins["show_messages"] == (
        "config.yaml:2 litellm_settings.redact_messages_in_exceptions"
    )
    path.write_text("litellm_settings:\n  turn_off_message_logging: true\n")
    assert load_settings(environ={"ALERTWORKER_SHOW_MESSAGES": "1"}, config=path).origins["show_messages"] == (
        "config.yaml:2 litellm_settings.turn_off_message_logging"
    )
