"""A contract nobody can break guards nothing.

For each import contract a forbidden line is planted in a copy of the tree, and that contract has
to break; a contract without a planted line here fails too. It cannot see an import made from a
string at run time.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.laws.reading import PRODUCT, ROOT, settings_of_the_house

LINTER = Path(sys.executable).with_name("lint-imports")
SERVICE = "application/services/progress.py"

VERDICT = re.compile(r" BROKEN( \(\d+ ignored imports?\))?$")

# Contract number: file and the line that breaks it. A file that does not stand is made.
OFFENCES: dict[str, dict[str, str]] = {
    "1": {"application/mis/tables.py": "import application.services"},
    "2": {"application/cli/main.py": "import application.mis"},
    "3": {"application/services/recording.py": "import application.services.invoice_sync"},
    "4": {"application/invoices/model.py": "import application.invoices.validation"},
    "5": {"application/catalogue.py": "import time"},
    "6": {"application/quickbooks/faults.py": "import application.quickbooks.client"},
    "7": {"application/store/audit.py": "import application.store.journal"},
    "8": {"application/mis/reader.py": "import application.mis.claims"},
    "9": {SERVICE: "import application.mis.claims"},
    "10": {SERVICE: "import application.store.tokens"},
    "11": {SERVICE: "import application.background"},
    "12": {SERVICE: "import application.settings"},
    "13": {SERVICE: "import application.quickbooks.wire"},
    "14": {SERVICE: "import sqlalchemy"},
    "15": {"qbo_simulator/books.py": "import application.world"},
    "16": {"application/world.py": "import tools.sync_invoices"},
    "17": {
        "qbo_simulator/one/__init__.py": "import qbo_simulator.two",
        "qbo_simulator/two/__init__.py": "import qbo_simulator.one",
    },
    "18": {"application/verify/chain.py": "import application.store.audit_walk"},
    "19": {"application/verify/opening.py": "import application.verify.judging"},
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of what the contracts speak of."""
    folder = tmp_path_factory.mktemp("tree")
    for name in PRODUCT:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def broken_in(tree: Path) -> set[str]:
    """Return the numbers of the contracts that do not hold in a tree."""
    answer = subprocess.run(  # noqa: S603 - the linter of this environment, no shell
        [LINTER, "--no-logo"],
        cwd=tree,
        env=dict(os.environ, COLUMNS="300", NO_COLOR="1"),  # noqa: TID251 - the child needs PATH
        capture_output=True,
        text=True,
        check=False,
    )
    lines = answer.stdout.splitlines()
    assert any(line.startswith("Contracts:") for line in lines), answer.stdout + answer.stderr
    return {line.split()[0] for line in lines if VERDICT.search(line)}


def plant(tree: Path, lines: dict[str, str]) -> dict[Path, str | None]:
    """Append each line to its file; return what the files held before."""
    before: dict[Path, str | None] = {}
    for name, line in lines.items():
        path = tree / name
        before[path] = path.read_text(encoding="utf-8") if path.exists() else None
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{before[path] or ''}\n{line}\n", encoding="utf-8")
    return before


def restore(before: dict[Path, str | None]) -> None:
    for path, text in before.items():
        if text is None:
            path.unlink()
        else:
            path.write_text(text, encoding="utf-8")


class TestContracts:
    def test_hold_and_each_has_an_offence(self, copy: Path) -> None:
        contracts = settings_of_the_house()["tool"]["importlinter"]["contracts"]

        assert {each["name"].split()[0] for each in contracts} == set(OFFENCES)
        assert broken_in(copy) == set()

    @pytest.mark.parametrize("number", OFFENCES, ids=lambda number: f"contract {number}")
    def test_break_on_their_offence(self, copy: Path, number: str) -> None:
        before = plant(copy, OFFENCES[number])
        try:
            broken = broken_in(copy)
        finally:
            restore(before)

        assert number in broken

    def test_notice_a_room_nobody_decided_on(self, copy: Path) -> None:
        before = plant(copy, {"application/cellar.py": "WINE = 1"})
        try:
            broken = broken_in(copy)
        finally:
            restore(before)

        assert "1" in broken
