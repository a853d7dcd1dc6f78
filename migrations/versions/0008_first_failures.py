"""Keep when the first call of a bucket failed, so that messages say since when a deployment fails.

The column may be empty: workers of the previous version go on writing rows without it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("deployment_causes", sa.Column("first_failure", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("deployment_causes", "first_failure")
