"""A page costs what it costs, however much was sent before: counted in steps of SQLite itself."""

import re
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from application import wiring
from application.embedded import Place
from application.services.reports import Caller
from tests.rooms.simulator_support import RunningSimulator

PAGE = 30
COPIES = 300  # of what one page left behind
APART = 1_000  # between the numbers of one copy and the next
EVERY = 10  # steps of SQLite's machine between two counts
MOST = 1.2  # times as many steps of one statement
LEAST = 300  # steps that are nothing: a list that got one level deeper
# What a sent page leaves behind, and which numbers of it tell one row from another.
STORE = {
    "intents": ("id", "invoice_id"),
    "attempts": ("id", "intent_id"),
    "claim_rows": ("invoice_id",),
    "audit": ("id",),
    "audit_invoices": ("invoice_id", "entry_id"),
    "run_events": ("id",),
}
MIS = {"tbl_imvoice": ("id",)}
CHANGED = {
    "key": "CASE kind WHEN 'invoice' THEN 'MIS-' || (invoice_id + {by}) ELSE key || {by} END",
    "request_id": "request_id || {by}",
}
LIST = re.compile(r"\(\?(, \?)+\)")  # as long as what is asked for


class Steps:
    """Counts the steps of each statement on every SQLite connection made meanwhile."""

    def __init__(self) -> None:
        self.of: Counter[str] = Counter()
        self._here = threading.local()

    def connected(self, link: sqlite3.Connection, _: object) -> None:
        link.set_progress_handler(self._step, EVERY)

    def begun(self, *_: object) -> None:
        self._here.steps = 0

    def ended(self, _c: object, _cursor: object, statement: str, *_: object) -> None:
        self.of[LIST.sub("(?)", " ".join(statement.split()))] += self._here.steps

    def _step(self) -> int:
        self._here.steps = getattr(self._here, "steps", 0) + EVERY
        return 0

    def taken(self) -> Mapping[str, int]:
        found, self.of = self.of, Counter()
        return found


@contextmanager
def counted() -> Iterator[Steps]:
    steps = Steps()
    heard = (
        ("connect", steps.connected),
        ("before_cursor_execute", steps.begun),
        ("after_cursor_execute", steps.ended),
    )
    for name, hears in heard:
        event.listen(Engine, name, hears)
    try:
        yield steps
    finally:
        for name, hears in heard:
            event.remove(Engine, name, hears)


def multiply(file: Path, tables: Mapping[str, tuple[str, ...]], *, where: str = "1") -> None:
    """Write every row of these tables many times more, under numbers of its own."""
    with closing(sqlite3.connect(file, timeout=30)) as link, link:
        for table, numbers in tables.items():
            columns = [row[1] for row in link.execute(f"PRAGMA table_info({table})")]
            by = f"(copy.turn * {APART})"
            moved = {name: f"{name} + {by}" for name in numbers}
            if table == "intents":
                moved |= {name: text.format(by=by) for name, text in CHANGED.items()}
            rows = f"{where} AND ended_at IS NOT NULL" if table == "claim_rows" else where
            shown = ", ".join(moved.get(name, f'"{name}"') for name in columns)
            named = ", ".join(f'"{name}"' for name in columns)
            link.execute(
                f"WITH RECURSIVE copy(turn) AS (SELECT 1 UNION ALL SELECT turn + 1 FROM copy"  # noqa: S608 - our own names
                f" WHERE turn < {COPIES}) INSERT INTO {table} ({named})"
                f" SELECT {shown} FROM (SELECT * FROM {table} WHERE {rows}), copy"
            )


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("FEEBRIDGE_HOME", str(tmp_path))
    return tmp_path


def limits_off(home: Path, simulator: RunningSimulator) -> Any:  # noqa: ANN401 - the settings
    return wiring.load_settings(
        quickbooks_api_url=simulator.url,
        mis_database_url=f"sqlite:///{home / 'mis.db'}",
        requests_per_second=300,
        requests_per_minute=18_000,
        batches_per_minute=17_000,
    )


def test_a_page_costs_no_more_after_many_thousands(home: Path) -> None:
    beside = Place(folder=home, demo=False)
    mis = home / "mis.db"
    wiring.make_demo_mis(f"sqlite:///{mis}", profile="fresh", size=4 * PAGE, place=beside)
    with RunningSimulator.start(seed_file=beside.seed_file) as simulator, counted() as steps:
        settings = limits_off(home, simulator)
        with wiring.build(settings) as services:
            caller = Caller(by=services.actor("cli"))

            def page() -> Mapping[str, int]:
                steps.taken()
                report = services.sync.all(caller=caller, max_batches=1, batch_size=PAGE)
                assert report.processed == PAGE
                assert report.successful > PAGE // 2
                return steps.taken()

            page()  # what is done once in a process's life
            little = page()
            store = home / "var" / "store" / "store.db"
            multiply(store, STORE)
            multiply(mis, MIS, where="QuickBk_Status = 1")
            with closing(sqlite3.connect(store, timeout=30)) as link, link:
                link.execute("UPDATE audit_head SET id = (SELECT max(id) FROM audit)")
            much = page()

    grown = {
        text: (little[text], many)
        for text, many in much.items()
        if many > max(MOST * little[text], little[text] + LEAST)
    }
    assert sum(little.values()) > PAGE
    assert grown == {}
