"""Ids: strings of any source that become keys in the database, and the kinds of ids."""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum
from typing import Final

#: The longest key, in characters: the width of the columns that hold ids and names.
MAX_ID: Final = 256
#: Characters that PostgreSQL, a log or a terminal does not accept: control characters, and halves of surrogate pairs.
_UNSAFE: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class IdKind(StrEnum):
    """The things that commands name by an id."""

    ALERT = "alert"
    NOTIFICATION = "notification"
    SILENCE = "silence"
    DEAD_LETTER = "dead letter"


def safe_id(value: str | float) -> str:
    """Return an id that every database stores; two different values never get the same one.

    A string that is safe and short enough stays as it is, and a number becomes a string. Anything else becomes a
    digest, because an id that is cut or cleaned could equal the id of something else.
    """
    text = str(value)
    if len(text) <= MAX_ID and not _UNSAFE.search(text):
        return text
    return f"sha256-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def unstorable(text: str) -> str | None:
    r"""Return which character no database stores, with the remedy; ``None`` if every character can be stored.

    People can pass such characters: Python reads a byte that is not UTF-8, in an argument or a variable, as half of a
    surrogate pair.

    >>> unstorable("a\0")
    'character 2 is NUL; remove it'
    """
    for place, character in enumerate(text if not text.isascii() or "\0" in text else "", start=1):
        if character == "\0":
            return f"character {place} is NUL; remove it"
        if "\ud800" <= character <= "\udfff":
            return f"character {place} is not valid Unicode; write the text in UTF-8"
    return None


def storable(text: str) -> str:
    """Replace what databases cannot store by U+FFFD: NUL (PostgreSQL), and lone halves of surrogate pairs (UTF-8)."""
    if text.isascii():
        return text if "\0" not in text else text.replace("\0", "\ufffd")
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")
