"""One synced university, copied for each planted violation, and the checker called on the copy."""

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from application.verify.opening import opened
from application.verify.quickbooks_book import Road
from application.verify.values import Report, Terms
from application.verify.verifier import Books, Verifier
from tests.rooms.simulator_support import RunningSimulator

STORE = Path("var") / "store" / "store.db"
STUCK_AFTER = timedelta(minutes=20)
HASHED = (
    "id", "at", "actor", "source", "address", "action", "subject", "before", "after",
    "environment", "realm_tag", "run_id", "process", "intent_id", "attempt_id", "request_id",
    "payload_sha256", "answer_sha256", "quickbooks_id", "intuit_tid", "cause",
)  # fmt: skip
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Line = dict[str, Any]


def silent(words: str) -> None:
    del words


@dataclass
class Place:
    """Both books of one university in files of their own, and its QuickBooks."""

    folder: Path
    simulator: RunningSimulator
    anchors: list[Path] = field(default_factory=list)

    def mis(self, statement: str, *values: object) -> list[Any]:
        return _done(self.folder / "mis.db", statement, values)

    def store(self, statement: str, *values: object) -> list[Any]:
        return _done(self.folder / STORE, statement, values)

    def found(self, *, quickbooks: bool = True) -> set[tuple[str, str]]:
        """Return check and number of everything the checker names."""
        report = self.report(quickbooks=quickbooks)
        findings = [each for one in report.checks.values() for each in one.findings]
        assert len(findings) == report.problems
        return {(one.check, one.number) for one in findings}

    def report(
        self,
        *,
        quickbooks: bool = True,
        say: Callable[[str], None] = silent,
        first_day: date | None = None,
    ) -> Report:
        mis = opened(f"sqlite:///{self.folder / 'mis.db'}", name="mis")
        store = opened(f"sqlite:///{self.folder / STORE}", name="store")
        [(mis_key, tag)] = self.store("SELECT mis_key, realm_tag FROM bindings LIMIT 1")
        terms = Terms(
            mis_key=mis_key,
            realm_tag=tag,
            invoices_from=first_day,
            net=False,
            stuck_after=STUCK_AFTER,
            now=lambda: datetime.now(UTC),  # noqa: TID251 - the rows were written by the real clock
        )
        road = self.road() if quickbooks else None
        books = Books.of(mis=mis, store=store, road=road, anchors=self.anchors, terms=terms)
        try:
            return Verifier(books, terms=terms, say=say).run()
        finally:
            mis.close()
            store.close()

    def road(self) -> Road:
        return Road(
            base=self.simulator.url,
            company=self.simulator.realm_id,
            token=lambda _refused: str(self.simulator.token()["access_token"]),
            wait_ms=lambda _wait_ms: None,
        )

    # -- what is planted in -----------------------------------------------------------------------

    def ids(self, status: int) -> list[int]:
        """Return invoices of a status whose payers have two invoices at least, oldest first."""
        rows = self.mis("SELECT id FROM tbl_imvoice WHERE QuickBk_Status = ? ORDER BY id", status)
        return [int(row[0]) for row in rows]

    def receipt(self, invoice_id: int) -> str:
        [(quickbooks_id,)] = self.store(
            "SELECT quickbooks_id FROM intents WHERE invoice_id = ? AND state = 'confirmed'",
            invoice_id,
        )
        return str(quickbooks_id)

    def edit(self, invoice_id: int, **change: object) -> None:
        """Change an invoice as a person in QuickBooks would."""
        asked = {"entity": "Invoice", "id": self.receipt(invoice_id), "change": change}
        self.simulator.control("POST", "edit", asked)

    def seed(self, number: str, **more: object) -> None:
        """Make an invoice in QuickBooks as a person would."""
        given = {"CustomerName": "Stranger", "DocNumber": number, "Total": "7.00", **more}
        self.simulator.control("POST", "seed", {"invoices": [given]})

    # -- the history ------------------------------------------------------------------------------

    def history(self) -> list[Line]:
        with closing(sqlite3.connect(self.folder / STORE)) as link:
            link.row_factory = sqlite3.Row
            return [dict(row) for row in link.execute("SELECT * FROM audit ORDER BY id")]

    def disarm(self) -> None:
        """Take the triggers off the log, as whoever owns the database can."""
        for trigger in ("audit_update", "audit_delete"):
            self.store(f"DROP TRIGGER IF EXISTS {trigger}")

    def rewrite(self, lines: list[Line]) -> None:
        """Put other lines in the log's place, numbered and chained anew: the perfect forgery."""
        self.disarm()
        previous = "0" * 64
        with closing(sqlite3.connect(self.folder / STORE)) as link, link:
            link.execute("DELETE FROM audit")
            for number, line in enumerate(lines, start=1):
                whole = {**line, "id": number, "previous": previous}
                previous = whole["hash"] = hash_of(whole)
                names = ", ".join(f'"{name}"' for name in whole)
                marks = ", ".join("?" * len(whole))
                link.execute(f"INSERT INTO audit ({names}) VALUES ({marks})", [*whole.values()])  # noqa: S608 - a test's own names
            link.execute("UPDATE audit_head SET id = ?, hash = ?", (len(lines), previous))


def hash_of(line: Line) -> str:
    """Return the hash of a line as the documentation of the log tells it."""
    told = {name: line[name] for name in HASHED}
    at = EPOCH + timedelta(microseconds=line["at"])
    told["at"] = at.isoformat(timespec="microseconds")
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(b"\x00" + bytes.fromhex(line["previous"]) + text.encode()).hexdigest()


def at(lines: list[Line], *, action: str, invoice_id: int) -> int:
    """Return where the line of that action about an invoice stands."""
    for place, line in enumerate(lines):
        ids = json.loads(line["after"] or "{}").get("ids", [])
        if line["action"] == f"invoice.{action}" and (
            line["subject"] == f"invoice {invoice_id}" or invoice_id in ids
        ):
            return place
    raise AssertionError(action, invoice_id)


def copied(base: Path, folder: Path) -> Path:
    """Copy what the checker reads: the MIS and the store."""
    (folder / STORE).parent.mkdir(parents=True)
    shutil.copy(base / "mis.db", folder / "mis.db")
    shutil.copy(base / STORE, folder / STORE)
    return folder


@contextmanager
def books_of(base: Path, folder: Path) -> Iterator[RunningSimulator]:
    """Yield a QuickBooks of its own, with the books of the base."""
    shutil.copy(base / "simulator.db", folder / "simulator.db")
    with RunningSimulator.start(file=folder / "simulator.db") as simulator:
        yield simulator


def _done(file: Path, statement: str, values: tuple[object, ...]) -> list[Any]:
    with closing(sqlite3.connect(file)) as link, link:
        return link.execute(statement, values).fetchall()
