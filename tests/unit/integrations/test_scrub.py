"""The parts of an error's text that are removed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertworker.integrations.litellm.echoes import REMOVED_MESSAGE
from alertworker.integrations.litellm.prompts import prompt_pieces
from alertworker.integrations.litellm.scrub import scrub
from alertworker.text.redact import REMOVED

REQUEST = {
    "messages": [{"role": "user", "content": [{"type": "text", "text": "Mein Codewort ist Zaunkönig-4711, bitte"}]}]
}
PROMPT = list(prompt_pieces(REQUEST))


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
    scrubbed = scrub(f"Incorrect credentials provided: {secret} for https://u:p@host.example/v1?key=abcd", [])

    assert secret not in scrubbed
    assert "verysecretvalue" not in scrubbed
    assert "u:p@" not in scrubbed
    assert "abcd" not in scrubbed
    assert "Incorrect credentials" in scrubbed


def test_litellms_own_additions_are_left_out() -> None:
    """They may repeat the messages, and add nothing."""
    message = "boom\n\nModel: gpt-4\nMessages: `[{'role': 'user'}]`"

    assert scrub(message, []) == "boom"


@given(
    prompt=st.text(min_size=12, max_size=200),
    before=st.text(max_size=60),
    after=st.text(max_size=60),
    begin=st.integers(0, 100),
    length=st.integers(12, 200),
)
def test_no_piece_of_the_prompt_survives(prompt: str, before: str, after: str, begin: int, length: int) -> None:
    """If a provider echoes twelve or more characters of the prompt, they are removed at every place."""
    begin = min(begin, len(prompt) - 12)
    echoed = prompt[begin : begin + length]
    scrubbed = scrub(f"{before}{echoed}{after}", [prompt])

    pieces = {prompt[at : at + 12] for at in range(len(prompt) - 11)}
    pieces = {piece for piece in pieces if not (set(piece) & set("[removed]"))}
    assert not any(piece in scrubbed for piece in pieces)


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefgh12345678",
        "xoxb-1234567890-abcdef",
        "https://hooks.slack.com/services/T0/B0/abcdefgh",
        "https://example.webhook.office.com/webhookb2/abc",
        "0123456789abcdef0123456789abcdef",
        "AbCdEf0123456789AbCdEf0123456789AbCdEf01",
    ],
)
def test_a_secret_is_known_by_its_shape(secret: str) -> None:
    """Keys, tokens and webhook addresses are masked at every place."""
    assert scrub(f"provider said: {secret}, sorry", ()) == f"provider said: {REMOVED}, sorry"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Bearer abcdef123", f"Authorization: Bearer {REMOVED}"),
        ("api_key=hunter2hunter2", f"api_key={REMOVED}"),
        ("postgres://me:pw@db/x", f"postgres://{REMOVED}db/x"),
        ("got bearer abcdef123 here", f"got bearer {REMOVED} here"),
    ],
)
def test_a_labelled_secret_goes_and_its_label_stays(text: str, expected: str) -> None:
    """A reader still sees what was masked."""
    assert scrub(text, ()) == expected


def test_ordinary_text_is_left_alone() -> None:
    """An error without secrets reads as the provider wrote it."""
    text = "litellm.InternalServerError: OpenAIException - the task-scheduler had an error at disk-usage of 97 %"
    assert scrub(text, PROMPT) == text


def test_a_prompt_echoed_as_json_is_hidden() -> None:
    """Escapes do not hide a piece from us."""
    assert "4711" not in scrub(r"bad: {\"content\": \"ist Zaunk\u00f6nig-4711, bitte\"}", PROMPT)


def test_pieces_of_the_prompt_are_hidden_wherever_the_request_has_them() -> None:
    """A provider that echoes a tool's description, cut at both ends, does not leak it."""
    request = {"tools": [{"type": "function", "function": {"name": "f", "description": "Gives the secret recipe"}}]}
    assert scrub("bad tool 'the secret rec' at 3", prompt_pieces(request)) == f"bad tool '{REMOVED}' at 3"


def test_a_short_prompt_is_hidden_as_a_whole() -> None:
    """A pin alone is shorter than the pieces that are looked for."""
    assert scrub("you said 'pin 47', no", prompt_pieces({"input": "pin 47"})) == f"you said '{REMOVED}', no"


def test_words_that_the_prompt_shares_by_chance_stay() -> None:
    """A word may be in the prompt and in the error by chance."""
    assert scrub("user: bitte warten", PROMPT) == "user: bitte warten"


