"""Secrets and students' data are planted; then everything a process leaves behind is searched."""

import json
import re
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from application.store.tokens import new_key
from tests import quick
from tests.walks.canaries import REG_NO, SECRETS, STUDENT, search, search_tables, seen_in
from tests.walks.support import Done, Installation, ended
from tests.walks.university import University, university

AT_HOME = ("mis.db", "simulator")  # the MIS itself, and QuickBooks' own books
# The frozen bytes we promised to send, and QuickBooks' own words for the page of one invoice.
BODIES = ("intents.payload", "refusals.quickbooks_text")
# Commands about invoices one by one; QuickBooks' own words about one may name its student.
SHOWS_PEOPLE = ("preview", "show", "quickbooks_rejected")
CODES = ("customer_not_found", "fee_category_unmapped")
TOKENS = re.compile(rb"(?<![\w.-])(?:RT1-[\w-]{8,}|eyJ[\w.-]{20,})")
CALLBACK = (
    "http://localhost:5000/api/v1/quickbooks/callback"
    f"?code={SECRETS['authorization code']}&state={SECRETS['state']}&realmId={SECRETS['realm id']}"
)


@dataclass
class Haunted:
    """An installation with canaries in it, and everything its commands said."""

    place: University
    canaries: dict[str, str] = field(default_factory=dict)
    said: dict[str, bytes] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.place.folder

    @property
    def store_file(self) -> Path:
        return self.folder / "var" / "store" / "store.db"

    def run(self, *words: str, settings: Mapping[str, str] | None = None, pasted: str = "") -> Done:
        tool = Path(__file__).resolve().parents[2] / "tools" / "sync_invoices.py"
        done = quick.run(
            [sys.executable, str(tool), *words],
            cwd=self.folder,
            env=self.place.environment() | dict(settings or {}),
            fed=pasted.encode(),
            timeout=150,
        )
        line = " ".join(words)
        self.said[line] = self.said.get(line, b"") + done.stdout + done.stderr
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def plant_student(mis_file: Path) -> list[int]:
    """Give a student of the MIS our canaries; return the invoices."""
    with closing(sqlite3.connect(mis_file, isolation_level=None)) as mis:
        (code,) = mis.execute(
            "SELECT i.reg_no FROM tbl_imvoice i JOIN tbl_personal_ug p ON p.reg_no = i.reg_no "
            "GROUP BY i.reg_no ORDER BY count(*) DESC, i.reg_no LIMIT 1"
        ).fetchone()
        mis.execute(
            "UPDATE tbl_personal_ug SET reg_no = ?, fname = ?, middlename = '', lname = ?, "
            "email1 = ?, phone1 = ? WHERE reg_no = ?",
            (
                REG_NO,
                STUDENT["first name"],
                STUDENT["family name"],
                STUDENT["e-mail"],
                f"+250{STUDENT['phone']}",
                code,
            ),
        )
        mis.execute("UPDATE tbl_imvoice SET reg_no = ? WHERE reg_no = ?", (REG_NO, code))
        rows = mis.execute("SELECT id FROM tbl_imvoice WHERE reg_no = ? ORDER BY id", (REG_NO,))
        return [row[0] for row in rows]


def tokens_of(place: University) -> dict[str, str]:
    """Return every token the simulator has handed out and still knows."""
    with closing(sqlite3.connect(place.folder / "simulator.db")) as books:
        asked = "SELECT kind, name FROM kept WHERE kind IN ('access', 'refresh')"
        rows = books.execute(asked).fetchall()
    return {f"{kind} token {number}": name for number, (kind, name) in enumerate(rows)}


def trouble(haunted: Haunted, invoices: list[int]) -> None:
    """Let everything go wrong that has a body, a header or an address in it."""
    name = f"{STUDENT['first name']} {STUDENT['family name']}"
    simulator = haunted.place.simulator
    simulator.fault(
        "refuse",
        on="invoice",
        count=1,
        code="2050",
        message=f"Wrong value for {name}",
        detail=f"{name} <{STUDENT['e-mail']}> +250{STUDENT['phone']} {SECRETS['echoed token']}",
    )
    haunted.run("single", str(invoices[0]))
    haunted.run("show", str(invoices[0]))
    haunted.run("errors", "quickbooks_rejected")
    haunted.run("--json", "errors", "quickbooks_rejected")
    simulator.fault("unauthorized_401", on="any", count=2)
    simulator.fault("server_error_10000", on="any", count=2)
    haunted.run("-v", "batch", "--batch-size", "10")
    simulator.fault("drop_after_commit", on="any", count=2)
    simulator.fault("drop_half_answer", on="any", count=1)
    haunted.run("--events", "batch", "--batch-size", "20")
    simulator.control("POST", "/_simulator/expire-tokens")
    simulator.fault("html_502", on="any", count=1)
    haunted.run("--json", "all")
    simulator.fault("unauthorized_401", on="any", count=9)
    haunted.run("--debug", "retry", str(invoices[0]))
    simulator.control("DELETE", "/_simulator/faults")
    haunted.run("retry", str(invoices[0]))


