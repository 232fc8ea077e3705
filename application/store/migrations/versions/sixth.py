"""Claims that are not over are found however many are."""

from application.store.migrations.steps import make_index

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the index."""
    make_index("claim_rows_open", "claim_rows", ["ended_at", "token"])