def test_a_known_secret_goes_by_its_value() -> None:
    """A key without a known shape is masked where its value is known."""
    assert scrub("wrong key: raw-provider", (), secrets=("raw-provider", None, "")) == f"wrong key: {REMOVED}"


def test_nul_surrogates_and_length_are_bounded() -> None:
    """The result obeys the wire contract and shows that it was cut."""
    text = scrub("a\x00b\ud800 " + "x y " * 5_000, ())
    assert text.startswith("a\ufffdb\ufffd")
    assert text.endswith("… cut")
    assert len(text) <= 2_000


@pytest.mark.parametrize(
    "letters",
    ["a" * 1_000_000, "the cat sat on the mat. " * 40_000, "ab" * 200_000, "".join(map(str, range(100_000)))],
    ids=["one letter", "sentences", "two letters", "digits"],
)
def test_a_prompt_made_to_be_slow_is_not(letters: str) -> None:
    """A long or repeated prompt costs a bounded time, and no piece of it is shown, from any part of it."""
    echoed = letters[-1_200:]
    began = time.process_time()
    text = scrub("error: " + echoed, [letters])
    assert time.process_time() - began < 1
    assert not any(echoed[at : at + 12] in text for at in range(len(echoed) - 12))


@pytest.mark.parametrize(
    "field",
    [
        "functions", "response_format", "prediction", "suffix", "system_instruction", "systemInstruction", "inputs",
        "texts", "message", "chat_history", "file", "requests",
    ],
)  # fmt: skip
def test_every_field_of_a_prompt_is_hidden(field: str) -> None:
    """This holds for the request form of every provider."""
    request = {field: [{"parts": [{"text": "Mein Codewort ist Zaunkönig-4711, bitte"}]}]}
    assert scrub("no (Codewort ist Zaunkönig-4711)", prompt_pieces(request)) == f"no ({REMOVED})"


@pytest.mark.parametrize(
    "escape",
    [
        lambda text: json.dumps(json.dumps({"content": text})),
        lambda text: json.dumps(json.dumps({"content": text}, ensure_ascii=False)),
        lambda text: repr(json.dumps({"content": text})),
        lambda text: json.dumps(repr({"content": text})),
        lambda text: repr(repr({"content": text})),
        repr,
    ],
)
def test_a_prompt_that_is_escaped_twice_is_hidden(escape: Callable[[str], str]) -> None:
    """An error of a provider holds the JSON of its body, and may itself be printed."""
    words = ["Zaun", "könig", '"Pin"', "4711", "it's", "öde", "C:\\x", "Ende"]
    shown = scrub(f"bad: {escape(chr(10).join(words))}", prompt_pieces({"input": "\n".join(words)}))
    assert not any(word in shown for word in ("Zaun", "nig", "Pin", "4711", "it", "de", "C:", "Ende"))


@pytest.mark.parametrize(
    "escape",
    [quote, quote_plus, lambda prompt: repr(prompt.encode())],
    ids=["URL", "form", "bytes"],
)
@pytest.mark.parametrize("sent", ["Write to Jane Doe about her test", "Напиши письмо Ивану о диагнозе"])
def test_a_prompt_that_is_encoded_is_hidden(sent: str, escape: Callable[[str], str]) -> None:
    """An error may show the form, the URL or the bytes that were sent."""
    shown = scrub(f"invalid body: input={escape(sent)}", prompt_pieces({"input": sent}))
    assert shown == scrub("invalid body: input=" + REMOVED, ()) or escape(sent) not in shown
    assert escape(sent.rsplit(maxsplit=1)[-1]) not in shown


def test_a_prompt_of_bytes_is_hidden() -> None:
    """A file is sent as bytes."""
    request = {"file": b"the merger of A and B"}
    assert scrub("cannot read 'the merger of A and B'", prompt_pieces(request)) == f"cannot read '{REMOVED}'"


class Counted(list[Any]):
    """A list that counts how many of its items were read."""

    read = 0

    def __iter__(self) -> Iterator[Any]:
        for item in list.__iter__(self):
            self.read += 1
            yield item


@pytest.mark.parametrize(
    "items",
    [[f"{number:07d}" for number in range(200_000)], list(range(200_000)), [[number] for number in range(200_000)]],
)
def test_a_request_of_very_many_parts_costs_a_bounded_time(items: list[Any]) -> None:
    """They are not all looked at; the text is removed, because it may contain them."""
    counted = Counted(items)
    assert scrub("some error", prompt_pieces({"input": counted})) == REMOVED_MESSAGE
    assert counted.read <= 60_000


