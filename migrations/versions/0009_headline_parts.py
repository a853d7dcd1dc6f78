"""Keep what the headline of an outage is made of, so that no worker reads it out of the headline's words.

The column may be empty: workers of the previous version go on writing rows without it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("alerts", sa.Column("headline_parts", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("alerts", "headline_parts")
