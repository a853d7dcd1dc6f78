"""The base class of all errors that alertworker raises deliberately, and the exit code of an interrupted command."""

from __future__ import annotations

from typing import Final

#: The exit code after Ctrl-C: that of a process that SIGINT ended, as shells report it.
INTERRUPTED: Final = 130


class AlertWorkerError(Exception):
    """An error of alertworker. Its text is safe to show: it holds no secret and no prompt."""


class StoreUnavailable(AlertWorkerError):
    """The database is unavailable. Nothing was decided; the caller can retry later."""


class TransactionRefused(StoreUnavailable):
    """The database is reachable and did not finish this transaction, for example because of a timeout.

    The cause may be the transaction's own content. Nothing was decided; the caller can retry later.
    """


class BatchRefused(AlertWorkerError):
    """The receiver of batches rejects this one permanently. The caller must not send it again."""


class BrokerUnavailable(AlertWorkerError):
    """The broker is unavailable. The message was not accepted; the caller can send it again later.

    ``retry_after`` is the number of seconds that the receiver asked to wait, 0 if it asked for none.
    """

    retry_after: float = 0.0
