"""A run says what it asked of QuickBooks."""

import sqlalchemy as sa

from application.store.migrations.steps import add_column

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the two counts."""
    for name in ("requests", "metered_reads"):
        add_column("runs", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
