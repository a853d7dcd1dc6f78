"""Keep the newest outages of each target, so that a target that flaps is noticed.

The column may be empty: workers of the previous version go on writing rows without it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("outages", sa.Column("stretches", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("outages", "stretches")
