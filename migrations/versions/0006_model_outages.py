"""Add the model group to the windows of deployments, and the outages of model groups.

Workers of the previous version go on writing windows without a model group, and do not know the new tables.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_NAME = sa.String(256)


def upgrade() -> None:
    op.add_column("deployment_windows", sa.Column("model", _NAME, nullable=False, server_default=sa.text("''")))
    op.create_index("deployment_windows_model", "deployment_windows", ["model", "bucket"])
    op.create_table(
        "model_calls",
        sa.Column("model", _NAME, primary_key=True),
        sa.Column("deployment_id", _NAME, primary_key=True),
        sa.Column("bucket", sa.BigInteger, primary_key=True),
        sa.Column("team", _NAME, primary_key=True),
        sa.Column("by_fallback", sa.BigInteger, nullable=False),
        sa.Column("by_retry", sa.BigInteger, nullable=False),
        sa.Column("lost", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "model_outages",
        sa.Column("model", _NAME, primary_key=True),
        sa.Column("state", sa.Integer, nullable=False, index=True),
        sa.Column("over_until", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("model_outages")
    op.drop_table("model_calls")
    op.drop_index("deployment_windows_model", "deployment_windows")
    op.drop_column("deployment_windows", "model")
