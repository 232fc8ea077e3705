"""Notes of processes on one machine: alive, dead, half written, forgotten."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from application.store.notices import Notices

KILLED = -signal.SIGKILL
ROOT = Path(__file__).resolve().parents[2]

WRITER = """
import sys, time
from pathlib import Path
from application.store.notices import Notices
notes = Notices(Path(sys.argv[1]), subject="windows.s1", name="other", nap=lambda ms: None)
with notes.turn():
    notes.put({"requests": [1, 2]})
print("written", flush=True)
time.sleep(60)
"""


def ours(folder: Path, *, subject: str = "windows.s1", name: str = "ours") -> Notices:
    return Notices(folder, subject=subject, name=name, nap=lambda _: None)


class TestNotices:
    def test_tell_what_others_wrote_and_nothing_of_ours(self, tmp_path: Path) -> None:
        first, second = ours(tmp_path, name="a"), ours(tmp_path, name="b")
        with first.turn():
            first.put({"requests": [1, 2, 3]})
            first.put({"requests": [4]})  # a shorter one leaves nothing of the longer

        with second.turn():
            found = second.others()
        with first.turn():
            none = first.others()

        assert [(one.says, one.alive) for one in found] == [({"requests": [4]}, True)]
        assert none == []

    def test_of_another_subject_are_not_ours(self, tmp_path: Path) -> None:
        other = ours(tmp_path, subject="windows.s2", name="a")
        with other.turn():
            other.put({})

        with ours(tmp_path).turn():
            assert ours(tmp_path).others() == []

    def test_outlive_a_killed_process_and_say_that_it_is_gone(self, tmp_path: Path) -> None:
        script = tmp_path / "writer.py"
        script.write_text(WRITER)
        child = subprocess.Popen(  # noqa: S603 - our own script, no shell
            [sys.executable, str(script), str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT
        )
        assert child.stdout is not None
        assert child.stdout.readline() == b"written\n"
        mine = ours(tmp_path)
        with mine.turn():
            before = [one.alive for one in mine.others()]
        child.send_signal(signal.SIGKILL)
        assert child.wait() == KILLED
        child.stdout.close()

        with mine.turn():
            (after,) = mine.others()
            mine.forget(after)
            left = mine.others()

        assert before == [True]
        assert (after.says, after.alive) == ({"requests": [1, 2]}, False)
        assert left == []

    def test_that_were_never_written_are_cleared_away(self, tmp_path: Path) -> None:
        mine = ours(tmp_path)
        with mine.turn():
            (tmp_path / "windows.s1.gone.note").touch()
            assert mine.others() == []

        assert not (tmp_path / "windows.s1.gone.note").exists()

    def test_of_the_living_are_not_forgotten(self, tmp_path: Path) -> None:
        other, mine = ours(tmp_path, name="other"), ours(tmp_path)
        with other.turn():
            other.put({})

        with mine.turn():
            mine.forget(mine.others()[0])
            assert len(mine.others()) == 1

    def test_wait_for_no_one_who_does_not_end_his_turn(self, tmp_path: Path) -> None:
        first, second = ours(tmp_path, name="a"), ours(tmp_path, name="b")

        with first.turn(), pytest.raises(TimeoutError), second.turn():
            pass
        with second.turn():
            pass

    def test_in_a_folder_that_cannot_be_used_raise(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()

        with pytest.raises(OSError, match="file"), ours(tmp_path / "file").turn():
            pass
