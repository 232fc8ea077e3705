"""Triggers that refuse to change or remove a line of the audit log, in each database's words."""

from sqlalchemy import Connection, text

_REFUSAL = "the audit log only grows"
_TABLES = ("audit", "audit_invoices")


def guard_audit(connection: Connection) -> None:
    """Make the triggers."""
    if connection.dialect.name == "postgresql":
        connection.execute(
            text(
                "CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$ "
                f"BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$"
            )
        )
    for table in _TABLES:
        for verb in ("UPDATE", "DELETE"):
            if connection.dialect.name == "mysql":  # it may be there: see `steps`
                connection.execute(text(f"DROP TRIGGER IF EXISTS {table}_{verb.lower()}"))
            connection.execute(text(_trigger(connection.dialect.name, table=table, verb=verb)))
        if connection.dialect.name == "postgresql":
            connection.execute(
                text(
                    f"CREATE TRIGGER {table}_truncate BEFORE TRUNCATE ON {table} "
                    "FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows()"
                )
            )


def _trigger(dialect: str, *, table: str, verb: str) -> str:
    start = f"CREATE TRIGGER {table}_{verb.lower()} BEFORE {verb} ON {table} FOR EACH ROW "
    if dialect == "sqlite":
        return f"{start}BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
    if dialect == "postgresql":
        return f"{start}EXECUTE FUNCTION audit_only_grows()"
    return f"{start}SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{_REFUSAL}'"
