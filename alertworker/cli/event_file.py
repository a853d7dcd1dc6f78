"""Events in a file: a JSON array, one JSON object, or one object a line."""

from __future__ import annotations

import json
from typing import TextIO

from alertworker.errors import AlertWorkerError


def read_events(file: TextIO) -> list[object]:
    """Read the events of a file, not yet checked.

    Raises:
        AlertWorkerError: the file is neither.
    """
    text = file.read()
    try:
        whole = json.loads(text)
    except ValueError:
        try:
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        except ValueError as error:
            raise AlertWorkerError("the input is neither JSON nor one JSON object a line") from error
    return whole if isinstance(whole, list) else [whole]
