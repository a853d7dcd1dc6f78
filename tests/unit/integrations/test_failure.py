"""The failure of a call by its cause, without a secret and without the prompt."""

from __future__ import annotations

import pytest

from alertworker.integrations.litellm import failure


def error(name: str, status: object = None, message: str = "") -> Exception:
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
def test_origin_goes_by_cause(name: str, status: object, attempted: bool, expected: str) -> None:
    """The class of LiteLLM's error does not decide."""
    assert failure.origin(error(name, status), attempted=attempted) == expected


def test_a_caller_without_a_key_is_to_blame_itself() -> None:
    """LiteLLM raises a plain exception where no key was given; an anonymous client must not ring anyone."""
    assert failure.origin(Exception("No api key passed in."), attempted=False, started=False) == "caller"


def test_a_database_away_while_a_caller_is_let_in_is_the_proxys() -> None:
    """A network failure before any deployment was called is not the caller's."""
    assert failure.origin(ConnectionRefusedError(), attempted=False, started=False) == "proxy"


@pytest.mark.parametrize("broken", [ImportError, ModuleNotFoundError, NameError])
def test_a_broken_proxy_is_the_proxys_even_before_a_caller_is_let_in(broken: type[Exception]) -> None:
    """A callback that cannot be imported does not count as a wrong key."""
    assert failure.origin(broken("no module"), attempted=False, started=False) == "proxy"


def raised_in(module: str, code: str, file: str = "/app/custom_auth.py") -> BaseException:
    """Return the error that code in a module raises."""
    try:
        exec(compile(code, file, "exec"), {"__name__": module})
    except Exception as error:  # noqa: BLE001 - the test asks for any
        calling = error.__traceback__
        return error.with_traceback(calling.tb_next if calling else None)
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize("code", ["None.key", "{}['user']", "len(None)", "[][0]", "import json; json.loads(None)"])
def test_a_broken_hook_is_the_proxys_and_an_odd_request_the_callers(code: str) -> None:
    """A custom authentication may be broken. LiteLLM's own code raises an error for a body that is not an object."""
    hook = raised_in("custom_auth", code)
    assert failure.origin(hook, attempted=False, started=False) == "proxy"
    stumble = raised_in("litellm.proxy.auth.user_api_key_auth", code)
    assert failure.origin(stumble, attempted=False, started=False) == "caller"


def test_a_library_that_stumbles_over_a_request_is_no_hook() -> None:
    """Its caller decides, and only LiteLLM called it."""
    library = "/venv/lib/python3.12/site-packages/odd/parse.py"
    stumble = raised_in("odd.parse", "None.key", library)
    assert failure.origin(stumble, attempted=False, started=False) == "caller"


def test_litellm_s_own_refusal_is_the_callers_wherever_it_is_raised() -> None:
    """A custom authentication refuses a key with a plain exception, too."""
    refusal = raised_in("custom_auth", "raise Exception('wrong key')")
    assert failure.origin(refusal, attempted=False, started=False) == "caller"
    assert failure.origin(raised_in("custom_auth", "raise ValueError('key')"), attempted=False, started=False) == (
        "caller"
    )


@pytest.mark.parametrize(("name", "status"), [("HTTPException", 400), ("ProxyException", "403")])
def test_the_proxys_own_refusal_after_an_attempt_is_no_providers(name: str, status: object) -> None:
    """A guardrail may refuse an answer that a deployment gave."""
    assert failure.origin(error(name, status), attempted=True) == "caller"


def test_an_error_is_described_in_bounds() -> None:
    """A message of any length is cut visibly."""
    described = failure.describe(error("APIError", 500, "a " * 5_000), {}, attempted=True)

    assert described["message"].endswith("… cut")
    assert len(described["message"]) <= 2_000
    assert described["status_code"] == 500


@pytest.mark.parametrize("attribute", ["raw_response", "generated_content", "original_response"])
def test_a_models_answer_in_an_error_is_hidden(attribute: str) -> None:
    """An answer repeats what its prompt was about, and LiteLLM writes it into some of its errors."""
    answer = "Dear Ada, your diagnosis is ready"
    made = error("JSONSchemaValidationError", 500, f"model=x, returned an invalid response={answer}, for schema=y")
    setattr(made, attribute, answer)
    described = failure.describe(made, {}, attempted=True)
    assert described["message"] == "model=x, returned an invalid response=[removed], for schema=y"
