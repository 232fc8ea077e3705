"""The rights the MIS user needs, as GRANT lines, and the ones it has beyond them."""

import re
from collections.abc import Iterator, Sequence

WRITTEN = ("QuickBk_Status", "pushed_by", "pushed_date")

_GRANT = re.compile(r"GRANT (?P<rights>.*?) ON (?P<where>\S+) TO ", re.DOTALL)
_RIGHT = re.compile(r"\s*([A-Z][A-Z ]*[A-Z])\s*(?:\(([^)]*)\))?,?")


def grant_line(table: str, *, columns: Sequence[str], database: str, user: str) -> str:
    """Return the line the MIS's administrator runs for one table.

    Args:
        table: Which of the tables we read.
        columns: What we read of it.
        database: Name of the MIS database.
        user: `name@host` as the server knows us.
    """
    name, _, host = user.rpartition("@")
    rights = f"SELECT ({', '.join(f'`{one}`' for one in columns)})"
    if table == "tbl_imvoice":
        rights += f", UPDATE ({', '.join(f'`{one}`' for one in WRITTEN)})"
    return f"GRANT {rights} ON `{database}`.`{table}` TO '{name}'@'{host}';"


def excess_in(grants: Sequence[str], *, database: str) -> list[str]:
    """Return the rights in `SHOW GRANTS` that go beyond reading columns and the three we write."""
    return [told for line in grants for told in _excess(line, database=database)]


def _excess(line: str, *, database: str) -> Iterator[str]:
    match = _GRANT.match(line)
    if match is None:
        return
    where = match["where"].replace("`", "").replace("\\", "")
    for right, columns in _RIGHT.findall(match["rights"]):
        named = {one.strip(" `").lower() for one in columns.split(",") if one.strip()}
        if right == "USAGE" or (right == "SELECT" and named):
            continue
        if right.casefold() == "update" and named and named <= {one.lower() for one in WRITTEN}:
            continue
        shown = where.removeprefix(f"{database}.")
        yield f"{right} on {shown}" + (f" ({', '.join(sorted(named))})" if named else "")
