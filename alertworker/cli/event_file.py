"""Events in a file: a JSON array, one JSON object, or one object a line."""

from __future__ import annotations

from typing import BinaryIO, Final

from alertworker.errors import AlertWorkerError
from alertworker.events.json_items import Item
from alertworker.events.plain_body import split_body

#: The largest file, in bytes. The whole file is held in memory.
MAX_FILE_BYTES: Final = 64 * 1024 * 1024
#: The most events and the most lines of one file: about as many as fit into `MAX_FILE_BYTES` at 100 bytes each.
MAX_FILE_EVENTS: Final = 500_000


def read_events(file: BinaryIO, *, most: int = MAX_FILE_EVENTS) -> list[Item]:
    """Return the events of a file before validation. A line that is not JSON counts as an event.

    Raises:
        AlertWorkerError: the file is over `MAX_FILE_BYTES`, has more than ``most`` events, or is not UTF-8.
    """
    body = file.read(MAX_FILE_BYTES + 1)
    if len(body) > MAX_FILE_BYTES:
        raise AlertWorkerError(f"the input is over {MAX_FILE_BYTES} bytes; split it into several files")
    return split_body(body, most=most, lines=MAX_FILE_EVENTS)
