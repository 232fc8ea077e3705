"""A server that dies in the middle of a run, and the one after it that finishes the run."""

import shutil
import signal
from pathlib import Path

import pytest

from tests.proof.figures import PROVING, told
from tests.walks.desk import command, slowed, steered, until
from tests.walks.server import SYNC, Server, serving, start
from tests.walks.support import ROOT, TOOL
from tests.walks.university import University, university

SIZE = 10_000 if PROVING else 600
SMALL = 240
RAN = "ran"


def agree(place: University, server: Server, run_id: int, *, size: int) -> None:
    """Assert that the run's own figures, the MIS and QuickBooks say the same."""
    run = server.run(run_id)
    books = place.look()

    assert run["state"] == "finished"
    assert books.problems == []
    assert books.counts == {1: run["successful"], 2: run["failed"]}
    assert run["processed"] == run["total"] == size
    assert run["unsettled"] == 0
    assert sum(run["failures_by_cause"].values()) == run["failed"]
    assert place.simulator.violations() == {}
    events = server.get(f"{SYNC}/runs/{run_id}/events").text
    assert events.count("event: run.finished") == 1
    assert events.count("event: run.started") == 1


class TestAKilledServer:
    @pytest.mark.covers("C4")
    def test_is_followed_by_one_that_finishes_its_run(self, tmp_path: Path) -> None:
        with university(tmp_path, size=SIZE) as place:
            server = start(place.environment())
            run_id = server.started(f"{SYNC}/all", {})
            server.until_met(run_id, least=SIZE // 3)
            server.kill()

            assert place.look().problems == []
            with serving(place.environment()) as again:
                run = again.until(run_id, "finished")
                assert run["resumed"] >= 1
                agree(place, again, run_id, size=SIZE)
                kinds = [one["kind"] for one in again.get(f"{SYNC}/runs").data["runs"]]
                # What was in the air at the kill may be settled while the run waits for that.
                assert [kind for kind in kinds if kind != "settle"] == ["all"]

    @pytest.mark.long
    def test_may_be_followed_by_one_that_is_killed_too(self, tmp_path: Path) -> None:
        with university(tmp_path, size=SMALL) as place:
            server = start(place.environment())
            with slowed(place):
                run_id = server.started(f"{SYNC}/all", {})
                server.until_met(run_id, least=40)
                for times in (1, 2):
                    met = server.run(run_id)["processed"]
                    server.kill()
                    assert place.look().problems == []
                    server = start(place.environment())
                    until(lambda: server.run(run_id)["resumed"] >= times)  # noqa: B023 - called here
                    if times == 1:
                        server.until_met(run_id, least=met + 30)
            run = server.until(run_id, "finished")
            agree(place, server, run_id, size=SMALL)
            code, _ = server.stop()

            assert run["resumed"] >= 2
            assert code == 0

    @pytest.mark.long
    @pytest.mark.covers("H2")
    def test_may_be_followed_by_another_build(self, tmp_path: Path) -> None:
        build = another_build(tmp_path / "build")
        with university(tmp_path, size=SMALL) as place:
            server = start(place.environment())
            with slowed(place):
                run_id = server.started(f"{SYNC}/all", {})
                server.until_met(run_id, least=40)
                server.kill()

            newer = start(
                place.environment() | {"PYTHONPATH": str(build)},
                tool=build / TOOL.relative_to(ROOT),
            )
            run = newer.until(run_id, "finished")
            agree(place, newer, run_id, size=SMALL)
            code, _ = newer.stop()

            assert run["resumed"] >= 1
            assert (build / RAN).exists()
            assert code == 0
        told("TE3", runs=1, resumed=run["resumed"])

    @pytest.mark.long
    def test_leaves_a_paused_run_paused(self, tmp_path: Path) -> None:
        with university(tmp_path, size=SMALL) as place:
            server = start(place.environment())
            with slowed(place):
                run_id = server.started(f"{SYNC}/all", {})
                server.until_met(run_id, least=1)
                steered(server, run_id, "pause")
                paused = server.until(run_id, "paused")
            server.kill()

            with serving(place.environment()) as again:
                busy = again.post(f"{SYNC}/all", {})
                assert again.run(run_id)["state"] == "paused"
                assert again.run(run_id)["processed"] == paused["processed"]
                assert busy.json["details"]["run_id"] == run_id
                steered(again, run_id, "resume")
                again.until(run_id, "finished")
                agree(place, again, run_id, size=SMALL)


def another_build(folder: Path) -> Path:
    """Copy the product and change what its engine runs: it leaves a file behind."""
    for part in ("application", "qbo_simulator", "tools"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    engine = folder / "application" / "background.py"
    text = engine.read_text(encoding="utf-8")
    first = "    parts = 1\n"
    changed = text.replace(first, f"{first}    open({str(folder / RAN)!r}, 'a').close()\n")
    assert changed != text
    engine.write_text(changed, encoding="utf-8")
    return folder


@pytest.mark.long
class TestAServerThatIsAskedToStop:
    @pytest.mark.covers("C5")
    def test_finishes_what_is_in_hand_and_the_next_one_the_run(self, tmp_path: Path) -> None:
        with university(tmp_path, size=SMALL) as place:
            server = start(place.environment())
            with slowed(place):
                run_id = server.started(f"{SYNC}/all", {})
                server.until_met(run_id, least=60)
                server.process.send_signal(signal.SIGTERM)
                said, _ = server.process.communicate(timeout=30)
            out = said.decode()

            assert server.process.returncode == 0, out
            assert "Stopped. What was done is saved." in out
            books = place.look()
            assert books.problems == []
            assert 3 not in books.counts
            assert 0 in books.counts

            with serving(place.environment()) as again:
                run = again.until(run_id, "finished")
                agree(place, again, run_id, size=SMALL)
            assert run["failed"] == place.look().counts.get(2, 0)


@pytest.mark.long
class TestInvoicesThatSomebodyFreed:
    def test_are_met_again_by_the_run_they_belong_to(self, tmp_path: Path) -> None:
        with university(tmp_path, size=35) as place:
            command(place, "batch", "--batch-size", "10")
            server = start(place.environment())
            place.simulator.fault("drop_before_commit", on="invoice", count=3)
            run_id = server.started(f"{SYNC}/all", {})
            server.until(run_id, "waiting_quickbooks")
            server.kill()
            unclear = place.look().counts[3]
            until(lambda: command(place, "reset-stuck").code == 0 and 3 not in place.look().counts)
            freed = place.look().counts.get(0, 0)

            with serving(place.environment()) as again:
                run = again.until(run_id, "finished")

            assert unclear == freed > 0
            assert run["processed"] == run["total"]
            assert set(place.look().counts) <= {1, 2}
            assert place.look().problems == []
