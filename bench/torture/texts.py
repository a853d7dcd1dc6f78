"""What messages may not hold, and what a test of a receiver may not claim."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Final

from bench.torture import own_class
from bench.torture.ledger import Ledger, Row, Side, plural
from bench.torture.pair import Pair, Setup
from tests.acceptance.proxy import MASTER_KEY
from tests.acceptance.receiver import OK, Receiver

LEAKING: Final = "status-500-leaking"
#: What a caller wrote, and what must not ring or be read in a chat.
PROMPT: Final = "<!channel> my secret is sk-live0123456789abcdefghij"
NOTE: Final = "<!channel> wake up"
RAW_KEY: Final = "sk-live0123456789abcdefghij"
TEXTS: Final = Setup((), (LEAKING,))
KEYS: Final = Setup(("virtual_key_deleted",))


def leaks(pair: Pair) -> Row:
    """A call with a secret and a mention in its prompt and its metadata fails."""
    pair.control()
    status, _ = pair.proxy.ask(LEAKING, prompt=PROMPT, note=NOTE)
    assert status == 500
    pair.settle(lambda one: bool(one.taken(LEAKING)))
    forbidden = {"mention": "<!channel>", "prompt": "my secret is", "secret": RAW_KEY}
    return Row(*(_leaks(one, LEAKING, forbidden) for one in pair.receivers))


def key_deleted(pair: Pair) -> Row:
    """LiteLLM tells that a key was deleted: to a chat itself, and to us by the relay."""
    pair.control()
    pair.stack.start("web")
    url = f"http://127.0.0.1:{pair.stack.environ['ALERTWORKER_HTTP_PORT']}"
    own_class.run("key_deleted", f"{pair.theirs.url}/slack", RAW_KEY)
    own_class.run("key_deleted", f"{url}/integrations/litellm/slack?key={MASTER_KEY}", RAW_KEY)
    pair.settle(lambda one: bool(one.taken("virtual_key_deleted")))
    return Row(*(_leaks(one, "virtual_key_deleted", {"raw key": RAW_KEY}) for one in pair.receivers))


def health_test(pair: Pair) -> Row:
    """The receivers answer 404, and somebody has them tested."""
    pair.control()
    pair.stack.start("web")
    for one in pair.receivers:
        one.answer = lambda _number, _path: (404, {}, 0.0)
    ports = (pair.proxy.port, int(pair.stack.environ["ALERTWORKER_HTTP_PORT"]))
    row = Row(*(_verdict(port) for port in ports))
    for one in pair.receivers:
        one.answer = lambda _number, _path: OK
    return row


def _leaks(one: Receiver, containing: str, forbidden: dict[str, str]) -> Side:
    posts = one.taken(containing)
    text = [json.dumps(post.body, ensure_ascii=False) for post in posts]
    found = {name: sum(part in body for body in text) for name, part in forbidden.items()}
    leaking = sum(any(part in body for part in forbidden.values()) for body in text)
    shown = ", ".join(name for name, count in found.items() if count) or "none of it"
    ledger = Ledger(1, min(1, len(posts)), duplicated=max(0, len(posts) - 1), false=leaking, messages=len(posts))
    return Side(ledger, f"{plural(len(posts), 'message')} with {shown}")


def _verdict(port: int) -> Side:
    """Have a Slack receiver that is unwell tested; what ought to be said is that it is."""
    address = f"http://127.0.0.1:{port}/health/services?service=slack"
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {MASTER_KEY}"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            status, answer = response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            status, answer = error.code, json.loads(error.read())
    said = str(answer.get("status"))
    success = said == "success"
    return Side(Ledger(1, int(not success), false=int(success)), f"{status}, status `{said}`")
