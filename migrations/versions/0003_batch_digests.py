"""Keep a digest of each batch, so that another batch under the same id is noticed.

The column may be empty: workers of the previous version go on writing rows without it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("batches", sa.Column("digest", sa.String(32), nullable=True))


def downgrade() -> None:
    op.drop_column("batches", "digest")
