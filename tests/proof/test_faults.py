"""No fault without a test: the whole table against the marks of all tests."""

import subprocess
import sys
from pathlib import Path

from tests.proof.faults import FAULTS, ROOT

SHORT = """
import sys
from tests.proof.faults import collect
print(*collect([sys.argv[1]]).gaps, sep="\\n")
"""
PLANTED = """
import sys
import pytest

@pytest.mark.covers({all})
def test_of_everything(): ...

{planted}
"""
NEVER = (
    ('@pytest.mark.skip(reason="one day")', ""),
    ('@pytest.mark.skipif(True, reason="never here")', ""),
    ('@pytest.mark.skipif("sys.maxsize > 0", reason="never here")', ""),
    ("@pytest.mark.xfail(run=False)", ""),
    ('@pytest.mark.parametrize("nothing", [])', "nothing"),
)


def ran(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run this Python in a process of its own: pytest collects once in a process."""
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )


def gaps(folder: Path, *, planted: str, without: str = "") -> list[str]:
    """Return what is wrong with tests that try everything, and with what is planted beside."""
    file = folder / "test_planted.py"
    ids = ", ".join(f'"{one}"' for one in FAULTS if one != without)
    file.write_text(PLANTED.format(all=ids, planted=planted), encoding="utf-8")
    done = ran("-c", SHORT, str(file))
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line]


class TestEveryFault:
    def test_has_a_test_that_names_it(self) -> None:
        done = ran("-m", "tests.proof.faults")

        assert done.returncode == 0, done.stdout + done.stderr
        assert f"fault ids with tests: {len(FAULTS)} of {len(FAULTS)}" in done.stdout

    def test_is_listed_once_in_order_with_its_words(self) -> None:
        rows = {"A": 14, "B": 17, "C": 9, "D": 8, "E": 22, "G": 9, "H": 6}

        assert list(FAULTS) == [
            f"{kind}{number}" for kind, many in rows.items() for number in range(1, many + 1)
        ]
        assert len({one.happens for one in FAULTS.values()}) == len(FAULTS)
        assert all(one.happens and one.answer for one in FAULTS.values())


class TestAGap:
    def test_is_none_where_everything_is_tried(self, tmp_path: Path) -> None:
        assert gaps(tmp_path, planted="") == []

    def test_is_a_fault_that_nobody_tries(self, tmp_path: Path) -> None:
        assert gaps(tmp_path, planted="", without="B7") == ["B7: no test tries it"]

    def test_is_a_mark_of_a_fault_that_is_not_listed(self, tmp_path: Path) -> None:
        (said,) = gaps(tmp_path, planted='@pytest.mark.covers("Z9")\ndef test_z(): ...')

        assert said.startswith("Z9: no such fault, says ")
        assert said.endswith("::test_z")

    def test_is_a_test_that_never_runs(self, tmp_path: Path) -> None:
        idle = "\n".join(
            f'{mark}\n@pytest.mark.covers("B7")\ndef test_{number}({words}): ...'
            for number, (mark, words) in enumerate(NEVER)
        )

        said = gaps(tmp_path, planted=idle, without="B7")

        assert said[0] == "B7: no test tries it"
        assert [line.rpartition("::")[2] for line in said[1:]] == [
            f"test_{number}: never runs here, so it tries nothing" for number in range(len(NEVER))
        ]

    def test_is_not_a_test_of_which_some_cases_run(self, tmp_path: Path) -> None:
        planted = (
            '@pytest.mark.parametrize("n", [1, pytest.param(2, marks=pytest.mark.skip)])\n'
            '@pytest.mark.covers("B7")\ndef test_half(n): ...'
        )

        assert gaps(tmp_path, planted=planted, without="B7") == []
