"""Create every table of the first release."""

from __future__ import annotations

from alembic import op

from alertworker.store.ledger_tables import METADATA

revision = "0001"
down_revision = None


def upgrade() -> None:
    METADATA.create_all(op.get_bind())


def downgrade() -> None:
    METADATA.drop_all(op.get_bind())
