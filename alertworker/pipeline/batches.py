"""A batch from the broker, and the context that each step of ingest gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from alertworker.alerts.alert import Alert
from alertworker.detectors import Policy
from alertworker.events import Event
from alertworker.events.batch import Rejected
from alertworker.folding import Fold
from alertworker.pipeline.refused import RefusedCredentials
from alertworker.pipeline.runtime import Runtime
from alertworker.ports import Transaction
from alertworker.text.ids import safe_id


@dataclass(frozen=True, slots=True)
class BatchMessage:
    """A batch as the broker delivered it.

    ``size`` is its message's size in bytes. ``digest`` is one of its content;
    ``None`` if its id stands for the content.
    """

    batch_id: str
    events: object
    encoding: str | None = None
    producer: str = ""
    sealed_at: datetime | None = None
    size: int = 0
    digest: str | None = None

    def __post_init__(self) -> None:
        """Make both ids storable: a batch that cannot be parked would be redelivered forever."""
        object.__setattr__(self, "batch_id", safe_id(self.batch_id))
        object.__setattr__(self, "producer", safe_id(self.producer))

    @property
    def log_ids(self) -> dict[str, str]:
        """The batch id as a field for log lines, if it is a UUID, as our publishers make them.

        Any other id is a producer's text, which no log line repeats.
        """
        try:
            return {"batch_id": str(UUID(self.batch_id))}
        except ValueError:
            return {}


@dataclass(frozen=True, slots=True)
class DecodedBatch:
    """A batch with its valid events, and the rejected ones."""

    message: BatchMessage
    events: Sequence[Event]
    rejected: Sequence[Rejected] = ()


class NotTogether(Exception):
    """Several batches cannot be applied in one transaction."""


@dataclass(frozen=True, slots=True)
class BatchContext:
    """One batch in its transaction, or several as one, as every step of ingest gets it.

    ``policy`` is the runtime's, with the labels that routes and current silences match. ``refused`` are the credentials
    that providers refuse. ``detected`` are the alerts of the detectors and of LiteLLM's own alerting. They are found
    before the steps.
    """

    tx: Transaction
    folded: Fold
    runtime: Runtime
    policy: Policy
    now: datetime
    refused: RefusedCredentials
    detected: Sequence[Alert]
