"""The windows of deployments, the outages of deployments, regions and models, and refused credentials."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, String, Table, literal_column, text

from alertworker.outages.rows import BY_GROUP
from alertworker.store.schema.base import METADATA, NAME, Amount, Count


def _target() -> Iterator[Column[str]]:
    """Yield the columns of a deployment with its provider and region, or of a region alone."""
    return (Column(name, NAME, primary_key=True) for name in ("deployment_id", "provider", "region"))


def _place() -> Iterator[Column[str] | Column[int]]:
    """Yield the columns of a target's bucket of event time: the epoch second of its start."""
    yield from _target()
    yield Column("bucket", BigInteger, primary_key=True)


def _ends() -> Iterator[Column[int]]:
    """Yield the numbers of calls by how they ended."""
    return (Column(name, Count, nullable=False) for name in ("by_fallback", "by_retry", "lost"))


#: Sums of each deployment per bucket of event time. ``succeeded`` counts calls.
WINDOWS = Table(
    "deployment_windows",
    METADATA,
    *_place(),
    Column("succeeded", Count, nullable=False),
    #: Nothing reads these three. They are 0 in new rows, because the previous version still writes them.
    Column("failed", Count, nullable=False, default=0),
    Column("milliseconds", Amount, nullable=False, default=0),
    Column("completion_tokens", Amount, nullable=False, default=0),
    #: Epoch milliseconds; 0 for never.
    Column("last_success", BigInteger, nullable=False),
    #: The deployment's model group. Workers of the previous version leave it empty.
    Column("model", NAME, nullable=False, server_default=text("''")),
    #: Those of ``succeeded`` by the group of their callers' key. Workers of the previous version count none.
    *(Column(name, Count, nullable=False, server_default=text("0")) for name in BY_GROUP),
    Index("deployment_windows_region", "provider", "region", "bucket"),
    Index("deployment_windows_provider", "provider", "bucket"),
    Index("deployment_windows_model", "model", "bucket"),
)

#: Failed calls that a deployment is to blame for, by cause. ``attempts`` counts a call once on each deployment.
CAUSES = Table(
    "deployment_causes",
    METADATA,
    *_place(),
    Column("cause", String(32), primary_key=True),
    Column("attempts", Count, nullable=False),
    #: Epoch milliseconds.
    Column("last_failure", BigInteger, nullable=False),
    #: Epoch milliseconds; NULL in rows that the previous version began.
    Column("first_failure", BigInteger),
    Index("deployment_causes_region", "provider", "region", "bucket"),
    Index("deployment_causes_provider", "provider", "bucket"),
)

#: How calls ended that a deployment, region or provider had failed, by team. As in `OUTAGES`, the columns that do not
#: name the target are empty.
OUTAGE_CALLS = Table(
    "outage_calls",
    METADATA,
    *_place(),
    Column("team", NAME, primary_key=True),
    *_ends(),
)

#: The calls for a model group that were not answered at the first attempt, by how they ended and by team.
#: ``deployment_id`` is the first deployment that failed the call. It is empty if no deployment was available.
MODEL_CALLS = Table(
    "model_calls",
    METADATA,
    Column("model", NAME, primary_key=True),
    Column("deployment_id", NAME, primary_key=True),
    Column("bucket", BigInteger, primary_key=True),
    Column("team", NAME, primary_key=True),
    *_ends(),
)

#: The outage state of each model group that ever failed, as in `OUTAGES`. A worker of the previous version takes every
#: row of `OUTAGES` for a deployment or a region, so this is a separate table.
MODEL_OUTAGES = Table(
    "model_outages",
    METADATA,
    Column("model", NAME, primary_key=True),
    Column("state", Integer, nullable=False, index=True),
    Column("over_until", BigInteger, nullable=False),
)

#: The outage state of each deployment, region and provider that ever failed. Notifications of its outage are decided
#: under its row's lock.
OUTAGES = Table(
    "outages",
    METADATA,
    *_target(),
    #: 0 without an outage. A provider's is negative, so that workers of the previous version do not end its outage.
    Column("level", Integer, nullable=False, index=True),
    #: The epoch second before which every outage has ended for good.
    Column("over_until", BigInteger, nullable=False),
    #: Pairs of start and end of the newest outages, in epoch seconds. The previous version leaves it empty.
    Column("stretches", JSON(none_as_null=True), key="episodes"),
)

#: The callers' keys whose calls a deployment failed: about `MAX_KEYS` for each bucket, the smallest ones.
FAILING_KEYS = Table(
    "deployment_failing_keys",
    METADATA,
    *_place(),
    Column("key_hash", NAME, primary_key=True),
    Column("model", NAME, nullable=False),
    Column("failed", Count, nullable=False),
    Index("deployment_failing_keys_region", "provider", "region", "bucket"),
    Index("deployment_failing_keys_provider", "provider", "bucket"),
    Index("deployment_failing_keys_key", "key_hash", "bucket"),
)

#: Calls whose credential the provider refused, for each deployment that uses it.
REFUSALS = Table(
    "credential_refusals",
    METADATA,
    Column("provider", NAME, primary_key=True),
    Column("credential", String(12), primary_key=True),
    Column("bucket", BigInteger, primary_key=True),
    Column("deployment_id", NAME, primary_key=True),
    Column("region", NAME, primary_key=True),
    Column("model", NAME, nullable=False),
    Column("unauthorized", Count, nullable=False),
    Column("forbidden", Count, nullable=False),
    #: Epoch milliseconds.
    Column("last_refusal", BigInteger, nullable=False),
    Index("credential_refusals_deployment", "deployment_id", "bucket"),
)

#: The state of each credential that a provider accepted or refused. Its notifications are decided under its row's lock.
CREDENTIALS = Table(
    "credentials",
    METADATA,
    Column("provider", NAME, primary_key=True),
    Column("credential", String(12), primary_key=True),
    #: 0 while the provider does not refuse it.
    Column("level", Integer, nullable=False, index=True),
    #: The epoch second before which every refusal has ended for good.
    Column("over_until", BigInteger, nullable=False),
    #: The start of the last bucket with a success, 0 if the producers do not report it.
    Column("last_success", BigInteger, nullable=False),
)

#: Few targets have an outage, and few credentials are refused. The sweep and each batch look at these. The zero is not
#: a parameter: with a parameter, no database uses the index.
HAS_OUTAGE: Final = OUTAGES.c.level > literal_column("0")
PROVIDER_HAS_OUTAGE: Final = OUTAGES.c.level < literal_column("0")
MODEL_HAS_OUTAGE: Final = MODEL_OUTAGES.c.state > literal_column("0")
REFUSED: Final = CREDENTIALS.c.level > literal_column("0")
for _table, _open in ((OUTAGES, HAS_OUTAGE), (MODEL_OUTAGES, MODEL_HAS_OUTAGE), (CREDENTIALS, REFUSED)):
    Index(f"{_table.name}_open", *_table.primary_key, sqlite_where=_open, postgresql_where=_open)

#: Retention deletes the oldest buckets, without reading the others.
for _table in (WINDOWS, CAUSES, OUTAGE_CALLS, MODEL_CALLS, FAILING_KEYS, REFUSALS):
    Index(f"{_table.name}_by_bucket", _table.c.bucket)
