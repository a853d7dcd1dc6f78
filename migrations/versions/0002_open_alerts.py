"""Index what is open, so that no batch and no sweep reads more the more is open.

Only indexes are added: workers of the version before go on reading and writing as they did.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

_LABELS = ("deployment", "key", "model", "organization", "region", "team", "user")


def upgrade() -> None:
    value = "json_extract(labels, '$.{}')" if op.get_context().dialect.name == "sqlite" else "(labels ->> '{}')"
    for label in _LABELS:
        op.execute(
            f"CREATE INDEX alerts_open_by_{label} ON alerts (type, {value.format(label)}) "
            "WHERE open_fingerprint IS NOT NULL"
        )
    op.execute(
        "CREATE INDEX alerts_open_by_next_summary_at ON alerts (next_summary_at) WHERE open_fingerprint IS NOT NULL"
    )
    op.execute("CREATE INDEX alerts_open_by_repeat_at ON alerts (repeat_at) WHERE open_fingerprint IS NOT NULL")
    op.execute(
        "CREATE INDEX alerts_owing ON alerts (fingerprint) WHERE open_fingerprint IS NOT NULL AND owed IS NOT NULL"
    )


def downgrade() -> None:
    op.execute("DROP INDEX alerts_owing")
    op.execute("DROP INDEX alerts_open_by_repeat_at")
    op.execute("DROP INDEX alerts_open_by_next_summary_at")
    for label in _LABELS:
        op.execute(f"DROP INDEX alerts_open_by_{label}")
