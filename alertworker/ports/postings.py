"""The writing side of the spend ledger, as one transaction sees it."""

from __future__ import annotations

from typing import Protocol

from alertworker.budgets.configured import NO_EXEMPTIONS, CapExemptions
from alertworker.folding import Fold


class PostingPort(Protocol):
    """Adds batches to the ledger."""

    def add_fold(self, fold: Fold, *, max_entities: int, exempt: CapExemptions = NO_EXEMPTIONS) -> None:
        """Add a batch's sums to the ledger and the windows.

        A dimension has about ``max_entities`` rows a day. Further entities are added under "(other)", unless they are
        ``exempt``.
        """
        ...
