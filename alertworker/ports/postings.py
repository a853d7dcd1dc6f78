"""The writing side of the spend ledger, as one transaction sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from alertworker.budgets.configured import NO_EXEMPTIONS, CapExemptions
from alertworker.folding import DropKey
from alertworker.ledger.postings import Postings


class PostingPort(Protocol):
    """Adds batches to the ledger."""

    def add(self, ledger: Postings, *, max_entities: int, exempt: CapExemptions = NO_EXEMPTIONS) -> None:
        """Add a batch's sums to the ledger.

        A dimension has about ``max_entities`` rows a day. Further entities are added under "(other)", unless they are
        ``exempt``.
        """
        ...

    def add_drops(self, drops: Mapping[DropKey, int]) -> None:
        """Keep how many events publishers dropped: the highest count of each day."""
        ...