def refused_with_secrets(haunted: Haunted) -> None:
    """Give each secret to a command that must fail over it."""
    password, store = SECRETS["MIS password"], SECRETS["store password"]
    wrong = {
        "analyze": {"MIS_DATABASE_URL": f"mysql://mis:{password}@127.0.0.1:1/mis"},
        "--debug status": {"STORE_DATABASE_URL": f"postgresql://fb:{store}@127.0.0.1:1/store"},
        "--json audit verify": {"STORE_DATABASE_URL": f"mysql://fb:{store}@127.0.0.1:1/store"},
        "-v doctor": {"MIS_DATABASE_URL": f"nonsense://mis:{password}@nowhere/mis"},
        "--debug preview": {"ENCRYPTION_KEYS": haunted.canaries["wrong key"]},
        "runs": {"ENCRYPTION_KEYS": f"{haunted.canaries['wrong key']}x"},
    }
    for words, settings in wrong.items():
        haunted.run(*words.split(), settings=settings)
    live = {
        "QUICKBOOKS_ENVIRONMENT": "sandbox",
        "QUICKBOOKS_API_URL": "",
        "CLOCK_SCALE": "1",
        "INDEX_LAG_S": "600",
        "CHECK_TO_SEND_S": "5",
        "QUICKBOOKS_CLIENT_ID": "kNrClientId",
        "QUICKBOOKS_CLIENT_SECRET": SECRETS["client secret"],
        "ENCRYPTION_KEYS": haunted.canaries["key"],
        "STORE_DATABASE_URL": f"sqlite:///{haunted.folder / 'var' / 'other' / 'store.db'}",
    }
    live = {name: value for name, value in live.items() if value}
    without = {name: value for name, value in haunted.place.settings.items() if name not in live}
    haunted.place.settings = without
    haunted.run("--debug", "connect", "--paste", settings=live, pasted=CALLBACK + "\n")


def questions(haunted: Haunted, invoices: list[int]) -> None:
    """Ask everything that can be asked."""
    one = str(invoices[0])
    for words in (
        "analyze", "--json status", "-v errors", "--json runs", "runs show 1", "doctor",
        "-v doctor", "audit list --limit 10000", "--json audit list --limit 10000",
        "audit verify", "mapping list", "--json errors", "reset-stuck", "connect",
        "preview", f"--json show {one}", f"hold {one} --reason waiting", f"release {one}",
        *(f"errors {code}" for code in CODES),
    ):  # fmt: skip
        haunted.run(*words.split())
    listed = haunted.run("--json", "audit", "list", "--limit", "1").json["data"]["entries"]
    month = listed[0]["at"][:7]
    haunted.run("audit", "export", str(haunted.folder / "audit.jsonl"), "--month", month)
    haunted.run("doctor", "--bundle", str(haunted.folder / "bundle.txt"))


@pytest.fixture(scope="module")
def haunted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Haunted]:
    folder = tmp_path_factory.mktemp("haunted")
    with university(folder, size=60) as place:
        key, wrong = new_key(), new_key()
        place.settings["ENCRYPTION_KEYS"] = key
        made = Haunted(place, canaries={**SECRETS, "key": key, "wrong key": wrong})
        made.canaries["realm"] = place.simulator.realm_id
        made.canaries["simulator's secret"] = place.simulator.client_secret
        invoices = plant_student(folder / "mis.db")
        trouble(made, invoices)
        questions(made, invoices)
        made.canaries |= tokens_of(place)
        refused_with_secrets(made)
        yield made


def shows_people(words: str) -> bool:
    return any(each in words.split() for each in SHOWS_PEOPLE)


class TestSecrets:
    def test_are_in_no_file_but_their_own(self, haunted: Haunted) -> None:
        assert search(haunted.folder, haunted.canaries, leave=AT_HOME) == []

    def test_are_on_no_screen(self, haunted: Haunted) -> None:
        hits = [
            f"{words}: {name}"
            for words, said in haunted.said.items()
            for name in seen_in(said, haunted.canaries)
        ]

        assert hits == []

    def test_of_their_shape_are_on_no_screen_and_in_no_log(self, haunted: Haunted) -> None:
        logs = [file.read_bytes() for file in (haunted.folder / "logs").iterdir()]

        assert [
            found for said in (*haunted.said.values(), *logs) for found in TOKENS.findall(said)
        ] == []