def test_very_many_fields_of_a_body_cost_a_bounded_time() -> None:
    """Their parts count together, also the short ones."""
    lists = [Counted(list(range(10_000))) for _ in range(100)]
    body = {f"field{number}": items for number, items in enumerate(lists)}
    assert scrub("some error", prompt_pieces({"proxy_server_request": {"body": body}})) == REMOVED_MESSAGE
    assert sum(items.read for items in lists) <= 60_000


def test_very_many_short_pieces_are_not_all_searched_for() -> None:
    """Their search counts like any other comparison, and equal pieces are searched for once."""
    pieces = iter([f"{number:07d}" for number in range(200_000)])
    assert scrub("some error", pieces) == REMOVED_MESSAGE
    assert len(list(pieces)) > 150_000
    assert scrub("some error 47114711", ["47114711"] * 200_000) == f"some error {REMOVED}"


def test_a_batch_of_short_inputs_leaves_the_error_readable() -> None:
    """A thousand words or a hundred token lists are ordinary."""
    request = {"input": [*(f"{number:07d}" for number in range(1_000)), *([*range(100)] for _ in range(100))]}
    assert scrub("no 0000047, quota exceeded", prompt_pieces(request)) == f"no {REMOVED}, quota exceeded"


TEXT = "Codewort ist Zaunkönig-4711"


@pytest.mark.parametrize(
    "sent",
    [
        {"document": {"type": "document_url", "document_url": f"https://example.com/{TEXT}"}},
        {"content": TEXT},
        {"additional_instructions": TEXT},
        {"stop": [TEXT]},
        {"extra_body": {"nested": [{"x": TEXT}]}},
        {"a_field_of_next_year": TEXT},
        {"messages": [{"role": TEXT, "name": TEXT, "content": "short"}]},
    ],
)
def test_text_is_hidden_whichever_field_of_the_body_has_it(sent: dict[str, Any]) -> None:
    """LiteLLM keeps the body as its client sent it, on every route."""
    request = {"model": "gpt-4o", **sent, "proxy_server_request": {"body": {"model": "gpt-4o", **sent}}}
    assert scrub(f"no ({TEXT}) for gpt-4o", prompt_pieces(request)) == f"no ({REMOVED}) for gpt-4o"


@pytest.mark.parametrize("levels", [13, 40, 10_000])
def test_text_is_hidden_however_deep_it_is_nested(levels: int) -> None:
    """The schema of an answer may nest deep. A mapping that holds itself ends at the limit of parts."""
    nested: Any = {"description": TEXT}
    for _ in range(levels):
        nested = {"properties": [nested]}
    assert scrub(f"no ({TEXT})", prompt_pieces({"response_format": nested})) == f"no ({REMOVED})"
    endless: dict[str, Any] = {}
    endless["self"] = [endless, endless]
    assert scrub("some error", prompt_pieces({"response_format": endless})) == REMOVED_MESSAGE


def test_names_and_settings_of_the_body_stay_readable() -> None:
    """An error about them would say nothing without them; names are labels of the alert anyway."""
    body = {
        "model": "claude-3-5-sonnet-20240620",
        "user": "team-search-production",
        "encoding_format": "float",
        "metadata": {"tags": ["production-search-tag"]},
        "api_base": "https://llm.example.com/v1",
        "messages": [{"role": "assistant", "content": "x"}],
    }
    text = (
        "claude-3-5-sonnet-20240620 of team-search-production refused float at https://llm.example.com/v1 for assistant"
    )
    assert scrub(text, prompt_pieces({**body, "proxy_server_request": {"body": body}})) == text


def test_text_replaced_by_a_guardrail_is_hidden_too() -> None:
    """The error of a guardrail may repeat what the client sent."""
    sent = {"messages": [{"role": "user", "content": TEXT}]}
    masked = {"messages": [{"role": "user", "content": "<masked>"}], "proxy_server_request": {"body": sent}}
    assert scrub(f"no ({TEXT})", prompt_pieces(masked)) == f"no ({REMOVED})"


def test_a_large_prompt_that_litellm_holds_twice_is_compared_once() -> None:
    """The limit of a prompt is that of one copy."""
    sent = {"messages": [{"role": "user", "content": "word " * 300_000}]}
    request = {**sent, "proxy_server_request": {"body": dict(sent)}}
    assert scrub("some error", prompt_pieces(request)) == "some error"


def test_a_text_that_cannot_be_compared_is_removed() -> None:
    """The text of an error is removed where the prompt is too long to look through."""
    assert scrub("some error", ["x" * 3_000_000]) == REMOVED_MESSAGE
