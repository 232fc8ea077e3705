"""The audit log through the command line: narrowed, exported with its proof, against anchors."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.walks.support import Installation

HELD = (101, 102, 103)


@pytest.fixture
def held(own: Installation) -> Installation:
    """Return an installation with something in its history."""
    for one in HELD:
        assert own.run("hold", str(one), "--reason", "waiting").code == 0
    assert own.run("release", "101").code == 0
    return own


def ids_of(installation: Installation, *words: str) -> list[int]:
    done = installation.run("audit", "list", "--json", *words)
    return [one["id"] for one in done.json["data"]["entries"]]


class TestList:
    def test_is_newest_first_however_it_is_narrowed(self, held: Installation) -> None:
        every = ids_of(held)

        assert every == sorted(every, reverse=True)
        assert ids_of(held, "--action", "invoice.held") == every[1:4]
        assert ids_of(held, "--action", "invoice.") == every[:4]
        assert ids_of(held, "--invoice", "101") == [every[0], every[3]]
        assert ids_of(held, "--actor", "local", "--limit", "2") == every[:2]
        assert held.run("audit", "list", "--action", "invoice").out == "No entry.\n"

    def test_tells_what_the_endpoint_tells(self, held: Installation) -> None:
        [entry] = held.run("audit", "list", "--json", "--limit", "1").json["data"]["entries"]

        assert list(entry) == [
            "id", "at", "actor", "source", "address", "action", "subject", "before", "after",
            "environment", "hash", "previous",
        ]  # fmt: skip


class TestExport:
    def test_ends_with_the_proof_of_its_lines(self, held: Installation, tmp_path: Path) -> None:
        month = held.run("audit", "list", "--json").json["data"]["entries"][0]["at"][:7]
        file = tmp_path / "audit.jsonl"

        done = held.run("audit", "export", str(file), "--month", month)

        *lines, last = file.read_text(encoding="utf-8").splitlines(keepends=True)
        digest = hashlib.sha256("".join(lines).encode()).hexdigest()
        assert json.loads(last) == {"entries": len(lines), "sha256": digest}
        assert done.out == f"{len(lines)} entries in {file}, SHA-256 {digest}\n"
        assert file.stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize(
        ("month", "code"), [("2001-01", "not_found"), ("2025-13", "validation_failed")]
    )
    def test_of_nothing_leaves_no_file(
        self, held: Installation, tmp_path: Path, month: str, code: str
    ) -> None:
        file = tmp_path / "audit.jsonl"

        done = held.run("audit", "export", str(file), "--month", month, "--json")

        assert (done.code, done.json["error_code"]) == (2, code)
        assert not file.exists()


class TestVerify:
    def test_compares_with_the_heads_that_were_kept(self, held: Installation) -> None:
        newest = held.run("audit", "list", "--json", "--limit", "1").json["data"]["entries"][0]
        file = held.folder / "logs" / "audit-anchors.jsonl"
        file.parent.mkdir(exist_ok=True)
        results = []
        for number, hashed in (
            (newest["id"], newest["hash"]),
            (newest["id"], "0" * 64),
            (newest["id"] + 5, newest["hash"]),
        ):
            at = datetime(2025, 11, 22, tzinfo=UTC).isoformat()
            line = json.dumps({"at": at, "id": number, "hash": hashed})
            file.write_text(line + "\n", encoding="utf-8")
            done = held.run("audit", "verify", "--json")
            results.append((done.code, done.json["data"]["first_bad"]))

        assert results == [(0, None), (8, newest["id"]), (8, newest["id"] + 1)]
