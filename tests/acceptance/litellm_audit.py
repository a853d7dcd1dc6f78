"""Runs under LiteLLM's interpreter: makes its audit log report changes to its callbacks, as its management routes do.

The entries are LiteLLM's own, from the rows and requests that its routes write, with its own masking. It also looks
up and calls the callback itself. Only the licence and the database of a proxy are missing.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import litellm
from litellm.proxy import _types as proxy_types
from litellm.proxy.management_helpers.audit_logs import _dispatch_audit_log_to_callbacks
from litellm.proxy.types_utils.utils import get_instance_fn

from alertworker.publisher import get_publisher

KEY, HASH = "sk-live0123456789abcdefghij", "a" * 64
TABLES = proxy_types.LitellmTableNames


async def log_change(action: Any, table: proxy_types.LitellmTableNames, identity: str, before: Any, after: Any) -> None:
    """Write one entry, with the JSON that LiteLLM's routes make of a row and of a request."""
    entry = proxy_types.LiteLLM_AuditLogs(
        id=str(uuid4()),
        updated_at=datetime.now(UTC),
        changed_by="ada",
        changed_by_api_key=HASH,
        action=action,
        table_name=table,
        object_id=identity,
        before_value=before and before.model_dump_json(exclude_none=True),
        updated_values=after and after.model_dump_json(exclude_none=True),
    )
    await _dispatch_audit_log_to_callbacks(entry)


async def main() -> None:
    """Report changes of a key, of a team's members and of a user."""
    litellm.audit_log_callbacks = [get_instance_fn("alertworker.integrations.litellm.callback")]
    key = proxy_types.LiteLLM_VerificationToken(
        token=HASH, key_name="sk-...ghij", key_alias="search-application", max_budget=10.0
    )
    await log_change("created", TABLES.KEY_TABLE_NAME, HASH, None, key)
    more = proxy_types.UpdateKeyRequest(key=KEY, max_budget=20.0, metadata={"note": "of the board"})
    await log_change("updated", TABLES.KEY_TABLE_NAME, HASH, key, more)
    await log_change("deleted", TABLES.KEY_TABLE_NAME, HASH, key, None)
    members = [proxy_types.Member(user_id=name, role="user") for name in ("u1", "u2")]
    alone = proxy_types.LiteLLM_TeamTable(team_id="t1", team_alias="Search", members_with_roles=members[:1])
    both = proxy_types.LiteLLM_TeamTable(team_id="t1", team_alias="Search", members_with_roles=members)
    await log_change("updated", TABLES.TEAM_TABLE_NAME, "t1", alone, both)
    user = proxy_types.LiteLLM_UserTable(user_id="u2", user_email="u2@example.com", max_budget=None)
    await log_change("created", TABLES.USER_TABLE_NAME, "u2", None, user)
    await asyncio.sleep(0.1)  # each callback runs as its own task


asyncio.run(main())
get_publisher().close()
