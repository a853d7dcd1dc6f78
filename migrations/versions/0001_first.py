"""Create every table of the first release, as it was then: it says them itself, and later changes are migrations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "alert_members",
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", "position"),
    )
    op.create_table(
        "alert_parts",
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("part", sa.String(length=256), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("told", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", "part"),
    )
    op.create_table(
        "alerts",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("fingerprint", sa.String(length=32), nullable=False),
        sa.Column("open_fingerprint", sa.String(length=32), nullable=True),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("headline", sa.Text(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=True),
        sa.Column("tables", sa.JSON(), nullable=True),
        sa.Column("chart", sa.JSON(), nullable=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("told", sa.BigInteger(), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("summaries", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_summary_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("repeat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("muted_by", sa.String(length=256), nullable=True),
        sa.Column("owed", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("withheld_by", sa.String(length=256), nullable=True),
        sa.Column("acked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acked_by", sa.String(length=256), nullable=True),
        sa.Column("ack_note", sa.Text(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("open_fingerprint"),
    )
    op.create_index(op.f("ix_alerts_closed_at"), "alerts", ["closed_at"], unique=False)
    op.create_index(op.f("ix_alerts_fingerprint"), "alerts", ["fingerprint"], unique=False)
    op.create_index(op.f("ix_alerts_next_summary_at"), "alerts", ["next_summary_at"], unique=False)
    op.create_index(op.f("ix_alerts_opened_at"), "alerts", ["opened_at"], unique=False)
    op.create_table(
        "aliases",
        sa.Column("dimension", sa.String(length=32), nullable=False),
        sa.Column("entity", sa.String(length=256), nullable=False),
        sa.Column("alias", sa.String(length=256), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("dimension", "entity", "alias"),
        sqlite_with_rowid=False,
    )
    op.create_index("aliases_by_name", "aliases", ["dimension", "alias"], unique=False)
    op.create_table(
        "attachments",
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("media_type", sa.String(length=64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", "name"),
    )
    op.create_table(
        "attempts",
        sa.Column("notification_id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("notification_id", "at"),
    )
    op.create_table(
        "batches",
        sa.Column("batch_id", sa.String(length=256), nullable=False),
        sa.Column("producer", sa.String(length=256), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("batch_id"),
    )
    op.create_index(op.f("ix_batches_applied_at"), "batches", ["applied_at"], unique=False)
    op.create_table(
        "budgets",
        sa.Column("scope", sa.String(length=32), nullable=False),
        sa.Column("entity", sa.String(length=256), nullable=False),
        sa.Column("reset_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("duration", sa.String(length=256), nullable=True),
        sa.Column("spend_nanos", sa.BigInteger(), nullable=False),
        sa.Column("max_nanos", sa.BigInteger(), nullable=True),
        sa.Column("soft_nanos", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("limits_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("spent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("high_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rejected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("who", sa.JSON(), nullable=False),
        sa.Column("shares", sa.JSON(), nullable=False),
        sa.Column("told_nanos", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "entity"),
    )
    op.create_index(op.f("ix_budgets_reset_at"), "budgets", ["reset_at"], unique=False)
    op.create_table(
        "calls",
        sa.Column("call_id", sa.String(length=256), nullable=False),
        sa.Column("boot_id", sa.String(length=256), nullable=True),
        sa.Column("alert_id", sa.String(length=36), nullable=True),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("call_id"),
    )
    op.create_index(op.f("ix_calls_alert_id"), "calls", ["alert_id"], unique=False)
    op.create_index(op.f("ix_calls_boot_id"), "calls", ["boot_id"], unique=False)
    op.create_index(op.f("ix_calls_ended_at"), "calls", ["ended_at"], unique=False)
    op.create_table(
        "counters",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("label", sa.String(length=256), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "label"),
    )
    op.create_table(
        "dead_letters",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.String(length=256), nullable=True),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.Column("type", sa.String(length=256), nullable=True),
        sa.Column("channel", sa.String(length=256), nullable=True),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_dead_letters_created_at"), "dead_letters", ["created_at"], unique=False)
    op.create_index(op.f("ix_dead_letters_type"), "dead_letters", ["type"], unique=False)
    op.create_table(
        "deployment_causes",
        sa.Column("deployment_id", sa.String(length=256), nullable=False),
        sa.Column("provider", sa.String(length=256), nullable=False),
        sa.Column("region", sa.String(length=256), nullable=False),
        sa.Column("bucket", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.String(length=32), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("last_failure", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("deployment_id", "provider", "region", "bucket", "cause"),
    )
    op.create_index("deployment_causes_region", "deployment_causes", ["provider", "region", "bucket"], unique=False)
    op.create_table(
        "deployment_windows",
        sa.Column("deployment_id", sa.String(length=256), nullable=False),
        sa.Column("provider", sa.String(length=256), nullable=False),
        sa.Column("region", sa.String(length=256), nullable=False),
        sa.Column("bucket", sa.BigInteger(), nullable=False),
        sa.Column("succeeded", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("milliseconds", sa.BigInteger(), nullable=False),
        sa.Column("completion_tokens", sa.BigInteger(), nullable=False),
        sa.Column("last_success", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("deployment_id", "provider", "region", "bucket"),
    )
    op.create_index("deployment_windows_region", "deployment_windows", ["provider", "region", "bucket"], unique=False)
    op.create_table(
        "drops",
        sa.Column("boot_id", sa.String(length=256), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(length=256), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("boot_id", "day", "reason"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "fallbacks",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("asked", sa.String(length=256), nullable=False),
        sa.Column("used", sa.String(length=256), nullable=False),
        sa.Column("succeeded", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "asked", "used"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "imports",
        sa.Column("source", sa.String(length=256), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source"),
    )
    op.create_table(
        "lanes",
        sa.Column("channel", sa.String(length=256), nullable=False),
        sa.Column("token", sa.String(length=36), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_free_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paced_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("probe_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("broken_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("channel"),
    )
    op.create_table(
        "latencies",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("deployment_id", sa.String(length=256), nullable=False),
        sa.Column("measure", sa.String(length=16), nullable=False),
        sa.Column("bucket", sa.Integer(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("microseconds", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "deployment_id", "measure", "bucket"),
        sqlite_with_rowid=False,
    )
    op.create_table("ledger_start", sa.Column("month", sa.Date(), nullable=False), sa.PrimaryKeyConstraint("month"))
    op.create_table(
        "ledger_zones",
        sa.Column("zone", sa.String(length=256), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("zone"),
    )
    op.create_table(
        "line",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "notifications",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("step", sa.String(length=32), nullable=False),
        sa.Column("channel", sa.String(length=256), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("turn", sa.SmallInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("merged_into", sa.String(length=36), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("alert_id", "channel", "step"),
    )
    op.create_index(op.f("ix_notifications_merged_into"), "notifications", ["merged_into"], unique=False)
    op.create_index(op.f("ix_notifications_settled_at"), "notifications", ["settled_at"], unique=False)
    op.create_index(
        "notifications_in_order",
        "notifications",
        ["status", "channel", "turn", "created_at", "id", "next_attempt_at"],
        unique=False,
    )
    op.create_table(
        "outage_calls",
        sa.Column("deployment_id", sa.String(length=256), nullable=False),
        sa.Column("provider", sa.String(length=256), nullable=False),
        sa.Column("region", sa.String(length=256), nullable=False),
        sa.Column("bucket", sa.BigInteger(), nullable=False),
        sa.Column("team", sa.String(length=256), nullable=False),
        sa.Column("by_fallback", sa.BigInteger(), nullable=False),
        sa.Column("by_retry", sa.BigInteger(), nullable=False),
        sa.Column("lost", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("deployment_id", "provider", "region", "bucket", "team"),
    )
    op.create_table(
        "outages",
        sa.Column("deployment_id", sa.String(length=256), nullable=False),
        sa.Column("provider", sa.String(length=256), nullable=False),
        sa.Column("region", sa.String(length=256), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("over_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("deployment_id", "provider", "region"),
    )
    op.create_index(op.f("ix_outages_level"), "outages", ["level"], unique=False)
    op.create_table(
        "outcomes",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("deployment_id", sa.String(length=256), nullable=False),
        sa.Column("outcome", sa.String(length=256), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "deployment_id", "outcome"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "publishers",
        sa.Column("boot_id", sa.String(length=256), nullable=False),
        sa.Column("host", sa.String(length=256), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("integration", sa.String(length=256), nullable=True),
        sa.Column("interval_seconds", sa.Integer(), nullable=False),
        sa.Column("backlog", sa.BigInteger(), nullable=False),
        sa.Column("counters", sa.JSON(), nullable=False),
        sa.Column("published", sa.BigInteger(), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("busy_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("silent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lost_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("boot_id"),
    )
    op.create_table(
        "redeliveries",
        sa.Column("batch_id", sa.String(length=256), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("batch_id"),
    )
    op.create_index(op.f("ix_redeliveries_at"), "redeliveries", ["at"], unique=False)
    op.create_table(
        "silences",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("matchers", sa.JSON(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("author", sa.String(length=256), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_silences_ends_at"), "silences", ["ends_at"], unique=False)
    op.create_table(
        "spend",
        sa.Column("dimension", sa.String(length=32), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("team_id", sa.String(length=256), nullable=False),
        sa.Column("entity", sa.String(length=256), nullable=False),
        sa.Column("part", sa.String(length=256), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger(), nullable=False),
        sa.Column("completion_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cached_requests", sa.BigInteger(), nullable=False),
        sa.Column("zero_priced", sa.BigInteger(), nullable=False),
        sa.Column("spend_nanos", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("dimension", "day", "team_id", "entity", "part"),
        sqlite_with_rowid=False,
    )
    op.create_index("spend_by_entity", "spend", ["dimension", "entity", "day"], unique=False)
    op.create_table(
        "spend_months",
        sa.Column("dimension", sa.String(length=32), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("entity", sa.String(length=256), nullable=False),
        sa.Column("team_id", sa.String(length=256), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger(), nullable=False),
        sa.Column("completion_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cached_requests", sa.BigInteger(), nullable=False),
        sa.Column("zero_priced", sa.BigInteger(), nullable=False),
        sa.Column("spend_nanos", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("dimension", "month", "entity", "team_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "spend_sizes",
        sa.Column("dimension", sa.String(length=32), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("dimension", "day"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("spend_sizes")
    op.drop_table("spend_months")
    op.drop_table("spend")
    op.drop_table("silences")
    op.drop_table("redeliveries")
    op.drop_table("publishers")
    op.drop_table("outcomes")
    op.drop_table("outages")
    op.drop_table("outage_calls")
    op.drop_table("notifications")
    op.drop_table("line")
    op.drop_table("ledger_zones")
    op.drop_table("ledger_start")
    op.drop_table("latencies")
    op.drop_table("lanes")
    op.drop_table("imports")
    op.drop_table("fallbacks")
    op.drop_table("drops")
    op.drop_table("deployment_windows")
    op.drop_table("deployment_causes")
    op.drop_table("dead_letters")
    op.drop_table("counters")
    op.drop_table("calls")
    op.drop_table("budgets")
    op.drop_table("batches")
    op.drop_table("attempts")
    op.drop_table("attachments")
    op.drop_table("aliases")
    op.drop_table("alerts")
    op.drop_table("alert_parts")
    op.drop_table("alert_members")
