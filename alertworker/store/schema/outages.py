"""The windows of deployments, and the outages of deployments and regions."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table

from alertworker.store.schema.base import METADATA, NAME

#: Sums of each deployment per bucket of event time. ``bucket`` is the epoch second of its start. ``succeeded`` counts
#: calls, ``failed`` attempts.
WINDOWS = Table(
    "deployment_windows",
    METADATA,
    Column("deployment_id", NAME, primary_key=True),
    Column("provider", NAME, primary_key=True),
    Column("region", NAME, primary_key=True),
    Column("bucket", BigInteger, primary_key=True),
    Column("succeeded", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("milliseconds", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    #: Epoch milliseconds; 0 for never.
    Column("last_success", BigInteger, nullable=False),
    Index("deployment_windows_region", "provider", "region", "bucket"),
)

#: Failed calls that a deployment is to blame for, by cause. ``attempts`` counts a call once on each deployment.
CAUSES = Table(
    "deployment_causes",
    METADATA,
    Column("deployment_id", NAME, primary_key=True),
    Column("provider", NAME, primary_key=True),
    Column("region", NAME, primary_key=True),
    Column("bucket", BigInteger, primary_key=True),
    Column("cause", String(32), primary_key=True),
    Column("attempts", BigInteger, nullable=False),
    #: Epoch milliseconds.
    Column("last_failure", BigInteger, nullable=False),
    #: Epoch milliseconds; NULL in rows that the previous version began.
    Column("first_failure", BigInteger),
    Index("deployment_causes_region", "provider", "region", "bucket"),
)

#: How calls ended that a deployment, or a region, had failed, by team. The other of the two is empty.
OUTAGE_CALLS = Table(
    "outage_calls",
    METADATA,
    Column("deployment_id", NAME, primary_key=True),
    Column("provider", NAME, primary_key=True),
    Column("region", NAME, primary_key=True),
    Column("bucket", BigInteger, primary_key=True),
    Column("team", NAME, primary_key=True),
    Column("by_fallback", BigInteger, nullable=False),
    Column("by_retry", BigInteger, nullable=False),
    Column("lost", BigInteger, nullable=False),
)

#: The outage state of each deployment and region that ever failed. Its notifications are decided under its row's lock.
OUTAGES = Table(
    "outages",
    METADATA,
    Column("deployment_id", NAME, primary_key=True),
    Column("provider", NAME, primary_key=True),
    Column("region", NAME, primary_key=True),
    #: 0 while there is no outage.
    Column("level", Integer, nullable=False, index=True),
    #: The epoch second before which every outage has ended for good.
    Column("over_until", BigInteger, nullable=False),
)
