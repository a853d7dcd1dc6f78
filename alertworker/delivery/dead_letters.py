"""The kinds of dead letters, as rows, filters and URLs name them."""

from __future__ import annotations

from enum import StrEnum


class DeadLetterKind(StrEnum):
    """The kind of a dead letter. A newer version may have others, so a row keeps its kind as a string."""

    EVENT = "event"  # invalid; its batch was applied without it
    BATCH = "batch"  # parked: applying it failed
    MESSAGE = "message"  # parked: it cannot be read as a batch
    NOTIFICATION = "notification"  # its receiver refused it, or its deadline passed
