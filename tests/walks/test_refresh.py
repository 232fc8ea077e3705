"""The sign-in is renewed under stress: once, durable, and a lost one costs nobody an invoice."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from application.embedded import Place
from application.invoices.model import Environment
from application.world import Gate
from tests.proof.figures import PROVING
from tests.quick import Quick
from tests.rooms.store_support import UWASE, rooms_on
from tests.walks import observer
from tests.walks.university import PATIENCE_S, University, university, wait_until

ONE_REFRESH = Path(__file__).with_name("one_refresh.py")
KILLED = -9
MANY = 16
GATES = (Gate.REFRESH_NOTED, Gate.REFRESH_ANSWERED, Gate.REFRESH_STORED)
# Whoever cannot sign in must not blame an invoice for it.
OURS = {"authentication_failed", "quickbooks_unavailable", "wrong_environment", "internal_error"}


def started(place: University, verb: str, *gate: str) -> "subprocess.Popen[str]":
    return Quick(
        [sys.executable, str(ONE_REFRESH), verb, *gate],
        env=place.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def lined_up(one: "subprocess.Popen[str]") -> "subprocess.Popen[str]":
    """Wait until a process has done all it can before it is let go."""
    assert one.stdout is not None
    assert one.stdout.readline() == "ready\n"
    return one


def ended(processes: "Sequence[subprocess.Popen[str]]") -> list[str]:
    """Let processes that are lined up go, all at once, and return what each said last."""
    for one in processes:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    return [one.communicate(timeout=PATIENCE_S)[0].strip() for one in processes]


def said(place: University, verb: str) -> str:
    return started(place, verb).communicate(timeout=PATIENCE_S)[0].strip()


def used(place: University, verb: str = "use", *gate: str) -> tuple[int, str]:
    one = started(place, verb, *gate)
    words = ended([lined_up(one)])[0]
    return one.returncode, words


def asked(place: University) -> int:
    """Return how often a token was asked for."""
    return sum(one["entity"] == "token" for one in place.simulator.log())


def counts(place: University) -> dict[int, int]:
    return observer.look(place.folder / "mis.db", []).counts


def causes(place: University) -> set[str]:
    """Return why invoices were ever marked failed."""
    with closing(sqlite3.connect(place.folder / "var" / "store" / "store.db")) as store:
        return {str(row[0]) for row in store.execute("SELECT DISTINCT cause FROM refusals")}


def at_work(place: University, run: "subprocess.Popen[str]") -> None:
    """Wait until a run has confirmed its first invoices and many still wait."""
    while run.poll() is None and counts(place).get(1, 0) < 10:
        wait_until(run, seconds=0.1)
    assert run.poll() is None
    assert counts(place).get(0, 0) > 0


def expire(place: University) -> None:
    place.simulator.control("POST", "/_simulator/expire-tokens")


def finished(place: University) -> None:
    code, out, err = place.run("all")
    books = place.look()

    assert code == 0, out + err
    assert causes(place) & OURS == set()
    assert books.problems == []
    assert not {0, 3} & set(books.counts), books.counts
    assert place.simulator.violations() == {}


@contextmanager
def connected(folder: Path, *, size: int = 90, **knobs: object) -> Iterator[University]:
    """Yield a university that is connected, at a QuickBooks where a used refresh token is dead."""
    with university(folder, size=size, knobs={"refresh_grace_s": 0, **knobs}) as place:
        assert place.run("connect")[0] == 0
        yield place


class TestAStaleToken:
    @pytest.mark.long
    @pytest.mark.covers("D1")
    @pytest.mark.parametrize(
        ("verb", "refused"),
        [
            pytest.param("use", True, id="refused by QuickBooks"),
            pytest.param("late", False, id="about to end"),
        ],
    )
    def test_met_by_sixteen_processes_at_once_is_renewed_once(
        self, tmp_path: Path, verb: str, *, refused: bool
    ) -> None:
        with connected(tmp_path) as place:
            # Sixteen processes hinder each other: one of them may hold the lock for seconds.
            place.settings["CLOCK_SCALE"] = "5"
            before = asked(place)
            if refused:
                expire(place)

            # One after another: sixteen that start at once starve whatever else runs here.
            words = ended([lined_up(started(place, verb)) for _ in range(MANY)])

            assert words == ["ok"] * MANY
            assert asked(place) - before == 1
            assert said(place, "state") == "True None None"

    @pytest.mark.long
    def test_is_renewed_once_an_hour_however_many_come_one_after_another(
        self, tmp_path: Path
    ) -> None:
        with connected(tmp_path) as place:
            before = asked(place)
            for _ in range(2):
                expire(place)
                assert used(place)[1] == "ok"
                assert used(place)[1] == "ok"

            assert asked(place) - before == 2

    @pytest.mark.covers("D5")
    def test_in_mid_run_costs_nothing(self, tmp_path: Path) -> None:
        with connected(tmp_path, size=150, latency_ms=[20, 40]) as place:
            run = place.start("all")
            for _ in range(4):
                wait_until(run, seconds=0.8)
                expire(place)
            run.communicate(timeout=PATIENCE_S)

            finished(place)


class TestALostAnswer:
    @pytest.mark.long
    @pytest.mark.covers("D2")
    def test_ends_in_a_call_for_a_person_and_no_failed_invoice(self, tmp_path: Path) -> None:
        with connected(tmp_path) as place:
            assert place.run("batch")[0] == 0
            synced = counts(place)[1]
            expire(place)
            place.simulator.fault("lose_refresh_answer", count=1)

            _, out, _ = place.run("all")

            assert "authentication_failed" in out
            assert (counts(place)[1], causes(place) & OURS) == (synced, set())
            assert said(place, "state") == "False authentication_failed invalid_grant"
            assert used(place)[1] == "stopped authentication_failed"
            assert place.run("connect")[0] == 0
            finished(place)

    def test_before_anything_was_rotated_is_asked_for_again(self, tmp_path: Path) -> None:
        with connected(tmp_path) as place:
            expire(place)
            place.simulator.fault("drop_before_commit", on="token", count=1)

            assert used(place)[1] == "ok"

    @pytest.mark.long
    def test_where_quickbooks_stays_away_keeps_the_sign_in(self, tmp_path: Path) -> None:
        with connected(tmp_path) as place:
            expire(place)
            place.simulator.fault("html_502", on="token", count=2)

            assert used(place)[1] == "stopped quickbooks_unavailable"
            assert used(place)[1] == "ok"
            assert place.run("batch")[0] == 0


class TestAKill:
    @pytest.mark.long
    @pytest.mark.covers("D3")
    @pytest.mark.parametrize(
        ("gate", "goes_on"),
        [
            pytest.param(Gate.REFRESH_NOTED, True, id="before it was sent"),
            pytest.param(Gate.REFRESH_ANSWERED, False, id="before the answer was kept"),
            pytest.param(Gate.REFRESH_STORED, True, id="after it was kept"),
        ],
    )
    def test_leaves_a_sign_in_or_a_call_for_a_person(
        self, tmp_path: Path, gate: Gate, *, goes_on: bool
    ) -> None:
        with connected(tmp_path) as place:
            expire(place)
            assert used(place, "use", gate.value)[0] == KILLED

            words = ended([lined_up(started(place, "use")) for _ in range(3)])

            if goes_on:
                assert words == ["ok"] * 3
            else:
                assert words == ["stopped authentication_failed"] * 3
                assert place.run("connect")[0] == 0
            finished(place)

    @pytest.mark.long
    @pytest.mark.covers("D3")
    @pytest.mark.parametrize("gate", GATES if PROVING else GATES[1:2])
    def test_in_mid_run_marks_nothing_failed(self, tmp_path: Path, gate: Gate) -> None:
        with connected(tmp_path) as place:
            assert place.run("batch")[0] == 0
            expire(place)
            assert place.run("all", gate.value, "1")[0] == KILLED
            assert causes(place) & OURS == set()

            place.run("connect")
            finished(place)

    def test_costs_nothing_where_the_old_token_has_a_grace(self, tmp_path: Path) -> None:
        with connected(tmp_path) as place:
            place.simulator.knob(refresh_grace_s=86_400)
            expire(place)
            assert used(place, "use", Gate.REFRESH_ANSWERED.value)[0] == KILLED

            assert used(place)[1] == "ok"


@pytest.mark.long
class TestASignInThatEnds:
    @pytest.mark.covers("D6")
    def test_while_a_run_is_at_work_stops_it_and_marks_nothing_failed(self, tmp_path: Path) -> None:
        with connected(tmp_path, size=400, latency_ms=[60, 90]) as place:
            run = place.start("all")
            at_work(place, run)
            place.simulator.control("POST", "/_simulator/revoke")
            out, _ = run.communicate(timeout=PATIENCE_S)

            assert "authentication_failed" in out
            assert counts(place)[0] > 0
            assert place.run("connect")[0] == 0
            finished(place)

    def test_in_a_storm_of_401_is_renewed_a_few_times_and_kept(self, tmp_path: Path) -> None:
        with connected(tmp_path) as place:
            assert place.run("batch")[0] == 0
            before, synced = asked(place), counts(place)[1]
            place.simulator.fault("unauthorized_401", on="any", rate=1)

            _, out, _ = place.run("all")

            assert "authentication_failed" in out
            assert asked(place) - before <= 3
            assert (counts(place)[1], causes(place) & OURS) == (synced, set())
            place.simulator.control("DELETE", "/_simulator/faults")
            finished(place)

    @pytest.mark.covers("D6")
    def test_of_another_company_sends_nothing(self, tmp_path: Path) -> None:
        with connected(tmp_path) as place:
            before = counts(place)
            theirs = {"realm_id": "9130347999", "name": "Other Ltd"}
            place.simulator.control("POST", "realms", theirs)
            put(place, place.simulator.token(realm="9130347999"))

            _, out, _ = place.run("all")

            assert "wrong_environment" in out
            assert counts(place) == before
            assert place.run("connect")[0] == 0
            finished(place)


def put(place: University, pair: dict[str, object]) -> None:
    """Put another company's tokens in place of ours, under our company's name."""
    files = Place(folder=place.folder / "var", demo=False)
    key = files.key_file.read_text(encoding="ascii").strip()
    with rooms_on(f"sqlite:///{files.store_file}", locks=files.locks) as rooms:
        tokens = rooms.tokens(key)
        held = tokens.load(Environment.SIMULATOR)
        assert held is not None
        tokens.save(
            replace(
                held,
                access_token=str(pair["access_token"]),
                refresh_token=str(pair["refresh_token"]),
            ),
            by=UWASE,
        )
