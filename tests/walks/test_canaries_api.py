"""Secrets and students' data are planted; then the server is asked everything, and searched."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from application.store.tokens import new_key
from tests.quick import SLOW
from tests.walks.canaries import REG_NO, SECRETS, STUDENT, search, search_tables, seen_in
from tests.walks.server import Server, serving
from tests.walks.support import Installation
from tests.walks.test_canaries import (
    AT_HOME,
    BODIES,
    TOKENS,
    Haunted,
    descendants,
    plant_student,
    tokens_of,
    trouble,
    words_of,
)
from tests.walks.university import university

SYNC, BOOKS = "/api/v1/sync", "/api/v1/quickbooks"
ROLES = ("admin", "viewer")
CONTACT = {name: STUDENT[name] for name in ("e-mail", "phone")}
# Answers about invoices one by one, for whom e-mail and phone are not masked.
SHOWS_PEOPLE = (
    f"GET {SYNC}/preview",
    f"GET {SYNC}/invoices",
    f"GET {SYNC}/errors/",
)
SHOWS_CONTACT = (f"GET {SYNC}/preview", f"GET {SYNC}/invoices/")
BACK = (
    f"{BOOKS}/callback?code={SECRETS['authorization code']}"
    f"&state={SECRETS['state']}&realmId={SECRETS['realm id']}"
)
LONG = "x" * 5000


@dataclass
class Asked:
    """A haunted installation, and everything its server answered."""

    haunted: Haunted
    server: Server
    keys: dict[str, str]
    invoices: list[int]
    whole: dict[str, Any]
    said: dict[str, bytes] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    processes: bytes = b""

    def ask(self, method: str, path: str, *, role: str = "admin", **more: Any) -> None:  # noqa: ANN401 - handed on
        headers = {"Authorization": f"Bearer {self.keys[role]}", **more.pop("headers", {})}
        got = self.server.ask(method, path, headers=headers, **more)
        head = "\n".join(f"{name}: {text}" for name, text in got.headers.items()).encode()
        number = sum(each.startswith(f"{role} {method} {path}") for each in self.said)
        line = f"{role} {method} {path}" + (f" again {number}" if number else "")
        self.said[line] = head + b"\n" + got.text.encode()
        self.statuses[line] = got.status


def one_waits(mis_file: Path) -> None:
    """Give the student an invoice that is not sent yet."""
    with closing(sqlite3.connect(mis_file, isolation_level=None)) as mis:
        columns = "reg_no, fee_category, dept, credit, invoice_date, comment"
        mis.execute(
            f"INSERT INTO tbl_imvoice ({columns}, QuickBk_Status) "  # noqa: S608 - our own names
            f"SELECT {columns}, 0 FROM tbl_imvoice WHERE reg_no = ? LIMIT 1",
            (REG_NO,),
        )


def addresses(asked: Asked) -> Iterator[str]:
    """Yield every address that can be read, with numbers that are there."""
    filled = {
        "invoice_id": str(asked.invoices[0]),
        "run_id": "1",
        "error_code": "quickbooks_rejected",
    }
    for path, methods in asked.whole["paths"].items():
        if "get" in methods:
            yield path.format(**filled)
    yield from ("/openapi.json", "/help/api", "/help/errors", "/connection")
    yield f"{SYNC}/preview?limit=100"
    yield f"{SYNC}/invoices?limit=100"
    yield f"{SYNC}/invoices?q={quote(REG_NO)}"
    yield f"{SYNC}/invoices?status=failed"
    yield f"{SYNC}/runs/2/failures"
    yield f"{SYNC}/audit?limit=100"
    yield from (f"{SYNC}/invoices/{each}" for each in asked.invoices[1:])


def refused(asked: Asked) -> None:
    """Give each secret to an endpoint that must refuse it."""
    secrets = [*SECRETS.values(), *asked.haunted.canaries.values()]
    for role in ROLES:
        asked.ask("GET", BACK, role=role)
        asked.ask("GET", f"{BACK}{LONG}", role=role)
        asked.ask("GET", f"{BOOKS}/callback?code={SECRETS['authorization code']}{LONG}", role=role)
        asked.ask("GET", f"{SYNC}/status?access_token={SECRETS['echoed token']}", role=role)
        where = f"http://localhost:5000{BACK}"
        for body in ({"url": where}, {"uri": where}, {"url": where + LONG}, {"url": [where]}):
            asked.ask("POST", f"{BOOKS}/connect/paste", role=role, body=body)
    for number, secret in enumerate(secrets):
        asked.ask("POST", f"{SYNC}/batch", body={"secret": secret, "batch_size": 0})
        asked.ask("POST", f"{SYNC}/retry", body={"secret": secret})
        if secret.isascii() and secret.isprintable() and " " not in secret:
            headers = {"Authorization": f"Bearer {secret}"}
            got = asked.server.get(f"{SYNC}/status", headers=headers)
            asked.said[f"nobody GET {SYNC}/status {number}"] = got.text.encode()
            assert got.status in {401, 429}
    asked.ask("GET", f"{SYNC}/nothing?code={SECRETS['authorization code']}")
    asked.ask("GET", f"{SYNC}/status", headers={"Host": "elsewhere.example.org"})
    asked.ask("DELETE", f"{SYNC}/status")
    asked.ask("POST", f"{BOOKS}/disconnect", body={"confirm": "nonsense"})
    asked.ask("POST", f"{BOOKS}/disconnect", role="viewer", body={"confirm": "nonsense"})


def work(asked: Asked) -> None:
    """Let the server send while things go wrong, and begin a sign-in."""
    simulator = asked.haunted.place.simulator
    name = f"{STUDENT['first name']} {STUDENT['family name']}"
    simulator.fault(
        "refuse",
        on="invoice",
        count=1,
        code="2050",
        message=f"Wrong value for {name}",
        detail=f"{name} <{STUDENT['e-mail']}> +250{STUDENT['phone']} {SECRETS['echoed token']}",
    )
    asked.ask("POST", f"{SYNC}/single/{asked.invoices[1]}")
    simulator.fault("unauthorized_401", on="any", count=2)
    asked.ask("POST", f"{SYNC}/batch", body={"batch_size": 5}, headers={"Prefer": "wait=100"})
    simulator.control("DELETE", "/_simulator/faults")
    asked.ask("POST", f"{BOOKS}/test")
    asked.ask("POST", f"{SYNC}/batch", body={"dry_run": True})
    asked.ask("POST", f"{SYNC}/reset-stuck")


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    folder = tmp_path_factory.mktemp("haunted-server")
    beside = tmp_path_factory.mktemp("keys")
    with university(folder, size=60) as place:
        place.settings["ENCRYPTION_KEYS"] = key = new_key()
        haunted = Haunted(place, canaries={**SECRETS, "key": key})
        haunted.canaries["realm"] = place.simulator.realm_id
        haunted.canaries["simulator's secret"] = place.simulator.client_secret
        invoices = plant_student(folder / "mis.db")
        trouble(haunted, invoices)
        keys: dict[str, str] = {}
        for role in ROLES:
            file = beside / role
            haunted.run("keys", "create", role, "--role", role, "--file", str(file))
            keys[role] = file.read_text(encoding="utf-8").strip()
        # Its command line is looked at.
        with serving({**place.environment(), SLOW: "1"}) as server:
            viewer = {"Authorization": f"Bearer {keys['viewer']}"}
            whole = server.get("/openapi.json", headers=viewer).json
            made = Asked(haunted, server, keys, invoices, whole)
            work(made)
            one_waits(folder / "mis.db")
            for role, address in product(ROLES, addresses(made)):
                made.ask("GET", address, role=role)
            # Its environment holds what it was given to start with.
            made.processes = Path(f"/proc/{server.process.pid}/cmdline").read_bytes()
            refused(made)
            made.said["server"] = server.stop()[1].encode()
        haunted.canaries |= tokens_of(place)
        haunted.canaries |= {f"API key of {role}": each for role, each in keys.items()}
        yield made


def hits(said: Mapping[str, bytes], canaries: Mapping[str, str]) -> list[str]:
    return [
        f"{line}: {name}" for line, content in said.items() for name in seen_in(content, canaries)
    ]


def path_of(line: str) -> str:
    """Return method and path of an answer, without who asked and with what."""
    return line.partition(" ")[2].partition("?")[0]


class TestSecrets:
    def test_are_in_no_answer(self, asked: Asked) -> None:
        assert hits(asked.said, asked.haunted.canaries) == []

    def test_of_their_shape_are_in_no_answer_and_no_log(self, asked: Asked) -> None:
        logs = [file.read_bytes() for file in (asked.haunted.folder / "logs").iterdir()]

        assert [
            found for said in (*asked.said.values(), *logs) for found in TOKENS.findall(said)
        ] == []

    def test_are_in_no_file_of_the_server(self, asked: Asked) -> None:
        folder = asked.haunted.folder

        assert search(folder, asked.haunted.canaries, leave=AT_HOME) == []
        assert (folder / "logs" / "app.log").stat().st_size > 0

    def test_are_in_no_command_line(self, asked: Asked) -> None:
        assert b"serve" in asked.processes
        assert seen_in(asked.processes, asked.haunted.canaries) == []


class TestStudents:
    def test_are_where_one_invoice_is_shown_only(self, asked: Asked) -> None:
        found = hits(
            {
                line: said
                for line, said in asked.said.items()
                if not path_of(line).startswith(SHOWS_PEOPLE)
            },
            STUDENT,
        )

        assert found == []

    def test_e_mail_and_phone_are_masked_for_a_viewer(self, asked: Asked) -> None:
        viewed = {line: said for line, said in asked.said.items() if line.startswith("viewer")}
        others = {
            line: said
            for line, said in asked.said.items()
            if not path_of(line).startswith(SHOWS_CONTACT)
        }

        assert hits(viewed, CONTACT) == []
        assert hits(others, CONTACT) == []

    def test_are_in_no_file_but_the_stores(self, asked: Asked) -> None:
        folder = asked.haunted.folder
        leave = (*AT_HOME, "var/store/")

        assert search(folder, STUDENT, leave=leave) == []
        assert search(folder, {"registration number": REG_NO}, leave=leave) == []
        assert search_tables(asked.haunted.store_file, STUDENT, leave=BODIES) == []


class TestChildren:
    def test_get_no_secret_in_words_or_environment(self, tmp_path: Path) -> None:
        own, key = Installation(tmp_path), new_key()
        given = {"ENCRYPTION_KEYS": key, "QUICKBOOKS_CLIENT_SECRET": SECRETS["client secret"]}
        canaries = {"key": key, **SECRETS}
        with serving(own.environment(given)) as server:
            refused = server.post(f"{SYNC}/batch")  # these keys are of no simulator
            children = [words_of(each) for each in descendants(server.process.pid)]

        assert refused.status == 409
        assert seen_in(refused.text.encode(), canaries) == []
        assert any(b"qbo_simulator" in words for words in children)
        assert [hit for words in children for hit in seen_in(words, canaries)] == []
        assert search(tmp_path, canaries, leave=("demo/simulator",)) == []


class TestSearch:
    def test_had_something_to_find(self, asked: Asked) -> None:
        readable = [path for path, each in asked.whole["paths"].items() if "get" in each]
        answered = [line for line, status in asked.statuses.items() if status == 200]
        shown = {line: said for line, said in asked.said.items() if line.startswith("admin")}

        assert len(readable) > 20
        assert len(answered) > 2 * len(readable)
        assert {"e-mail", "phone", "family name"} <= {
            each.rpartition(": ")[2] for each in hits(shown, STUDENT)
        }
        with closing(sqlite3.connect(asked.haunted.store_file)) as store:
            (runs,) = store.execute("SELECT count(*) FROM runs").fetchone()
        assert runs > 3
