"""The first characters of a call's messages leave the proxy if an operator allows it. This holds for every form."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from alertworker.integrations.litellm.excerpts import excerpt
from alertworker.integrations.litellm.options import CallbackOptions
from alertworker.integrations.litellm.recorder import Recorder
from tests.unit.integrations.litellm_data import ProviderError, caller, request
from tests.unit.integrations.recording import RecordingPublisher
from tests.unit.integrations.test_recorder import in_loop


@pytest.mark.parametrize(
    ("messages", "shown"),
    [
        ("hello world", "hello world"),
        (["hello world", "and more"], "hello world\nand more"),
        ([{"role": "user", "content": [{"type": "text", "text": "hi there"}]}], "user: hi there"),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}, {"text": "what is it"}]}],
            "user: what is it",
        ),
        (
            [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
            "system: Be brief.\nuser: hi",
        ),
        ([{"parts": [{"text": "hi"}, {"text": "you"}]}], "hi you"),
        (["x" * 500], "x" * 99 + "…"),
        ([[1, 2, 3]], None),
        ([1, 2, 3], None),
        ([{"role": "assistant", "content": None}], None),
        ({"odd": 1}, None),
        (None, None),
        ("my key is sk-canary0123456789abcdef", "my key is [removed]"),
        (["word " * 18 + "sk-canary0123456789abcdef"], "word " * 18 + "[removed]"),
    ],
)
def test_an_excerpt_is_the_text_of_any_form_of_messages(messages: object, shown: str | None) -> None:
    """At the most 100 characters, and without what looks like a secret."""
    assert excerpt(messages) == (shown[:100] if shown else shown)


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({}, "user: the quick brown fox jumps over the lazy dog"),
        ({"messages": None, "input": ["embed me"]}, "embed me"),
        ({"messages": None, "prompt": "complete me"}, "complete me"),
        ({"turn_off_message_logging": True}, None),
        ({"turn_off_message_logging": "true"}, None),
        ({"metadata": {"headers": {"x-litellm-enable-message-redaction": "true"}}}, None),
    ],
)
def test_a_failed_call_shows_its_messages_where_that_is_switched_on(fields: dict[str, Any], shown: str | None) -> None:
    """Its key or its caller can forbid them. By default none leaves the proxy."""
    publisher = RecordingPublisher()
    error = ProviderError(500, "no")
    for options in (CallbackOptions(show_messages=True), CallbackOptions()):
        hooks = Recorder(publisher, options, grace=(60, 60))
        in_loop(partial(hooks.failed, request(**fields), error, caller()))

    assert [event.messages_excerpt for event in publisher.events] == [shown, None]
