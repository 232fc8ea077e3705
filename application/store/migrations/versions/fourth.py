"""The audit log is found by run."""

from application.store.migrations.steps import make_index

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the index."""
    make_index("audit_run", "audit", ["run_id", "id"])
