"""A command that only reads and takes two seconds to start is not run before every decision.

`status`, `analyze` and `--help` leave unloaded what only sending, upgrading or serving needs. It
cannot see how long the rest takes; `bench/` measures that.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.laws.reading import ROOT

HEAVY = ("alembic", "authlib", "dbos", "fastapi", "httpx2", "jinja2", "mako", "stamina", "uvicorn")
RUN = """
import sys
{first}
from application.cli.main import main
sys.argv = ["feebridge", *{words!r}]
try:
    main()
except SystemExit:
    pass
print("LOADED", *sorted({{name.partition(".")[0] for name in sys.modules}}))
"""


def loaded_by(words: list[str], *, folder: Path, first: str = "") -> set[str]:
    """Return the top-level modules one command leaves loaded, run in a folder of its own."""
    mis = f"sqlite:///{folder / 'mis.db'}"
    environment = dict(
        os.environ,  # noqa: TID251 - the child needs PATH
        PYTHONPATH=str(ROOT),
        MIS_DATABASE_URL=mis,
        STORE_DATABASE_URL=f"sqlite:///{folder / 'store.db'}",
    )
    answer = subprocess.run(  # noqa: S603 - our own program, no shell
        [sys.executable, "-c", RUN.format(words=words, first=first)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in answer.stdout.splitlines() if line.startswith("LOADED")]
    assert lines, answer.stdout + answer.stderr
    return set(lines[0].split()[1:])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a demo MIS and a store that stands."""
    path = tmp_path_factory.mktemp("lazy")
    loaded_by(["demo-mis", f"sqlite:///{path / 'mis.db'}", "--profile", "guide"], folder=path)
    loaded_by(["status"], folder=path)
    return path


class TestReadingCommands:
    @pytest.mark.parametrize("command", ["status", "analyze", "--help"])
    def test_leave_the_heavy_libraries_unloaded(self, folder: Path, command: str) -> None:
        assert loaded_by([command], folder=folder) & set(HEAVY) == set()

    def test_would_be_caught_loading_one(self, folder: Path) -> None:
        loaded = loaded_by(["--help"], folder=folder, first="import alembic")

        assert "alembic" in loaded & set(HEAVY)
