"""The spend ledger, as one transaction sees it: its rows, names, sums and time zone."""

from __future__ import annotations

from typing import Protocol

from alertworker.ports.aliases import AliasPort
from alertworker.ports.postings import PostingPort
from alertworker.ports.time_zone import TimeZonePort
from alertworker.ports.user_totals import UserTotalPort


class LedgerPort(PostingPort, AliasPort, UserTotalPort, TimeZonePort, Protocol):
    """The whole ledger."""
