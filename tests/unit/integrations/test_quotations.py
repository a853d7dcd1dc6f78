"""Quoted text in an error is removed if the request does not have the caller's text."""

from __future__ import annotations

import html
import json
from typing import Any
from urllib.parse import quote

import pytest

from alertworker.integrations.litellm.failure import describe
from alertworker.integrations.litellm.prompts import is_unseen
from alertworker.integrations.litellm.quotations import remove_quotations
from alertworker.text.redact import REMOVED
from alertworker.text.shorten import CUT
from tests.provider_errors import ERRORS
from tests.unit.integrations.litellm_data import ProviderError

TEXT = "Bob's test is positive"
ASIAN = "张伟确诊糖尿病"
LINE = json.dumps({"custom_id": "a-1", "body": {"messages": [{"role": "user", "content": TEXT}]}})
FORM = f'--5f\r\nContent-Disposition: form-data; name="file"; filename="x.txt"\r\n\r\n{TEXT}\r\n--5f--'


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f'cannot parse "{TEXT}" at 4', f'cannot parse "{REMOVED}" at 4'),
        ("cannot parse 'all tests are positive' at 4", f"cannot parse '{REMOVED}' at 4"),
        (f"cannot parse `{TEXT}`", f"cannot parse `{REMOVED}`"),
        (f"cannot parse “{TEXT}” here", f"cannot parse “{REMOVED}” here"),
        (f"无法解析：「{ASIAN}」", f"无法解析：「{REMOVED}」"),
        (f"cannot parse '{ASIAN}'", f"cannot parse '{REMOVED}'"),
        (f"Invalid line 3: {TEXT}", f"Invalid line 3: {REMOVED}"),
        (f"row #12: {TEXT}\nSee the docs", f"row #12: {REMOVED}\nSee the docs"),
        (f"the input was: {TEXT}", f"the input was: {REMOVED}"),
        (
            "Error code: 400 - {'error': {'message': \"Cannot parse 'all tests are positive'\", 'type': 'x'}}",
            f"Error code: 400 - {{'error': {{'message': \"Cannot parse '{REMOVED}'\", 'type': 'x'}}}}",
        ),
        (f'bad: "{TEXT} and so{CUT}', f'bad: "{REMOVED}{CUT}'),
        (f"Cannot parse: {FORM}", f"Cannot parse: --5f\r\nContent-Disposition: form-data{REMOVED}"),
    ],
)
def test_a_quoted_sentence_is_removed_and_its_frame_stays(text: str, left: str) -> None:
    """A reader still sees what the provider disliked."""
    assert remove_quotations(text) == left


@pytest.mark.parametrize(
    "quoted",
    [
        LINE, repr(json.loads(LINE)), json.dumps(LINE), json.dumps({"error": {"message": f"Cannot parse: {LINE}"}}),
        repr({"error": {"message": f"Cannot parse: {LINE}"}}), repr(LINE.encode()), html.escape(LINE), quote(LINE),
        json.dumps({"input": "Bob's"}), json.dumps({"text": ["Bob's"]}), json.dumps(json.dumps({"prompt": "Bob's"})),
        json.dumps({"error": {"message": FORM}}),
    ],
)  # fmt: skip
def test_a_line_of_a_file_is_removed_in_any_notation(quoted: str) -> None:
    """The value under a key of a prompt is removed however short it is."""
    shown = remove_quotations(f"line 1 is invalid ({quoted})")
    assert "Bob" not in shown
    assert "positive" not in shown
    assert shown.startswith("line 1 is invalid (")


@pytest.mark.parametrize("text", [text for text in ERRORS if '"aws configure"' not in text])
def test_the_errors_of_providers_stay_as_they_are(text: str) -> None:
    """Their quoted words are names, and their JSON holds their own sentence."""
    assert remove_quotations(text) == text


@pytest.mark.parametrize(
    ("request_data", "call_type", "unseen"),
    [
        ({"messages": [{"content": "x"}]}, "acompletion", False),
        ({"messages": [{"content": "x"}]}, "anthropic_messages", False),
        ({"input": "x"}, "aembedding", False),
        ({"input": "x"}, "aresponses", False),
        ({"input": "x", "previous_response_id": "resp_1"}, "aresponses", True),
        ({"messages": [{"content": "x"}], "prompt_id": "p1"}, "acompletion", True),
        ({"input_file_id": "f"}, "acreate_batch", True),
        ({"purpose": "batch", "file": {"filename": "x"}}, "acreate_file", True),
        ({"file": "x", "prompt": "y"}, "transcription", True),
        ({"thread_id": "t"}, "aget_messages", True),
        ({"thread_id": "t", "content": "x"}, "a_add_message", True),
        ({"litellm_params": {"proxy_server_request": {"body": {"q": "x"}}}}, "pass_through_endpoint", False),
        ({"litellm_params": {"proxy_server_request": {"body": {}}}}, "pass_through_endpoint", True),
        ({}, None, True),
    ],
)
def test_requests_whose_text_is_elsewhere_are_known(
    request_data: dict[str, Any], call_type: str | None, unseen: bool
) -> None:
    """By the type of the call, by a reference to a text, or because there is no text at all."""
    assert is_unseen(request_data, call_type) is unseen


def test_the_error_of_an_upload_does_not_show_the_file() -> None:
    """LiteLLM passes the upload without its content."""
    error = ProviderError(400, f"Error code: 400 - Cannot parse: {LINE}")
    request = {"file": ("x.jsonl", object(), "application/json"), "purpose": "batch", "litellm_call_id": "c"}
    message = describe(error, request, attempted=True, call_type="acreate_file")["message"]
    assert "Bob" not in message
    assert message.startswith("Error code: 400 - Cannot parse: {")


def test_the_error_of_a_request_that_is_passed_through_does_not_show_its_body() -> None:
    """LiteLLM keeps the body of such a request in another place, under fields that no list knows."""
    body = {"inputText": TEXT, "deep": {"q": ["all of them are negative"]}}
    request = {
        **body,
        "call_type": "pass_through_endpoint",
        "litellm_params": {"proxy_server_request": {"body": body}},
        "response_body": {"error": {"message": "Upstream is sad today"}},
    }
    error = ProviderError(400, f"Upstream is sad today: {json.dumps(body)}")
    message = describe(error, request, attempted=False)["message"]
    assert message == f'Upstream is sad today: {{"inputText": "{REMOVED}", "deep": {{"q": ["{REMOVED}"]}}}}'


def test_the_body_of_a_request_without_a_valid_key_is_known() -> None:
    """LiteLLM has not kept it elsewhere yet, and has added its own objects to it."""
    request = {
        "model": "gpt-4o",
        "a_field_of_next_year": TEXT,
        "call_type": "acompletion",
        "standard_logging_object": {"error_str": "Invalid key for this request"},
    }
    error = ProviderError(401, f"Invalid key for this request: {TEXT}")
    assert (
        describe(error, request, attempted=False, started=False)["message"]
        == f"Invalid key for this request: {REMOVED}"
    )
