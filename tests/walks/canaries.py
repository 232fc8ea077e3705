"""Values that may stand in one place only, and the search for them everywhere else."""

import base64
import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

STUDENT: Mapping[str, str] = {
    "first name": "Kanariya",
    "family name": "Nyamunsi",
    "e-mail": "kanariya.nyamunsi@mail.example.org",
    "phone": "788004115",  # in the MIS with its country before it
}
REG_NO = "25/40411/KNR"
# Given to commands that are to be refused with them.
SECRETS: Mapping[str, str] = {
    "client secret": "kNrClientSecretZq7pW2xV9tLm4",
    "MIS password": "kNrMisPasswordB3hY8uQ",
    "store password": "kNrStorePasswordT6rE1w",
    "API key": "fb_7_kNrApiKeyJ5sD0fGhK2lZ8xCvB",
    "authorization code": "kNrAuthorizationCodeN1mQ4a",
    "state": "kNrStateOfTheSignInP9oI3u",
    "realm id": "9130350077140411",
    "echoed token": "eyJrTnJFY2hvZWQ.kNrEchoedTokenW7e.R5tY",
}


def forms(value: str) -> set[bytes]:
    """Return how a value may be written: as it is, in an address, in JSON, in base64."""
    plain = value.encode()
    found = {
        plain,
        quote(value, safe="").encode(),
        quote(value).encode(),
        json.dumps(value)[1:-1].encode(),
        json.dumps(value)[1:-1].replace("/", "\\/").encode(),
        plain.hex().encode(),
    }
    for before in range(3):
        # Base64 of a text that holds the value depends on where it begins; the ends are cut off.
        whole = base64.b64encode(b"\0" * before + plain)
        found.add(whole[-(-before * 8 // 6) : len(whole) - 4])
    return found


def seen_in(content: bytes, canaries: Mapping[str, str]) -> list[str]:
    """Return the names of the canaries that stand in the content, in any form."""
    return [
        name for name, value in canaries.items() if any(form in content for form in forms(value))
    ]


def search(folder: Path, canaries: Mapping[str, str], *, leave: Collection[str] = ()) -> list[str]:
    """Return "file: canary" for each hit in every file below a folder.

    Args:
        folder: Where to look; databases are read as bytes, so what was deleted in them counts.
        canaries: What to look for, by name.
        leave: Starts of paths, relative to the folder, where the canaries are at home.
    """
    hits: list[str] = []
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder).as_posix()
        if not path.is_file() or place.startswith(tuple(leave)):
            continue
        hits += [f"{place}: {name}" for name in seen_in(path.read_bytes(), canaries)]
    return hits


def search_tables(
    file: Path, canaries: Mapping[str, str], *, leave: Collection[str] = ()
) -> list[str]:
    """Return "table.column: canary" for each hit in a SQLite database.

    Args:
        file: The database.
        canaries: What to look for, by name.
        leave: Columns, as "table.column", where the canaries are at home.
    """
    hits: set[str] = set()
    for column, content in _columns(file):
        if column not in leave:
            hits |= {f"{column}: {name}" for name in seen_in(content, canaries)}
    return sorted(hits)


def _columns(file: Path) -> Iterator[tuple[str, bytes]]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        asked = "SELECT name FROM sqlite_master WHERE type = 'table'"
        for (table,) in database.execute(asked).fetchall():
            rows = database.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - names from the file itself
            names = [each[0] for each in rows.description]
            for row in rows:
                for name, value in zip(names, row, strict=True):
                    content = value if isinstance(value, bytes) else str(value).encode()
                    yield f"{table}.{name}", content
