"""Forbidden content of messages, and false claims of channel tests."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any, Final

from bench.torture import own_class
from bench.torture.ledger import Ledger, Row, Side, plural
from bench.torture.pair import Pair, Setup, wait
from tests.acceptance.proxy import MASTER_KEY
from tests.acceptance.receiver import OK, Post, Receiver

LEAKING: Final = "status-500-leaking"
#: Text of a caller that must neither notify anyone nor be visible in a chat.
PROMPT: Final = (
    "<!channel> my secret is sk-live0123456789abcdefghij; wrong key provided: sk-proj-error0123456789abcdefABCDEF"
)
NOTE: Final = "<!channel> wake up"
RAW_KEY: Final = "sk-live0123456789abcdefghij"
#: One secret for each place where a caller, or a provider that echoes the caller, may put one.
SECRETS: Final = {
    "secret of the prompt": RAW_KEY,
    "of a metadata value": "sk-proj-value0123456789abcdefABCDEF",
    "of a metadata key": "ghp_name0123456789abcdefghijABCDEF0123",
    "of nested metadata": "xoxb-nested0123456789-abcdefghij",
    "of a list": "AKIALISTOF0123456789",
    "of a password": "nam3less-passw0rd",
    "of a tag": "sk-proj-tag0123456789abcdefABCDEF",
    "of the user": "sk-proj-user0123456789abcdefABCDEF",
    "of the key alias": "sk-proj-alias0123456789abcdefABCDEF",
    "of the user id": "sk-proj-userid0123456789abcdefABCDEF",
    "of the error": "sk-proj-error0123456789abcdefABCDEF",
}
_ALIAS, _USER_ID = SECRETS["of the key alias"], SECRETS["of the user id"]
#: Without a database LiteLLM authenticates keys by a custom function.
_AUTH: Final = f"""
from litellm.proxy._types import UserAPIKeyAuth


async def user_api_key_auth(request, api_key):
    return UserAPIKeyAuth(api_key=api_key, key_alias="{_ALIAS}", user_id="{_USER_ID}")
"""
LEAKY: Final = Setup((), (LEAKING,), {"custom_auth": "leaky_auth.user_api_key_auth"}, files={"leaky_auth.py": _AUTH})
LEAKS: Final[dict[str, Any]] = {
    "user": SECRETS["of the user"],
    "metadata": {
        "tags": [SECRETS["of a tag"]],
        "alerting_metadata": {
            "hello": NOTE,
            "token": SECRETS["of a metadata value"],
            SECRETS["of a metadata key"]: "a name",
            "nested": {"inner": [{"slack": SECRETS["of nested metadata"]}]},
            "list": ["x", SECRETS["of a list"]],
            "password": SECRETS["of a password"],
        },
    },
}
TEXTS: Final = Setup((), (LEAKING,))
WEBHOOK: Final = Setup(("budget_alerts",), (), {"alerting": ["slack", "webhook"]})
MAIL: Final = Setup(("budget_alerts",))
KEYS: Final = Setup(("virtual_key_deleted",))


def leaks(pair: Pair) -> Row:
    """Make a call fail that has secrets and a mention in its prompt and in all its metadata."""
    pair.control()
    status, _ = pair.proxy.ask(LEAKING, prompt=PROMPT, note=NOTE, more=LEAKS)
    assert status == 500
    pair.settle(lambda one: bool(one.taken(LEAKING)))
    forbidden = {"mention": "<!channel>", "prompt": "my secret is", **SECRETS}
    return Row(*(_leaks(one, LEAKING, forbidden) for one in pair.receivers))


def key_deleted(pair: Pair) -> Row:
    """Make LiteLLM report a deleted key to a chat itself, and to us by the relay."""
    pair.control()
    pair.stack.start("web")
    url = f"http://127.0.0.1:{pair.stack.environ['ALERTWORKER_HTTP_PORT']}"
    own_class.run("key_deleted", f"{pair.theirs.url}/slack", RAW_KEY)
    own_class.run("key_deleted", f"{url}/integrations/litellm/slack?key={MASTER_KEY}", RAW_KEY)
    pair.settle(lambda one: bool(one.taken("virtual_key_deleted")))
    return Row(*(_leaks(one, "virtual_key_deleted", {"raw key": RAW_KEY}) for one in pair.receivers))


def health_test(pair: Pair) -> Row:
    """Test receivers that answer 404."""
    pair.control()
    pair.stack.start("web")
    for one in pair.receivers:
        one.answer = lambda _number, _path: (404, {}, 0.0)
    ports = (pair.proxy.port, int(pair.stack.environ["ALERTWORKER_HTTP_PORT"]))
    row = Row(*(_verdict(port) for port in ports))
    for one in pair.receivers:
        one.answer = lambda _number, _path: OK
    return row


def webhook_test(pair: Pair) -> Row:
    """Test the budget webhook twice, with a healthy receiver."""
    pair.control()
    pair.stack.start("web")
    sides = []
    ports = (pair.proxy.port, int(pair.stack.environ["ALERTWORKER_HTTP_PORT"]))
    for port, one in zip(ports, pair.receivers, strict=True):
        statuses = [_tested(port, "webhook")[0] for _ in range(2)]
        wait(lambda one=one: len(_tests(one)) > 1, 5)  # type: ignore[misc]
        came = len(_tests(one))
        ledger = Ledger(2, min(2, came), duplicated=max(0, came - 2), messages=came)
        sides.append(Side(ledger, f"{' and '.join(map(str, statuses))}; {plural(came, 'post')}"))
    return Row(*sides)


def mail_test(pair: Pair) -> Row:
    """Test e-mail. Neither side has a mail server configured."""
    pair.stack.start("web")
    ports = (pair.proxy.port, int(pair.stack.environ["ALERTWORKER_HTTP_PORT"]))
    return Row(*(_verdict(port, "email") for port in ports))


def _tests(one: Receiver) -> list[Post]:
    return [post for post in one.posts if post.path == "/budgets"]


def _leaks(one: Receiver, containing: str, forbidden: dict[str, str]) -> Side:
    posts = one.taken(containing)
    text = [json.dumps(post.body, ensure_ascii=False) for post in posts]
    found = {name: sum(part in body for body in text) for name, part in forbidden.items()}
    leaking = sum(any(part in body for part in forbidden.values()) for body in text)
    shown = ", ".join(name for name, count in found.items() if count) or "none of it"
    ledger = Ledger(1, min(1, len(posts)), duplicated=max(0, len(posts) - 1), false=leaking, messages=len(posts))
    return Side(ledger, f"{plural(len(posts), 'message')} with {shown}")


def _verdict(port: int, service: str = "slack") -> Side:
    """Test a failing or missing receiver. The response should report the failure."""
    status, answer = _tested(port, service)
    said = answer.get("status") if isinstance(answer, dict) else None
    success = said == "success"
    words = f"{status}, status `{said}`" if said else str(status)
    return Side(Ledger(1, int(not success), false=int(success)), words)


def _tested(port: int, service: str) -> tuple[int, Any]:
    """Request a test, and return the HTTP status and the response."""
    address = f"http://127.0.0.1:{port}/health/services?service={service}"
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {MASTER_KEY}"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())