class TestStudents:
    def test_are_on_the_screens_that_are_about_them_only(self, haunted: Haunted) -> None:
        hits = [
            f"{words}: {name}"
            for words, said in haunted.said.items()
            if not shows_people(words)
            for name in seen_in(said, STUDENT)
        ]

        assert hits == []

    def test_are_in_no_file_but_the_stores(self, haunted: Haunted) -> None:
        whole = {**STUDENT, "registration number": REG_NO}
        leave = (*AT_HOME, "var/store/", "audit.jsonl")

        assert search(haunted.folder, whole, leave=leave) == []
        assert search(haunted.folder, STUDENT, leave=(*AT_HOME, "var/store/")) == []

    def test_are_in_the_store_where_a_body_is_kept_only(self, haunted: Haunted) -> None:
        assert search_tables(haunted.store_file, STUDENT, leave=BODIES) == []


class TestBundle:
    def test_lists_what_it_packs_and_filters_what_an_older_log_let_through(
        self, haunted: Haunted
    ) -> None:
        leaked = {**SECRETS, "e-mail": STUDENT["e-mail"], "phone": STUDENT["phone"]}
        line = (
            f"Authorization: Bearer {SECRETS['client secret']} {SECRETS['API key']} "
            f"{SECRETS['echoed token']} mysql://mis:{SECRETS['MIS password']}@db1/mis "
            f"postgresql://fb:{SECRETS['store password']}@db1/store {CALLBACK} "
            f"<{STUDENT['e-mail']}> +250{STUDENT['phone']}\n"
        )
        log = haunted.folder / "logs" / "app.log"
        clean = log.read_bytes()
        try:
            log.write_bytes(clean + line.encode())
            file = haunted.folder.parent / "bundle-of-an-older-log.txt"
            haunted.run("doctor", "--bundle", str(file))
        finally:
            log.write_bytes(clean)
        text = file.read_text(encoding="utf-8")

        assert seen_in(line.encode(), leaked) == list(leaked)
        assert seen_in(text.encode(), leaked) == []
        assert text.startswith("Packed: versions, checks, settings")
        assert "Authorization: ***" in text
        assert file.stat().st_mode & 0o777 == 0o600


class TestChildren:
    def test_get_no_secret_in_words_or_environment(self, tmp_path: Path) -> None:
        own = Installation(tmp_path)
        key = new_key()
        given = {"ENCRYPTION_KEYS": key, "QUICKBOOKS_CLIENT_SECRET": SECRETS["client secret"]}
        canaries = {"key": key, **SECRETS}
        seen: dict[int, bytes] = {}
        child = own.start("batch", settings=given)
        while child.poll() is None:
            for number in descendants(child.pid):
                # Until a new process runs its own program, the system shows its parent's words
                # for it. So the last ones count: a copy that stays a copy is still found.
                seen[number] = words_of(number) or seen.get(number, b"")
        done = ended(child)
        said = done.out + done.err

        assert any(b"qbo_simulator" in words for words in seen.values()), said
        assert [hit for words in seen.values() for hit in seen_in(words, canaries)] == []
        assert seen_in(said.encode(), canaries) == []
        assert search(tmp_path, canaries, leave=("demo/simulator",)) == []


def descendants(parent: int) -> list[int]:
    """Return the processes a process has started, and theirs."""
    found: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            after = stat.read_text(encoding="ascii", errors="replace").rpartition(")")[2]
        except OSError:
            continue  # it has ended meanwhile
        if int(after.split()[1]) == parent:
            number = int(stat.parent.name)
            found += [number, *descendants(number)]
    return found


def words_of(number: int) -> bytes:
    """Return command line and environment of a process; nothing of one that has ended."""
    place = Path("/proc") / str(number)
    try:
        return (place / "cmdline").read_bytes() + (place / "environ").read_bytes()
    except OSError:
        return b""


class TestSearch:
    def test_had_something_to_find(self, haunted: Haunted) -> None:
        tables = search_tables(haunted.store_file, STUDENT)
        kinds = {name.partition(" token")[0] for name in haunted.canaries}

        assert {"intents.payload: first name", "intents.payload: e-mail"} <= set(tables)
        assert {"access", "refresh"} <= kinds
        assert search(haunted.folder, haunted.canaries) != []  # the simulator's own books
        shown = b"".join(said for words, said in haunted.said.items() if shows_people(words))
        assert "family name" in seen_in(shown, STUDENT)

    def test_finds_what_was_planted_on_purpose(self, haunted: Haunted, tmp_path: Path) -> None:
        secret = SECRETS["client secret"]
        with closing(sqlite3.connect(tmp_path / "engine.db", isolation_level=None)) as engine:
            engine.execute("CREATE TABLE steps (output TEXT)")
            engine.execute("INSERT INTO steps VALUES (?)", (f"x{secret}y",))
        (tmp_path / "logs").mkdir()
        (tmp_path / "logs" / "app.log").write_text(json.dumps({"a": CALLBACK}), encoding="utf-8")

        assert search(tmp_path, haunted.canaries) == [
            "engine.db: client secret",
            "logs/app.log: authorization code",
            "logs/app.log: state",
            "logs/app.log: realm id",
        ]
