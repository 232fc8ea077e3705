"""What the doors need: keys, repeated requests, events, slices, the schedule, durable runs."""

from typing import Any, Final

import sqlalchemy as sa

from application.store.migrations.steps import add_column, make_index, make_table

revision = "0002"
down_revision = "0001"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_SHA = sa.String(64)
_NAME = sa.String(120)
_INSTANT = sa.BigInteger()
_MYSQL = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
_SERVER: Final[dict[str, Any]] = _MYSQL | {
    name.replace("mysql", "mariadb"): value for name, value in _MYSQL.items()
}


def upgrade() -> None:
    """Add the tables and columns."""
    _add_keys_and_repeats()
    _add_events_and_slices()
    _add_schedules()
    _widen_runs()
    for column in (
        sa.Column("actor", sa.Text()),
        sa.Column("browser_sha256", _SHA),
        sa.Column("verifier", sa.Text()),
    ):
        add_column("sign_ins", column)


def _add_keys_and_repeats() -> None:
    make_table(
        "api_keys",
        sa.Column("id", _BIG, primary_key=True),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("role", sa.String(12), nullable=False),
        sa.Column("secret_sha256", _SHA, nullable=False),
        sa.Column("made_by", _NAME, nullable=False),
        sa.Column("made_at", _INSTANT, nullable=False),
        sa.Column("used_at", _INSTANT),
        sa.Column("revoked_by", _NAME),
        sa.Column("revoked_at", _INSTANT),
        **_SERVER,
    )
    make_table(
        "repeats",
        sa.Column("id", _BIG, primary_key=True),
        sa.Column("request_sha256", _SHA, nullable=False, unique=True),
        sa.Column("body_sha256", _SHA, nullable=False),
        sa.Column("holder", _NAME, nullable=False),
        sa.Column("run_id", sa.BigInteger()),
        sa.Column("status", sa.Integer()),
        sa.Column("answer", sa.Text()),
        sa.Column("made_at", _INSTANT, nullable=False),
        **_SERVER,
    )
    make_index("repeats_made", "repeats", ["made_at"])


def _add_events_and_slices() -> None:
    make_table(
        "run_events",
        sa.Column("id", _BIG, primary_key=True),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.String(40), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sqlite_autoincrement=True,
        **_SERVER,
    )
    make_index("run_events_run", "run_events", ["run_id", "id"])
    make_table(
        "slices",
        sa.Column("run_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("opened_at", _INSTANT, nullable=False),
        sa.Column("closed_at", _INSTANT),
        sa.Column("phase", sa.String(8), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("cursor", "successful", "failed", "unsettled")
        ),
        **_SERVER,
    )


def _add_schedules() -> None:
    make_table(
        "schedules",
        sa.Column("one", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("cron", _NAME, nullable=False),
        sa.Column("window_from", sa.String(5)),
        sa.Column("window_to", sa.String(5)),
        sa.Column("batch_size", sa.Integer()),
        sa.Column("max_batches", sa.Integer()),
        sa.Column("changed_by", _NAME, nullable=False),
        sa.Column("changed_at", _INSTANT, nullable=False),
        sa.Column("ticked_at", _INSTANT),
        **_SERVER,
    )


def _widen_runs() -> None:
    number: dict[str, Any] = {"nullable": False, "server_default": "0"}
    for column in (
        sa.Column("asked_by", _NAME),
        sa.Column("durable", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("sole", sa.Integer()),
        sa.Column("turn", sa.Integer(), **number),
        sa.Column("wake_at", _INSTANT),
        sa.Column("resumed", sa.Integer(), **number),
        sa.Column("throttled_ms", sa.BigInteger(), **number),
        sa.Column("request_sha256", _SHA),
    ):
        add_column("runs", column)
    make_index("runs_sole", "runs", ["realm_tag", "sole"], unique=True)
    make_index("runs_request", "runs", ["request_sha256"])
