"""The text of LiteLLM's own alerts, taken apart: header, labelled lines, the caller's metadata and messages."""

from __future__ import annotations

import re
from typing import Final

from alertworker.events.base import MAX_ITEMS
from alertworker.integrations.litellm.echoes import remove_prompt
from alertworker.text.shorten import shorten

_HEAD: Final = re.compile(
    r"\A(?:\[Num Alerts: (?P<times>[0-9]{1,10})\]\s+)?"
    r"Alert type: `(?P<type>[^`\n]{1,256})`(?: \(Digest\))?(?P<rest>.*)\Z",
    re.DOTALL,
)
_FIELD: Final = re.compile(r"\n(Level|Timestamp|Start|End|Count): `([^`\n]{0,64})`")
_PROXY_URL: Final = re.compile(r"\n\nProxy URL: `[^`\n]*`\s*\Z")
_METADATA: Final = "\n\n*Alerting Metadata*: \n"
#: A labelled line of a message: ``*Model Name:* `gpt-4o` `` or ``API Base: `https://…` ``.
_FACT: Final = re.compile(r"^[ \t]*\*?([^\W_][\w /-]{0,60}?):\*?:? `([^`\n]*)`[ \t]*$", re.MULTILINE)
_PLAIN_FACT: Final = re.compile(r"^ ?(Model|model): ([^\n`]{1,256})$", re.MULTILINE)
#: The excerpt of the caller's messages. It is one line for a list; any other excerpt may hold lines that look like
#: facts.
_MESSAGES: Final = re.compile(r"^Messages: (?:`\[\{'[^\n]*$\n?|.*\Z)", re.MULTILINE | re.DOTALL)
#: The maximum length of LiteLLM's excerpt, in characters.
_EXCERPT: Final = 100
_MARKS: Final = re.compile(r"[*`]+")
#: The remainder of an error's closing mark.
_LONE_MARK: Final = re.compile(r"^`$", re.MULTILINE)
#: How much of a message is read, in characters: its start, and the lines at its end, where LiteLLM puts its facts.
_MAX_BEGIN: Final = 48_000
_MAX_END: Final = 16_000


def header(text: str) -> tuple[str | None, str, int]:
    """Return the alert's type, the rest of the text, and LiteLLM's number of occurrences."""
    head = _HEAD.match(text)
    return (head["type"], head["rest"], int(head["times"] or 1)) if head is not None else (None, f"\n{text}", 1)


def split(rest: str) -> tuple[dict[str, str], str, dict[str, str]]:
    """Split what follows the type into header fields, the message, and the caller's metadata."""
    fields: dict[str, str] = {}
    position = 0
    while match := _FIELD.match(rest, position):
        fields[match[1]] = match[2]
        position = match.end()
    message = _PROXY_URL.sub("", rest[position:]).removeprefix("\n\nMessage: ")
    message, *marked = message.split(_METADATA)
    metadata: dict[str, str] = {}
    for item in marked:
        key, separator, value = item.partition(": `")
        if key and separator and len(metadata) < MAX_ITEMS:
            metadata[key] = value.rstrip("\n").removesuffix("`")
    return fields, message.strip(), metadata


def cut_middle(message: str) -> str:
    """Return a message without its middle, if it is too long to be read whole."""
    if len(message) <= _MAX_BEGIN + _MAX_END:
        return message
    _, _, end = message[-_MAX_END:].partition("\n")
    return f"{shorten(message, _MAX_BEGIN)}\n{end}"


def read_labelled(message: str) -> dict[str, object]:
    """Return a message's first line (``headline``), its labelled lines (``facts``), and the rest of it (``text``).

    If a label occurs twice, for example in a message about several users, the rest contains all lines.
    """
    lines = message.split("\n")
    first = next((index for index, line in enumerate(lines) if _MARKS.sub("", line).strip()), len(lines))
    headline = _MARKS.sub("", lines[first]).strip() if first < len(lines) else ""
    headline = headline.partition("Traceback (most recent call last)")[0] or headline
    rest = "\n".join(lines[first + 1 :])
    facts: dict[str, str] = {}
    labelled = (*_FACT.findall(rest), *_PLAIN_FACT.findall(rest))
    for label, value in labelled[:MAX_ITEMS]:
        facts.setdefault(label.strip(), value)
    if len(facts) == len(labelled):
        rest = _PLAIN_FACT.sub("", _FACT.sub("", rest))
    rest = re.sub(r"\n{3,}", "\n\n", _LONE_MARK.sub("", rest))
    return {"headline": headline.removesuffix(":"), "facts": facts, "text": rest.strip()}


def without_messages(message: str) -> str:
    """Remove the excerpt of the caller's messages, and every repetition of it: providers echo prompts in errors."""
    excerpts = [found[0].removeprefix("Messages: `")[:_EXCERPT] for found in _MESSAGES.finditer(message)]
    pieces = [line for excerpt in excerpts for line in excerpt.splitlines()]
    return remove_prompt(_MESSAGES.sub("", message), pieces) if excerpts else message
