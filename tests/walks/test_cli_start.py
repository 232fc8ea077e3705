"""How the program starts: under a Python that lacks our packages, and under ours."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.walks.support import ROOT, TOOL

VENV = ROOT / ".venv" / "bin" / "python"


def bare(tool: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run the tool under a Python that finds no installed package."""
    return subprocess.run(  # noqa: S603 - our own tool, no shell
        [sys.executable, "-S", str(tool), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


class TestUnderAPythonWithoutPackages:
    @pytest.mark.skipif(not VENV.exists(), reason="the checkout has no .venv to go on with")
    def test_goes_on_with_the_checkout_s_own(self) -> None:
        done = bare(TOOL, "--version")

        assert done.returncode == 0
        assert done.stdout.startswith("feebridge ")

    def test_says_how_to_get_them(self, tmp_path: Path) -> None:
        for name in ("application/__init__.py", "application/cli/__init__.py"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
        shutil.copy(ROOT / "application/cli/main.py", tmp_path / "application/cli/main.py")
        (tmp_path / "tools").mkdir()
        tool = tmp_path / "tools" / "sync_invoices.py"
        shutil.copy(TOOL, tool)

        done = bare(tool, "analyze")

        assert done.returncode == 9
        assert "Run `make demo` or `make install` first" in done.stderr
        assert [line.split()[0] for line in done.stderr.splitlines()] == [
            "Error:",
            "Why",
            "Do",
            "Code",
        ]
