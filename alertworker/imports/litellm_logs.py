"""LiteLLM's own spend, read from its PostgreSQL database: its spend log page by page, and its daily sums.

Tables and columns are those of ``schema.prisma`` in the package (1.106.2). Its times are UTC without a zone. Its money
is floating-point dollars, which are rounded to nano-dollars for each request.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import ValidationError
from sqlalchemy import Engine, text

from alertworker.events import EndEvent, Failure, Origin, RequestFailed, RequestSucceeded
from alertworker.events.base import MAX_ITEMS
from alertworker.imports.litellm_database import reading
from alertworker.imports.progress import Left, Page
from alertworker.integrations.litellm.outgoing import outgoing
from alertworker.ledger.postings import Postings
from alertworker.ledger.reader import Days
from alertworker.money import nanos_from_dollars

#: How many requests are one page, and so one transaction.
PAGE: Final = 2_000
#: How long after its end a call may appear in LiteLLM's log, which it writes in batches, seconds to minutes apart.
LAG: Final = timedelta(minutes=10)
_FROM: Final = """FROM "LiteLLM_SpendLogs" WHERE "endTime" < :until AND ("startTime", request_id) > (:start, :id)"""
_PAGE: Final = text(f"""
    SELECT request_id, api_key, spend, prompt_tokens, completion_tokens, "startTime", "endTime", "completionStartTime",
           model, model_id, model_group, custom_llm_provider, "user", cache_hit, request_tags, team_id, organization_id,
           end_user, status, metadata->>'user_api_key_alias' AS key_alias,
           metadata->>'user_api_key_team_alias' AS team_alias,
           metadata->'error_information'->>'error_class' AS error_class
    {_FROM} ORDER BY "startTime", request_id LIMIT :size""")
_LEFT: Final = text(f'SELECT count(*) AS rows, min("endTime") AS first {_FROM}')
#: The daily table of each dimension, and its column. The users' table has all requests, so it has the total.
DAILY: Final = {
    "total": ("LiteLLM_DailyUserSpend", "''"),
    "user": ("LiteLLM_DailyUserSpend", "user_id"),
    "key": ("LiteLLM_DailyUserSpend", "api_key"),
    "team": ("LiteLLM_DailyTeamSpend", "team_id"),
    "tag": ("LiteLLM_DailyTagSpend", "tag"),
    "customer": ("LiteLLM_DailyEndUserSpend", "end_user_id"),
    "organization": ("LiteLLM_DailyOrganizationSpend", "organization_id"),
}


class SpendLogs:
    """LiteLLM's ``LiteLLM_SpendLogs``: calls that began at ``since`` or later and ended before ``until``, by start.

    ``until`` must be at least `LAG` ago: a call that LiteLLM writes later than that is never read.
    """

    def __init__(self, engine: Engine, zone: ZoneInfo, since: datetime | None, until: datetime) -> None:
        self._engine = engine
        self._zone = zone
        self._since, self._until = since, until
        #: How many rows were skipped because their counts, times or names are impossible.
        self.refused = 0

    def left(self, cursor: str) -> Left:
        """Return how many requests are left before the cut-over, and the day of the first."""
        with reading(self._engine) as connection:
            rows, first = connection.execute(_LEFT, self._place(cursor)).one()
        return Left(rows, first and first.replace(tzinfo=UTC).astimezone(self._zone).date())

    def pages(self, cursor: str) -> Iterator[Page]:
        """Yield the requests after the cursor, page by page."""
        while True:
            with reading(self._engine) as connection:
                rows = connection.execute(_PAGE, self._place(cursor) | {"size": PAGE}).mappings().all()
            if not rows:
                return
            ledger = Postings()
            for row in rows:
                try:
                    event = event_of(dict(row))
                except ValidationError:
                    self.refused += 1
                    continue
                ledger.add_end(event, event.occurred_at.astimezone(self._zone).date(), event.occurred_at)
            cursor = json.dumps([rows[-1]["startTime"].isoformat(), rows[-1]["request_id"]])
            yield Page(cursor, len(rows), ledger)

    def _place(self, cursor: str) -> dict[str, object]:
        since = _naive(self._since) if self._since else datetime.min  # noqa: DTZ901 - LiteLLM's are naive, too
        start, request_id = json.loads(cursor) if cursor else (since.isoformat(), "")
        return {"until": _naive(self._until), "start": datetime.fromisoformat(start), "id": request_id}


def daily(engine: Engine, dimension: str, days: Days) -> dict[tuple[str, str], tuple[int, int]]:
    """Return requests and nano-dollars by day ("2026-11-24", UTC) and entity, as LiteLLM added them up.

    Calls without a team or a user are in the total only.
    """
    table, column = DAILY[dimension]
    statement = text(
        f"SELECT date, COALESCE({column}, '') AS entity, SUM(api_requests), SUM(spend::numeric) FROM \"{table}\" "  # noqa: S608
        f"WHERE date BETWEEN :first AND :last AND ({column} <> '' OR :total) GROUP BY 1, 2"
    )
    values = {"first": str(days.first), "last": str(days.last), "total": dimension == "total"}
    with reading(engine) as connection:
        return {
            (day, entity): (int(requests), nanos_from_dollars(dollars))
            for day, entity, requests, dollars in connection.execute(statement, values)
        }


def event_of(row: dict[str, Any]) -> EndEvent:
    """Return the call of a row of the spend log.

    Raises:
        ValidationError: the row cannot be that of a call.
    """
    tags = row["request_tags"] if isinstance(row["request_tags"], list) else []
    first, ended = row["completionStartTime"], row["endTime"]
    facts = {
        "call_id": row["request_id"],
        "occurred_at": ended.replace(tzinfo=UTC),
        "started_at": row["startTime"].replace(tzinfo=UTC),
        "ended_at": ended.replace(tzinfo=UTC),
        "model": row["model"] or None,
        "model_group": row["model_group"] or None,
        "deployment_id": row["model_id"] or None,
        "provider": row["custom_llm_provider"] or None,
        "key_hash": row["api_key"] or None,
        "key_alias": row["key_alias"],
        "team_id": row["team_id"] or None,
        "team_alias": row["team_alias"],
        "user_id": row["user"] or None,
        "customer_id": row["end_user"] or None,
        "organization_id": row["organization_id"] or None,
        "tags": [str(tag) for tag in tags[:MAX_ITEMS]],
        "prompt_tokens": row["prompt_tokens"],
        "completion_tokens": row["completion_tokens"],
        "cost_nanos": nanos_from_dollars(Decimal(repr(row["spend"]))),
    }
    if row["status"] == "failure":
        failure = Failure(error_class=row["error_class"] or "unknown", origin=Origin.PROVIDER)
        return RequestFailed.model_validate(outgoing(facts) | {"failure": failure})
    # LiteLLM writes the end of the call if there was no first token.
    early = first.replace(tzinfo=UTC) if first is not None and first < ended else None
    hit = str(row["cache_hit"]).lower() == "true"
    return RequestSucceeded.model_validate(outgoing(facts) | {"cache_hit": hit, "first_token_at": early})


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
