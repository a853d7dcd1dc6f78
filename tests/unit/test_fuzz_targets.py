"""The fuzzer's targets, briefly: their seeds, and the same few hundred changes of them. `make fuzz` goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from random import Random

import pytest

from alertworker.events.batch import MAX_REJECTED, decode
from alertworker.integrations.litellm.relay import read_slack
from alertworker.integrations.litellm.scrub import scrub
from alertworker.text.redact import without_secrets
from tests.fuzz.seeds import SEEDS, WORDS
from tests.fuzz.targets import NOW, TARGETS

#: Pieces that, repeated, made or would make careless patterns read a text again and again.
TEDIOUS = (
    "\n", " ", "\n ", "a-", "a:", "a1/", "//", "/+", "https://", "?", "?a", "token ", "bearer ", "api_key=", "eyJ.",
    "sk-", "-----BEGIN A-----", "\n\n*Alerting Metadata*: \n", "\n\n*Alerting Metadata*: \na: `b",
    "\n\nProxy URL: `x`\n", "\nMessages: `[{'a", "\nModel: x", "\nA: `b`", "`",
    "x='", "x=[", 'x="', "x=['", "x=['\\\"]", "x=[\\'", "x='\\", "[Num Alerts: 1] ",
    "\n\n🪢 Langfuse Trace: `https://a", "\nLevel: `High`", "\ncreated_by_user_id: `a",
)  # fmt: skip


def changed(seed: bytes, other: bytes, random: Random) -> bytes:
    """Put words, cuts and pieces of another seed into a seed."""
    data = bytearray(seed)
    for _ in range(random.randint(1, 6)):
        at, end = sorted(random.choices(range(len(data) + 1), k=2))
        match random.randrange(5):
            case 0:
                data[at:at] = random.choice(WORDS)
            case 1:
                del data[at : min(end, at + 40)]
            case 2:
                data[at:end] = other[at:end]
            case 3:
                data[at:at] = data[at:end]
            case _:
                data[at : at + 1] = bytes([random.randrange(256)])
    return bytes(data)


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_breaks_a_property(name: str) -> None:
    """The seeds, and changes of them."""
    random = Random(1)
    for seed in SEEDS[name]:
        TARGETS[name](seed)
    for _ in range(400):
        TARGETS[name](changed(random.choice(SEEDS[name]), random.choice(SEEDS[name]), random))


def seconds(read: Callable[[int], object], size: int) -> float:
    """Return the processor time of this thread that reading so much takes."""
    begun = time.thread_time()
    read(size)
    return time.thread_time() - begun


def slack(alert_type: str, piece: str, size: int, *, begin: str = "") -> bytes:
    """Write a text of a size that repeats a piece."""
    head = f"Alert type: `{alert_type}`\nLevel: `High`\nTimestamp: `14:02:11`\n\nMessage: {begin}"
    return json.dumps({"text": head + piece * (size // len(piece))}, ensure_ascii=False).encode()


@pytest.mark.parametrize("piece", TEDIOUS, ids=repr)
def test_the_time_to_read_grows_with_the_size_and_not_its_square(piece: str) -> None:
    """Sixteen times the text takes less than 64 times as long, where its square would take 256 times as long."""
    readers: list[Callable[[int], object]] = [
        lambda size: read_slack(slack("llm_exceptions", piece, size), now=NOW),
        lambda size: read_slack(slack("virtual_key_updated", piece, size), now=NOW),
        lambda size: read_slack(slack("virtual_key_updated", piece, size, begin="*Arguments passed:*\n"), now=NOW),
        lambda size: without_secrets(piece * (size // len(piece))),
        lambda size: scrub(piece * (size // len(piece)), []),
    ]
    for read in readers:
        small = min(seconds(read, 3_000) for _ in range(3))
        assert min(seconds(read, 48_000) for _ in range(3)) < 64 * max(small, 0.001)


def test_a_text_and_a_batch_of_a_million_characters_are_read() -> None:
    """A body may be this long. The part above the limit is omitted."""
    for alert_type in ("llm_exceptions", "virtual_key_updated", "spend_reports"):
        read_slack(slack(alert_type, "Team: `a-b` | Spend: `$1.5`\n", 900_000), now=NOW)
    event = {"type": "llm.request.succeeded", "call_id": "1", "alerting_metadata": {"a": 1}}
    assert len(decode([event] * MAX_REJECTED, None).rejected) == MAX_REJECTED
