"""Sum the answered calls of a bucket by groups of callers' keys, and find the calls on a provider.

The sums show whether other callers' calls are answered. Workers of the previous version go on writing rows without
them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_COLUMNS = tuple(f"keys_{group}" for group in range(8))
_TABLES = ("deployment_windows", "deployment_causes", "deployment_failing_keys")


def upgrade() -> None:
    for name in _COLUMNS:
        column = sa.Column(name, sa.BigInteger(), nullable=False, server_default=sa.text("0"))
        op.add_column("deployment_windows", column)
    for table in _TABLES:
        op.create_index(f"{table}_provider", table, ["provider", "bucket"])


def downgrade() -> None:
    for table in _TABLES:
        op.drop_index(f"{table}_provider", table)
    for name in _COLUMNS:
        op.drop_column("deployment_windows", name)
