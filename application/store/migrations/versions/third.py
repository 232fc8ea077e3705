"""People who sign in, and their sessions."""

from typing import Any, Final

import sqlalchemy as sa

from application.store.migrations.steps import make_index, make_table

revision = "0003"
down_revision = "0002"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_SHA = sa.String(64)
_NAME = sa.String(120)
_INSTANT = sa.BigInteger()
_MYSQL = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
_SERVER: Final[dict[str, Any]] = _MYSQL | {
    name.replace("mysql", "mariadb"): value for name, value in _MYSQL.items()
}


def upgrade() -> None:
    """Add the tables."""
    make_table(
        "people",
        sa.Column("id", _BIG, primary_key=True),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("known_as", _NAME, unique=True),
        sa.Column("role", sa.String(12), nullable=False),
        sa.Column("password", sa.String(200), nullable=False),
        sa.Column("made_by", _NAME, nullable=False),
        sa.Column("made_at", _INSTANT, nullable=False),
        sa.Column("changed_at", _INSTANT, nullable=False),
        sa.Column("signed_in_at", _INSTANT),
        sa.Column("removed_by", _NAME),
        sa.Column("removed_at", _INSTANT),
        **_SERVER,
    )
    make_table(
        "sessions",
        sa.Column("secret_sha256", _SHA, primary_key=True),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("made_at", _INSTANT, nullable=False),
        sa.Column("seen_at", _INSTANT, nullable=False),
        **_SERVER,
    )
    make_index("sessions_person", "sessions", ["person_id"])
