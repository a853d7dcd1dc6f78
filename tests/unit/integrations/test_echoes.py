"""Pieces of a prompt in an error, in any script and any encoding."""

from __future__ import annotations

import html
import json
import time
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertworker.integrations.litellm.echoes import MIN_PIECE, remove_prompt, remove_values, weight
from alertworker.text.redact import REMOVED
from tests.provider_errors import ERRORS


@pytest.mark.parametrize(
    ("prompt", "echoed"),
    [
        ("请帮我给张伟写一封信，他昨天确诊糖尿病了。", "确诊糖尿病"),
        ("请帮我给张伟写一封信，他昨天确诊糖尿病了。", "张伟写一封"),
        ("田中さんは来月離婚する予定です。誰にも言わないで。", "来月離婚する"),
        ("김민수 씨는 다음 달에 해고될 예정입니다.", "해고될 예정"),
        ("ｶﾅの秘密のメモ", "ｶﾅの秘密"),
        ("我爱你", "我爱你"),
        ("離婚", "離婚"),
        ("病名", "病名"),
        ("Call 王小明 now", "all 王小明"),
        ("the plan 計画 for Bob", "the plan 計"),
        ("計 the plan of Bob", "計 the plan"),
        ("𠮷野家の株を買う", "𠮷野家の株"),
    ],
)
def test_a_few_characters_of_chinese_japanese_or_korean_are_removed(prompt: str, echoed: str) -> None:
    """Four of them say as much as 12 letters, and a prompt of two is a whole word."""
    assert remove_prompt(f"invalid input ({echoed}), sorry", [prompt]) == f"invalid input ({REMOVED}), sorry"


def test_the_own_words_of_an_error_in_chinese_stay() -> None:
    """Three characters are too little to be from the prompt."""
    text = "模型过载，请稍后再试。当前请求数：128"
    assert remove_prompt(text, ["请翻译这个模型的说明书，稍后发给我。当前很忙。"]) == text


@given(
    prompt=st.text(st.sampled_from("abc 的一是不了さしすカキ가나다"), min_size=12, max_size=60),
    begin=st.integers(0, 40),
    length=st.integers(4, 30),
    before=st.text(st.sampled_from("xyz ()"), max_size=10),
    after=st.text(st.sampled_from("xyz ()"), max_size=10),
)
def test_no_piece_of_the_least_weight_survives(prompt: str, begin: int, length: int, before: str, after: str) -> None:
    """This holds for every place of its start and for every mix of scripts."""
    echoed = prompt[begin : begin + length]
    shown = remove_prompt(f"{before}{echoed}{after}", [prompt])
    pieces = (prompt[start:end] for start in range(len(prompt)) for end in range(start + 1, len(prompt) + 1))
    assert not any(weight(piece) >= MIN_PIECE and piece in shown.replace(REMOVED, "\0") for piece in pieces)


def _pairs(text: str) -> Iterator[bytes]:
    encoded = text.encode("utf-16-be")
    return (encoded[at : at + 2] for at in range(0, len(encoded), 2))


ENCODINGS: dict[str, Callable[[str], str]] = {
    "HTML": lambda text: html.escape(text).encode("ascii", "xmlcharrefreplace").decode(),
    "HTML, each letter": lambda text: "".join(f"&#x{ord(letter):x};" for letter in text),
    "HTML twice": lambda text: html.escape(html.escape(text).encode("ascii", "xmlcharrefreplace").decode()),
    "names of HTML": lambda text: text.replace("ö", "&ouml;").replace('"', "&quot;").replace(",", "&comma;"),
    "URL": quote,
    "URL twice": lambda text: quote(quote(text)),
    "form": quote_plus,
    "JSON": json.dumps,
    "JSON twice": lambda text: json.dumps(json.dumps(text)),
    "JSON three times": lambda text: json.dumps(json.dumps(json.dumps(text))),
    "JSON in HTML": lambda text: html.escape(json.dumps(text)),
    "JSON in a URL": lambda text: quote(json.dumps(text)),
    "Python": repr,
    "bytes": lambda text: repr(text.encode()),
    "bytes of JSON": lambda text: repr(json.dumps(text, ensure_ascii=False).encode()),
    "JSON, each letter": lambda text: "".join(f"\\u{pair.hex()}" for pair in _pairs(text)),
    "line breaks as blanks": lambda text: " ".join(text.split()),
}


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
@pytest.mark.parametrize(
    "prompt",
    [
        'Schreibe an Jörg Böhm,\nseine "Diagnose" lautet: gutartig & klein.',
        "请给王小明写信，\n他的诊断是糖尿病。",
        "Напиши письмо Ивану\nо его диагнозе 🙂 сегодня",
        "<b>Zaunkönig</b> C:\\temp\\x 100% + 1 'quoted' words",
    ],
)
def test_an_encoded_prompt_is_removed(prompt: str, encode: Callable[[str], str]) -> None:
    """No word of it is left, for the notation of every program, also if only its middle is shown."""
    echoed = encode(prompt)
    shown = remove_prompt(f"invalid body: {echoed}", [prompt])
    assert REMOVED in shown
    assert len(shown) <= len("invalid body: ") + 2 * len(REMOVED) + 12
    middle = echoed[len(echoed) // 4 : -len(echoed) // 4]
    assert len(remove_prompt(f"at {middle} here", [prompt])) <= len("at  here") + 2 * len(REMOVED) + 40


@pytest.mark.parametrize("text", ERRORS)
def test_the_errors_of_providers_stay_readable_beside_an_ordinary_prompt(text: str) -> None:
    """A prompt has words of its own."""
    prompts = [
        "Please summarize the attached quarterly report for our board and list three risks.",
        "请把下面的会议记录翻译成英文，并列出三个要点。",
        "次の文章を要約して、重要な点を三つ挙げてください。",
        "Schreibe eine kurze Geschichte über einen Fuchs und einen Raben.",
    ]
    assert remove_prompt(text, prompts) == text


@pytest.mark.parametrize("encode", [str, quote, lambda key: json.dumps(json.dumps(key)), html.escape])
def test_a_known_value_is_removed_in_any_encoding(encode: Callable[[str], str]) -> None:
    """A key of a deployment need not have the format of a key."""
    value = 'pa/ss&wö"rd'
    shown = remove_values(f"no {encode(value)} here", [value])
    assert REMOVED in shown
    assert not any(part in shown for part in ("pa", "ss", "rd"))


@pytest.mark.parametrize(
    "letters", ["的", "的一", "".join(map(chr, range(0x4E00, 0x5E00))), "a的 ", "\\u7684", "%E7%9A%84"]
)
def test_the_time_grows_with_the_length_of_a_prompt(letters: str) -> None:
    """A long prompt must not block a proxy: eight times the prompt takes less than 20 times as long."""
    echoed = f"error: {(letters * 300)[:300]} {'模型过载' * 20} \\n %41"

    def seconds(size: int) -> float:
        begun = time.thread_time()
        remove_prompt(echoed, [letters * (size // len(letters))])
        return time.thread_time() - begun

    small = min(seconds(20_000) for _ in range(3))
    assert min(seconds(160_000) for _ in range(2)) < 20 * max(small, 0.002)
