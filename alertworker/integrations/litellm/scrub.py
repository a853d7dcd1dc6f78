"""Makes an error's text safe to show: without secrets, pieces of the prompt and LiteLLM's debug lines."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import quote, quote_plus

from alertworker.events.base import MAX_TEXT
from alertworker.integrations.litellm.coerce import as_mapping, clip
from alertworker.text.redact import REMOVED, within
from alertworker.text.shorten import shorten

#: A piece of the prompt of this length or more, in characters, does not appear in a text.
MIN_PIECE: Final = 12
#: A shorter string of the prompt does not appear either, if it has at least this length.
_MIN_WHOLE: Final = 4
#: The maximum length of a message that is read and kept, in characters.
_MAX_MESSAGE: Final = 1_500
#: The maximum length of a prompt that is compared, in characters. With a longer one the text is removed instead.
_MAX_PROMPT: Final = 2_000_000
#: The maximum length of all spellings of the prompt, in characters.
_MAX_SPELLED: Final = 6_000_000
#: How many characters are compared before a text is removed: a prompt of one repeated letter must not block a proxy.
_MAX_COMPARED: Final = 60_000
#: The cost of the search for one short piece, in compared characters.
_SEARCH: Final = 4
#: The maximum number of parts of a request, before a text is removed.
_MAX_PARTS: Final = 50_000
#: Strings that are spelled the same in JSON.
_PLAIN: Final = re.compile(r"[\w .,;:!?()/+*=<>@#$%&-]*", re.ASCII)
REMOVED_MESSAGE: Final = "(message removed: it may contain the prompt)"
#: Every piece of `MIN_PIECE` characters holds a window of this length that begins at a multiple of `_STRIDE`.
_WINDOW: Final = 6
_STRIDE: Final = MIN_PIECE - _WINDOW + 1

#: The keys of a request that hold its caller's text, and the keys in them that hold names. A value with a blank is the
#: caller's text in any key.
_PROMPT_FIELDS: Final = (
    "messages",
    "input",
    "prompt",
    "system",
    "instructions",
    "contents",
    "query",
    "documents",
    "tools",
    "functions",
    "response_format",
    "prediction",
    "suffix",
    "system_instruction",
    "systemInstruction",
    "inputs",
    "text",
    "texts",
    "message",
    "chat_history",
    "file",
    "requests",
)
_NAMES: Final = frozenset({"role", "type", "id", "name", "tool_call_id", "detail", "format"})
#: The keys of a body that name or set something. Events have most of them as labels, and an error must be able to name
#: them. Any other key, known or not, may hold the caller's text.
_SETTINGS: Final = frozenset(
    (
        "api_base", "api_key", "api_version", "base_url", "custom_llm_provider", "encoding_format", "fallbacks",
        "litellm_call_id", "litellm_metadata", "litellm_session_id", "litellm_trace_id", "metadata", "model",
        "model_info", "region_name", "tags", "user",
    )
)  # fmt: skip
_NO_OTHERS: Final = _SETTINGS.union(_PROMPT_FIELDS)

#: The start of LiteLLM's own additions to a message. They may repeat the messages.
_ADDITIONS: Final = re.compile(
    r"(?<!\s)\s*(?:Key Name: |Team: |Model: |API Base: |Messages: |model_group: |deployment: |Received Model Group"
    r"|Available Model Group|LiteLLM Retried|LiteLLM: model group )"
)


class TooLargeError(Exception):
    """A request has too many parts to be compared with a text."""


def scrub(message: str, prompt: Iterable[str], *, secrets: Iterable[object] = ()) -> str:
    """Return a message that is safe to show, visibly cut.

    ``prompt`` yields the strings whose content must not appear. ``secrets`` are values known to be secret, whatever
    they look like.
    """
    addition = _ADDITIONS.search(message, 0, 2 * _MAX_MESSAGE)
    if addition is not None:
        message = message[: addition.start()]
    for secret in secrets:
        if isinstance(secret, str) and len(secret) >= _MIN_WHOLE:
            message = message.replace(secret, REMOVED)
    message = (_remembered if len(message) <= MAX_TEXT else _sound)(message)
    return shorten(remove_prompt(message, prompt), MAX_TEXT)


def _sound(message: str) -> str:
    return clip(within(message, _MAX_MESSAGE), _MAX_MESSAGE) or ""


#: Cached, because the same error arrives with the attempt and with the call, and often during an outage.
_remembered: Final = lru_cache(1_000)(_sound)


def prompt_pieces(request: Mapping[str, object]) -> Iterator[str]:
    """Return the strings of a request that its caller wrote.

    LiteLLM also keeps the body as the caller sent it. Of its other fields only longer strings are returned: a short one
    is mostly a word that says how the call should be made.

    Raises:
        TooLargeError: when the request has too many parts; `remove_prompt` then returns no text.
    """
    for field in _PROMPT_FIELDS:
        yield from _strings(request.get(field))
    body = as_mapping(as_mapping(request.get("proxy_server_request")).get("body"))
    for field in _PROMPT_FIELDS:
        if body.get(field) is not request.get(field):
            yield from _strings(body.get(field))
    others = {field: value for field, value in body.items() if field not in _NO_OTHERS}
    yield from (piece for piece in _strings(others) if len(piece) >= MIN_PIECE)


def remove_prompt(text: str, prompt: Iterable[str]) -> str:
    """Replace every piece of the prompt of `MIN_PIECE` characters or more, and shorter strings as a whole.

    The prompt is searched once, in steps: a million characters take about 20 ms. A text that cannot be decided at a
    bounded cost is removed.
    """
    at: dict[str, list[int]] = {}
    for start in range(len(text) - _WINDOW + 1):
        at.setdefault(text[start : start + _WINDOW], []).append(start)
    hidden: dict[int, tuple[int, int]] = {}
    seen: set[str] = set()
    size = spelled = compared = 0
    try:
        for piece in prompt:
            if len(piece) < _MIN_WHOLE or piece in seen:
                continue
            seen.add(piece)
            size += len(piece)
            if size > _MAX_PROMPT:
                return REMOVED_MESSAGE
            for spelling in _spellings(piece, text):
                spelled += len(spelling)
                compared += 1 + _find(text, at, spelling, hidden)
                if compared > _MAX_COMPARED or spelled > _MAX_SPELLED:
                    return REMOVED_MESSAGE
    except TooLargeError:
        return REMOVED_MESSAGE
    return _hide(text, hidden) if hidden else text


def _find(text: str, at: Mapping[str, list[int]], piece: str, hidden: dict[int, tuple[int, int]]) -> int:
    """Add the places of a piece of the prompt in the text to ``hidden``, and return how many characters were compared.

    ``hidden`` maps each place in the text that must be removed to the start and end of the common piece around it.
    """
    if len(piece) < MIN_PIECE:
        return _find_whole(text, piece, hidden)
    compared = 0
    for offset in range(0, len(piece) - _WINDOW + 1, _STRIDE):
        for place in at.get(piece[offset : offset + _WINDOW], ()):
            compared += 1
            shift = offset - place
            if place in hidden and not _goes_on(text, piece, shift, *hidden[place]):
                continue
            left, right = _reach(text, place, piece, shift)
            compared += right - left
            if right - left >= MIN_PIECE:
                hidden |= dict.fromkeys(range(left, right), (left, right))
        if compared > _MAX_COMPARED:
            break
    return compared


def _find_whole(text: str, piece: str, hidden: dict[int, tuple[int, int]]) -> int:
    """Add the places of a short piece in the text, and return what the search cost."""
    cost, start = _SEARCH, text.find(piece)
    while start >= 0:
        end = start + len(piece)
        hidden |= dict.fromkeys(range(start, end), (start, end))
        cost += len(piece)
        start = text.find(piece, start + 1)
    return cost


def _goes_on(text: str, piece: str, shift: int, left: int, right: int) -> bool:
    """Return whether the place hidden from ``left`` to ``right`` may be part of a longer piece here."""
    return (left > 0 and left + shift > 0 and text[left - 1] == piece[left + shift - 1]) or (
        right < len(text) and right + shift < len(piece) and text[right] == piece[right + shift]
    )


def _reach(text: str, place: int, piece: str, shift: int) -> tuple[int, int]:
    """Return the start and end of the longest common piece around a place in the text."""
    left, right = place, place + _WINDOW
    while left > 0 and left + shift > 0 and text[left - 1] == piece[left + shift - 1]:
        left -= 1
    while right < len(text) and right + shift < len(piece) and text[right] == piece[right + shift]:
        right += 1
    return left, right


def _hide(text: str, hidden: Container[int]) -> str:
    kept: list[str] = []
    for position, letter in enumerate(text):
        if position not in hidden:
            kept.append(letter)
        elif position - 1 not in hidden:
            kept.append(REMOVED)
    return "".join(kept)


def _spellings(piece: str, text: str) -> Iterator[str]:
    """Yield the piece unchanged, as a form or a URL has it and, if the text has escapes, as JSON or Python prints it.

    The last ones come once and twice escaped.
    """
    piece = piece.replace("\x00", "\ufffd")
    yield piece
    if ("%" in text or "+" in text) and not piece.isalnum():
        data = piece.encode("utf-8", "replace")
        yield quote(data)
        yield quote_plus(data)
    if "\\" not in text or _PLAIN.fullmatch(piece):
        return
    seen = {piece}
    for level in (_escaped(piece), (twice for once in _escaped(piece) for twice in _escaped(once))):
        for spelling in level:
            if spelling not in seen:
                seen.add(spelling)
                yield spelling
        if "\\\\" not in text:
            return


def _escaped(piece: str) -> Iterator[str]:
    yield json.dumps(piece)[1:-1]
    yield json.dumps(piece, ensure_ascii=False)[1:-1]
    yield repr(piece)[1:-1]
    yield repr(piece.encode("utf-8", "replace"))[2:-1]


def _is_name(key: object, item: object) -> bool:
    return key in _NAMES and isinstance(item, str) and " " not in item


def _strings(value: object) -> Iterator[str]:
    """Return the strings of a nested value, without the names of its fields.

    Raises:
        TooLargeError: when it has more than `_MAX_PARTS` parts.
    """
    waiting, parts = [value], 0
    while waiting:
        value = waiting.pop()
        if isinstance(value, str | bytes):
            yield value if isinstance(value, str) else value.decode("utf-8", "replace")
            continue
        found: Iterable[object] = ()
        if isinstance(value, Mapping):
            parts += len(value)
            found = (item for key, item in value.items() if not _is_name(key, item))
        elif isinstance(value, (list, tuple)):
            parts += len(value)
            found = value
        if parts > _MAX_PARTS:
            raise TooLargeError
        waiting += found
