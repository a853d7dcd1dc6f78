"""Keep when each publisher started and its calls in flight, and index the running publishers and those of a host.

The columns may be empty: workers of the previous version go on writing rows without them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("publishers", sa.Column("started_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("publishers", sa.Column("inflight", sa.BigInteger(), nullable=True))
    op.execute(
        "CREATE INDEX publishers_running ON publishers (integration) WHERE stopped_at IS NULL AND lost_at IS NULL"
    )
    op.execute("CREATE INDEX publishers_by_host ON publishers (host, lost_at)")


def downgrade() -> None:
    op.execute("DROP INDEX publishers_by_host")
    op.execute("DROP INDEX publishers_running")
    op.drop_column("publishers", "inflight")
    op.drop_column("publishers", "started_at")
