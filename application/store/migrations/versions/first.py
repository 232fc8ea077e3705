"""The first shape."""

from alembic import op

from application.store.migrations.first_tables import tables
from application.store.migrations.guards import guard_audit

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table."""
    tables.create_all(op.get_bind())
    op.bulk_insert(tables.tables["audit_head"], [{"one": 1, "id": 0, "hash": "0" * 64}])
    guard_audit(op.get_bind())
