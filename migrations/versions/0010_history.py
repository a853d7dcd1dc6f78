"""Index what is open, due, newest or oldest, so that neither the sweep nor a page reads the history.

Only indexes are added: workers of the version before go on reading and writing as they did.
"""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"

#: The tables of which retention deletes the oldest buckets.
_BUCKETS = (
    "deployment_windows",
    "deployment_causes",
    "outage_calls",
    "model_calls",
    "deployment_failing_keys",
    "credential_refusals",
)
_INDEXES = {
    "alerts_open_by_opened_at": "alerts (opened_at, id) WHERE open_fingerprint IS NOT NULL",
    "alerts_suppressed": "alerts (opened_at, id) WHERE muted_by IS NOT NULL OR withheld_by IS NOT NULL",
    "alerts_by_type": "alerts (type, opened_at, id)",
    "alerts_by_fingerprint": "alerts (fingerprint, opened_at)",
    "alerts_closed_by_fingerprint": "alerts (fingerprint, closed_at)",
    "outages_open": "outages (deployment_id, provider, region) WHERE level > 0",
    "model_outages_open": "model_outages (model) WHERE state > 0",
    "credentials_open": "credentials (provider, credential) WHERE level > 0",
    "budgets_live": "budgets (reset_at) WHERE closed IS {false}",
    "publishers_lost": "publishers (lost_at) WHERE stopped_at IS NULL AND lost_at IS NOT NULL",
    "publishers_ended": "publishers (coalesce(stopped_at, lost_at))",
    "drops_by_day": "drops (day, boot_id)",
    "dead_letters_by_kind": "dead_letters (kind, created_at, id)",
    **{f"{table}_by_bucket": f"{table} (bucket)" for table in _BUCKETS},
}


def upgrade() -> None:
    false = "0" if op.get_context().dialect.name == "sqlite" else "false"
    for name, what in _INDEXES.items():
        op.execute(f"CREATE INDEX {name} ON {what.format(false=false)}")


def downgrade() -> None:
    for name in reversed(_INDEXES):
        op.execute(f"DROP INDEX {name}")
