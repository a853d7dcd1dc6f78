"""What went wrong, by cause, without a secret and without the prompt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertworker.integrations.litellm import failure


def error(name: str, status: int | None = None, message: str = "") -> Exception:
    """Make an error as LiteLLM raises it."""
    made: Exception = type(name, (Exception,), {"status_code": status, "message": message})(message)
    return made


@pytest.mark.parametrize(
    ("name", "status", "attempted", "expected"),
    [
        ("AuthenticationError", 401, True, "provider"),  # our credentials at the provider
        ("BadRequestError", 401, True, "provider"),  # LiteLLM wraps an upstream 401 so
        ("ProxyException", 401, False, "caller"),  # no or a wrong key at the proxy
        ("ProxyException", "401", False, "caller"),
        ("BadRequestError", 400, True, "caller"),
        ("ContextWindowExceededError", 400, True, "caller"),
        ("ContentPolicyViolationError", 400, True, "caller"),
        ("BudgetExceededError", None, False, "caller"),
        ("RateLimitError", 429, True, "provider"),
        ("RateLimitError", 429, False, "caller"),  # a limit of the caller's own key
        ("RouterRateLimitError", 429, False, "proxy"),  # no healthy deployment is left
        ("NotFoundError", 404, True, "provider"),
        ("Timeout", 408, True, "provider"),
        ("APIConnectionError", 500, True, "provider"),
        ("APIConnectionError", None, True, "provider"),
        ("KeyError", None, False, "proxy"),
        ("HTTPException", 500, False, "proxy"),
    ],
)
def test_origin_goes_by_cause(name: str, status: int | None, attempted: bool, expected: str) -> None:
    """Whoever caused it is named, whatever LiteLLM calls it."""
    assert failure.origin(error(name, status), attempted=attempted) == expected


@pytest.mark.parametrize(
    "secret",
    [
        "sk-abcdefghijklmnop",
        "Bearer abcdefgh12345",
        "AKIAABCDEFGHIJKLMNOP",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "AIzaSyA1234567890abcdefghijklmnop",
        "api_key=verysecretvalue",
        '"api-key": "verysecretvalue"',
    ],
)
def test_secrets_are_taken_out(secret: str) -> None:
    """No form of a credential survives."""
    scrubbed = failure.scrub(f"Incorrect credentials provided: {secret} for https://u:p@host.example/v1?key=abcd", [])

    assert secret not in scrubbed
    assert "verysecretvalue" not in scrubbed
    assert "u:p@" not in scrubbed
    assert "abcd" not in scrubbed
    assert "Incorrect credentials" in scrubbed


def test_litellms_own_additions_are_left_out() -> None:
    """They may repeat the messages, and say nothing new."""
    message = "boom\n\nModel: gpt-4\nMessages: `[{'role': 'user'}]`"

    assert failure.scrub(message, []) == "boom"


@given(
    prompt=st.text(min_size=12, max_size=200),
    before=st.text(max_size=60),
    after=st.text(max_size=60),
    begin=st.integers(0, 100),
    length=st.integers(12, 200),
)
def test_no_piece_of_the_prompt_survives(prompt: str, before: str, after: str, begin: int, length: int) -> None:
    """Wherever a provider echoes twelve or more characters of the prompt, they are gone."""
    begin = min(begin, len(prompt) - 12)
    echoed = prompt[begin : begin + length]
    scrubbed = failure.scrub(f"{before}{echoed}{after}", [prompt])

    pieces = {prompt[at : at + 12] for at in range(len(prompt) - 11)}
    pieces = {piece for piece in pieces if not (set(piece) & set("[removed]"))}
    assert not any(piece in scrubbed for piece in pieces)


def test_the_work_on_a_huge_prompt_is_bounded() -> None:
    """A megabyte of prompt costs no more than a bounded part of it."""
    texts = failure.prompt_texts(
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x" * 1_000_000}]}]}
    )

    assert sum(map(len, texts)) <= 60_000


def test_an_error_is_described_in_bounds() -> None:
    """A message of any length is cut visibly."""
    described = failure.describe(error("APIError", 500, "a " * 5_000), {}, attempted=True)

    assert described["message"].endswith("… cut")
    assert len(described["message"]) <= 2_000
    assert described["status_code"] == 500
