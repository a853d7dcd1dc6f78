"""Keep the configuration that each running process has published.

The previous version neither reads nor writes the table, so its processes are not in it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "processes",
        sa.Column("host", sa.String(256), primary_key=True),
        sa.Column("role", sa.String(16), primary_key=True),
        sa.Column("pid", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("channels", sa.JSON(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("processes")
