"""The first shape."""

from alembic import op
from sqlalchemy import select

from application.store.migrations.first_tables import tables
from application.store.migrations.guards import guard_audit
from application.store.migrations.steps import make_all

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table."""
    make_all(tables)
    head = tables.tables["audit_head"]
    if op.get_bind().execute(select(head.c.one)).first() is None:
        op.bulk_insert(head, [{"one": 1, "id": 0, "hash": "0" * 64}])
    guard_audit(op.get_bind())
