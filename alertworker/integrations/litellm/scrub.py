"""Makes an error's text fit to be seen: without secrets, without pieces of the prompt, without LiteLLM's debug lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from alertworker.events.base import MAX_TEXT
from alertworker.integrations.litellm.bounds import clip

#: A piece of the prompt this long, in characters, does not appear in a text.
MIN_PIECE: Final = 12
#: Where a request carries what the caller wrote.
_PROMPT_FIELDS: Final = (
    "messages", "input", "prompt", "system", "instructions", "contents", "query", "documents", "tools",
)  # fmt: skip
#: Prompts longer than this, in characters, are not compared: the text is withheld instead.
_MAX_PROMPT: Final = 2_000_000
#: How many places are looked at closely before a text is withheld: a prompt of one repeated letter must not stop us.
_MAX_PLACES: Final = 50_000
_WITHHELD: Final = "(message withheld: it cannot be told apart from the prompt)"
#: Every piece of `MIN_PIECE` characters holds a window of this length at every multiple of `_STRIDE`.
_WINDOW: Final = 6
_STRIDE: Final = MIN_PIECE - _WINDOW + 1

_DEBUG_LINE: Final = re.compile(
    r"(?m)^[ \t]*(?:Messages|Model|API Base|Key Name|Team|model_group|deployment|vertex_project|vertex_location"
    r"|Received Model Group|Available Model Group Fallbacks|LiteLLM Retries|LiteLLM Max Retries|Input|Prompt)"
    r"[ \t]*[:=].*$"
)
_DEBUG_TAIL: Final = re.compile(r"[ .]*(?:Received Model Group=|Available Model Group Fallbacks=|LiteLLM Retr)[^\n]*")
_SECRET: Final = re.compile(
    r"""(?x)
    (?P<url>\b[a-z][a-z0-9+.-]{1,15}://)[^\s/@]+@                                  # user and password of a URL
    | https?://(?:hooks\.slack\.com|(?:ptb\.|canary\.)?discord(?:app)?\.com/api/webhooks)/[^\s'"<>]+
    | https?://[^\s'"<>]*(?:webhook|logic\.azure\.com)[^\s'"<>]*
    | \b(?:sk|pk|rk|gsk|xai|key|hf|ghp|gho|ghs|github_pat|glpat|xox[abposr]|xapp|AIza|ya29|AKIA|ASIA|SG|pplx|r8)
      [-_.]?[A-Za-z0-9*_.\-]{8,}
    | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]+                                       # JSON web token
    | (?i:\b(?P<scheme>bearer|basic)\s+)[A-Za-z0-9._~+/*=-]{6,}
    | (?i:(?P<label>\b[\w-]*(?:api[-_ ]?key|secret|token|password|passwd|authorization|signature)["']?\s*(?:provided)?\s*[:=]\s*["']?))
      [^\s"',;)}\]]{6,}
    | -----BEGIN[ A-Z]+-----[\s\S]*?(?:-----END[ A-Z]+-----|\Z)
    | \b[A-Fa-f0-9]{32,}\b
    | \b(?=[A-Za-z0-9+/_-]*[0-9])(?=[A-Za-z0-9+/_-]*[A-Za-z])[A-Za-z0-9+/_-]{40,}={0,2}
    """  # noqa: E501
)


def scrub(text: str, *, prompt: Mapping[str, Any] | None = None, secrets: Iterable[object] = ()) -> str:
    """Give ``text`` as it may be seen, cut to `MAX_TEXT` characters.

    ``prompt`` is the request whose content must not appear; ``secrets`` are values known to be secret.
    """
    text = text[: 4 * MAX_TEXT]
    for secret in secrets:
        if isinstance(secret, str) and len(secret) >= 6:
            text = text.replace(secret, "[secret]")
    text = _DEBUG_LINE.sub("", _DEBUG_TAIL.sub("", text))
    text = _SECRET.sub(_masked, text)
    if prompt is not None:
        text = without_prompt(text[: 2 * MAX_TEXT], prompt)
    return clip(re.sub(r"\n{2,}", "\n", text).strip(), MAX_TEXT) or ""


def without_prompt(text: str, request: Mapping[str, Any]) -> str:
    """Replace every piece of the prompt of `MIN_PIECE` characters or more.

    The prompt is looked through once, in steps, so a long one costs about 10 ms a million characters; what cannot be
    decided at a bounded cost is withheld.
    """
    at: dict[str, list[int]] = {}
    for start in range(len(text) - _WINDOW + 1):
        at.setdefault(text[start : start + _WINDOW], []).append(start)
    hidden: set[int] = set()
    budget, size = _MAX_PLACES, 0
    for piece in _strings([request.get(field) for field in _PROMPT_FIELDS]):
        size += len(piece)
        if size > _MAX_PROMPT:
            return _WITHHELD
        for spelling in _spellings(piece):
            for offset in range(0, len(spelling) - _WINDOW + 1, _STRIDE):
                for place in at.get(spelling[offset : offset + _WINDOW], ()):
                    budget -= 1
                    if budget < 0:
                        return _WITHHELD
                    if place not in hidden:
                        hidden.update(_match(text, place, spelling, offset))
    return _hide(text, hidden) if hidden else text


def _match(text: str, place: int, piece: str, offset: int) -> range:
    """Give where the longest common piece around these places lies in the text, if it is long enough."""
    left = 0
    while left < min(place, offset) and text[place - left - 1] == piece[offset - left - 1]:
        left += 1
    right, most = _WINDOW, min(len(text) - place, len(piece) - offset)
    while right < most and text[place + right] == piece[offset + right]:
        right += 1
    return range(place - left, place + right) if left + right >= MIN_PIECE else range(0)


def _hide(text: str, hidden: set[int]) -> str:
    kept: list[str] = []
    for position, letter in enumerate(text):
        if position not in hidden:
            kept.append(letter)
        elif position - 1 not in hidden:
            kept.append("[prompt]")
    return "".join(kept)


def _spellings(piece: str) -> Iterator[str]:
    """Give the piece as it is, and as JSON would print it where that differs."""
    if len(piece) < MIN_PIECE:
        return
    yield piece
    printed = json.dumps(piece)[1:-1]
    if printed != piece:
        yield printed


def _strings(value: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth < 12 and isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item, depth + 1)
    elif depth < 12 and isinstance(value, (list, tuple)):
        for item in value:
            yield from _strings(item, depth + 1)


def _masked(match: re.Match[str]) -> str:
    if match["url"]:
        return f"{match['url']}[secret]@"
    if match["label"]:
        return f"{match['label']}[secret]"
    return f"{match['scheme']} [secret]" if match["scheme"] else "[secret]"
