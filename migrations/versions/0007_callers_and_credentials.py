"""Keep whose calls failed, and which of the providers' credentials were refused.

Only tables and an index are added: workers of the version before go on reading and writing as they did.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "deployment_failing_keys",
        sa.Column("deployment_id", sa.String(256), nullable=False),
        sa.Column("provider", sa.String(256), nullable=False),
        sa.Column("region", sa.String(256), nullable=False),
        sa.Column("bucket", sa.BigInteger(), nullable=False),
        sa.Column("key_hash", sa.String(256), nullable=False),
        sa.Column("model", sa.String(256), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("deployment_id", "provider", "region", "bucket", "key_hash"),
    )
    op.create_index(
        "deployment_failing_keys_region", "deployment_failing_keys", ["provider", "region", "bucket"], unique=False
    )
    op.create_index("deployment_failing_keys_key", "deployment_failing_keys", ["key_hash", "bucket"], unique=False)
    op.create_table(
        "credential_refusals",
        sa.Column("provider", sa.String(256), nullable=False),
        sa.Column("credential", sa.String(12), nullable=False),
        sa.Column("bucket", sa.BigInteger(), nullable=False),
        sa.Column("deployment_id", sa.String(256), nullable=False),
        sa.Column("region", sa.String(256), nullable=False),
        sa.Column("model", sa.String(256), nullable=False),
        sa.Column("unauthorized", sa.BigInteger(), nullable=False),
        sa.Column("forbidden", sa.BigInteger(), nullable=False),
        sa.Column("last_refusal", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "credential", "bucket", "deployment_id", "region"),
    )
    op.create_index("credential_refusals_deployment", "credential_refusals", ["deployment_id", "bucket"], unique=False)
    op.create_table(
        "credentials",
        sa.Column("provider", sa.String(256), nullable=False),
        sa.Column("credential", sa.String(12), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("over_until", sa.BigInteger(), nullable=False),
        sa.Column("last_success", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "credential"),
    )
    op.create_index(op.f("ix_credentials_level"), "credentials", ["level"], unique=False)
    value = (
        "json_extract(labels, '$.credential')"
        if op.get_context().dialect.name == "sqlite"
        else ("(labels ->> 'credential')")
    )
    op.execute(f"CREATE INDEX alerts_open_by_credential ON alerts (type, {value}) WHERE open_fingerprint IS NOT NULL")


def downgrade() -> None:
    op.execute("DROP INDEX alerts_open_by_credential")
    op.drop_table("credentials")
    op.drop_table("credential_refusals")
    op.drop_table("deployment_failing_keys")
