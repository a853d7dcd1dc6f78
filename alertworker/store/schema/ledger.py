"""The ledger's tables. Money is integer nano-dollars, and days are cut in the configured zone."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Date, Index, Integer, String, Table, Text

from alertworker.ledger.rows import AMOUNTS, SUMS
from alertworker.store.schema.base import METADATA, NAME, Amount, Count, UtcDateTime


def _sums() -> list[Column[int]]:
    """Return the columns of `SpendSums`, for one table."""
    return [Column(name, Amount if name in AMOUNTS else Count, nullable=False) for name in SUMS]


#: The ledger: sums per day and entity. The order of the key is the order in which reports read it. A request is in the
#: dimension "team" exactly once. ``part`` is the second half of a pair ("key/model"), or "".
SPEND = Table(
    "spend",
    METADATA,
    Column("dimension", String(32), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("team_id", NAME, primary_key=True),
    Column("entity", NAME, primary_key=True),
    Column("part", NAME, primary_key=True),
    *_sums(),
    Index("spend_by_entity", "dimension", "entity", "day"),
    sqlite_with_rowid=False,
)

#: The dimensions that also have sums by calendar month: those in reports. The other dimensions, and pairs, are queried
#: for a month or for one entity, and every row costs each batch.
MONTHLY: Final = frozenset({"team", "tag"})
#: `SPEND` of these dimensions by month, where ``month`` is its first day. It is written together with the days.
SPEND_MONTHS = Table(
    "spend_months",
    METADATA,
    Column("dimension", String(32), primary_key=True),
    Column("month", Date, primary_key=True),
    Column("entity", NAME, primary_key=True),
    Column("team_id", NAME, primary_key=True),
    *_sums(),
    sqlite_with_rowid=False,
)

#: The first month that is not deleted, in one row. Older months are not read, even while they have rows.
LEDGER_START = Table("ledger_start", METADATA, Column("month", Date, primary_key=True))

#: The number of rows of a day and dimension, so that a cap is decided without counting them.
SPEND_SIZES = Table(
    "spend_sizes",
    METADATA,
    Column("dimension", String(32), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("rows", Count, nullable=False),
    sqlite_with_rowid=False,
)

#: The outcomes of attempts, and of calls by their last deployment, per day: "succeeded" or the class of the error.
OUTCOMES = Table(
    "outcomes",
    METADATA,
    Column("day", Date, primary_key=True),
    Column("deployment_id", NAME, primary_key=True),
    Column("outcome", NAME, primary_key=True),
    Column("attempts", Count, nullable=False),
    Column("calls", Count, nullable=False),
    sqlite_with_rowid=False,
)

#: Calls with a fallback, by the requested model group and the one that was used last.
FALLBACKS = Table(
    "fallbacks",
    METADATA,
    Column("day", Date, primary_key=True),
    Column("asked", NAME, primary_key=True),
    Column("used", NAME, primary_key=True),
    Column("succeeded", Count, nullable=False),
    Column("failed", Count, nullable=False),
    sqlite_with_rowid=False,
)

#: Durations by deployment and day in fixed logarithmic buckets, see `alertworker.ledger.histogram.BOUNDS`.
LATENCIES = Table(
    "latencies",
    METADATA,
    Column("day", Date, primary_key=True),
    Column("deployment_id", NAME, primary_key=True),
    Column("measure", String(16), primary_key=True),
    Column("bucket", Integer, primary_key=True),
    Column("count", Count, nullable=False),
    Column("microseconds", Amount, nullable=False),
    sqlite_with_rowid=False,
)

#: How many events a publisher's process had dropped since its start, at the end of each day on which it reported.
DROPS = Table(
    "drops",
    METADATA,
    Column("boot_id", NAME, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("reason", NAME, primary_key=True),
    Column("total", Count, nullable=False),
    Index("drops_by_day", "day", "boot_id"),
    sqlite_with_rowid=False,
)

#: The names under which entities were seen. Reports print the last one.
ALIASES = Table(
    "aliases",
    METADATA,
    Column("dimension", String(32), primary_key=True),
    Column("entity", NAME, primary_key=True),
    Column("alias", NAME, primary_key=True),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Index("aliases_by_name", "dimension", "alias"),
    sqlite_with_rowid=False,
)

#: The time zones in which days were cut, each with the time since which it last applied.
ZONES = Table(
    "ledger_zones", METADATA, Column("zone", NAME, primary_key=True), Column("since", UtcDateTime, nullable=False)
)

#: Imports from other ledgers: the progress, the start (NULL: from the first) and the cut-over.
IMPORTS = Table(
    "imports",
    METADATA,
    Column("source", NAME, primary_key=True),
    Column("since", UtcDateTime),
    Column("until", UtcDateTime, nullable=False),
    Column("cursor", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
)
