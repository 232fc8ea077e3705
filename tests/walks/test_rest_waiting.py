"""Runs over REST that find no server, or no connection, and go on once it is there again."""

import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from application.embedded import approve
from tests.walks.desk import begun, command, slowed, steered, until
from tests.walks.server import SYNC, Answer, Server, serving, start
from tests.walks.support import ended, read_until
from tests.walks.university import University, university

BOOKS = "/api/v1/quickbooks"
WAITED_S = 5  # a run looks whether it may go on several times in these


def shown(place: University, run_id: int) -> dict[str, object]:
    """Return a run as a terminal shows it."""
    data: dict[str, object] = command(place, "runs", "show", str(run_id), "--json").json["data"]
    return data


def audited(place: University, action: str) -> int:
    """Return how often the audit log tells of this."""
    with opened(place) as store:
        (times,) = store.execute(
            "SELECT COUNT(*) FROM audit WHERE action = ?", (action,)
        ).fetchone()
    return int(times)


def changed(place: University, sql: str, *values: str) -> None:
    """Change the store while nobody uses it."""
    with opened(place) as store, store:
        store.execute(sql, values)


def opened(place: University) -> closing[sqlite3.Connection]:
    """Open our store, past the program."""
    return closing(sqlite3.connect(place.folder / "var" / "store" / "store.db"))


def under_way(server: Server) -> int:
    """Return a run of everything that has met its first invoice."""
    run_id = server.started(f"{SYNC}/all", {})
    server.until_met(run_id, least=1)
    return run_id


class TestWithoutAServer:
    def test_a_run_is_gone_on_with_here(self, tmp_path: Path) -> None:
        with university(tmp_path, size=200) as place:
            server = start(place.environment())
            with slowed(place):
                run_id = under_way(server)
                steered(server, run_id, "pause")
                paused = server.until(run_id, "paused")
                server.kill()

            done = command(place, "runs", "resume", str(run_id))
            seen = shown(place, run_id)

            assert done.code in {0, 3}, done.err
            assert "No server runs; going on here." in done.err
            assert paused["processed"] < seen["processed"] == seen["total"]
            assert seen["state"] == "finished"
            books = place.look()
            assert books.problems == []
            assert set(books.counts) <= {1, 2}

    def test_a_run_that_was_signed_out_is_left_as_it_is_until_somebody_signs_in(
        self, tmp_path: Path
    ) -> None:
        with university(tmp_path, size=200) as place:
            with serving(place.environment()) as server, slowed(place):
                run_id = under_way(server)
                place.simulator.control("POST", "revoke", {})
                server.until(run_id, "waiting_connection")

            refused = command(place, "runs", "resume", str(run_id))
            left = shown(place, run_id)
            connected = command(place, "connect")
            done = command(place, "runs", "resume", str(run_id))

            assert (refused.code, "authentication_failed" in refused.err) == (4, True), refused.err
            assert left["state"] == "waiting_connection"
            assert connected.code == 0, connected.err
            assert done.code == 3, done.err
            assert shown(place, run_id)["state"] == "finished"
            assert place.look().problems == []

    def test_a_wait_for_a_sign_in_is_written_down_once(self, tmp_path: Path) -> None:
        with university(tmp_path, size=200) as place:
            server = start(place.environment())
            with slowed(place):
                run_id = under_way(server)
                server.kill()
                child = begun(place, "runs", "resume", str(run_id))
                read_until(child, words=b"going on here")
                place.simulator.control("POST", "revoke", {})
                until(lambda: shown(place, run_id)["state"] == "waiting_connection")
            time.sleep(WAITED_S)

            child.send_signal(signal.SIGINT)
            done = ended(child)

            assert done.code == 130, done.err
            assert shown(place, run_id)["state"] == "waiting_connection"
            assert audited(place, "run.waiting_connection") == 1

    @pytest.mark.parametrize("state", ["queued", "running"])
    def test_a_run_a_server_left_is_taken_up_here(self, tmp_path: Path, state: str) -> None:
        with university(tmp_path, size=200) as place:
            server = start(place.environment())
            with slowed(place):
                run_id = under_way(server)
                server.kill()
            changed(place, "UPDATE runs SET state = ?", state)

            done = command(place, "runs", "resume", str(run_id))

            assert done.code in {0, 3}, done.err
            assert shown(place, run_id)["state"] == "finished"
            assert place.look().problems == []


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[University, Server]]:
    """Return another university, whose sign-in is taken away and given back."""
    folder = tmp_path_factory.mktemp("lost")
    with university(folder, size=300) as place, serving(place.environment()) as server:
        yield place, server


class TestWithoutAConnection:
    def test_a_run_waits_and_goes_on_by_itself(self, lost: tuple[University, Server]) -> None:
        place, server = lost
        with slowed(place):
            run_id = server.started(f"{SYNC}/all", {"max_batches": 4})
            server.until_met(run_id, least=1)
            place.simulator.control("POST", "revoke", {})
            waits = server.until(run_id, "waiting_connection")
        assert place.look().counts.get(2, 0) == waits["failed"]
        assert "authentication_failed" not in waits["failures_by_cause"]
        assert server.get(f"{SYNC}/runs/{run_id}").data["state"] == "waiting_connection"

        company = server.get(f"{SYNC}/status").data["quickbooks"]["company"]
        back = connect(server).data
        run = server.until(run_id, "finished")

        assert (back["connected"], back["company"]) == (True, company)
        assert company
        assert run["processed"] == run["total"] == 200
        assert place.look().problems == []
        assert 3 not in place.look().counts

    def test_nothing_is_begun_and_questions_are_answered(
        self, lost: tuple[University, Server]
    ) -> None:
        place, server = lost
        before = place.look().counts
        place.simulator.control("POST", "revoke", {})
        seen = server.post(f"{BOOKS}/test")

        assert seen.data["connected"] is False, seen.text
        for path, body in (("all", {}), ("batch", None), ("retry", {"run_id": 1})):
            answer = server.post(f"{SYNC}/{path}", body)
            assert (answer.status, answer.json["error_code"]) == (409, "authentication_failed")
            assert answer.json["error"] == "Authentication failed"
            assert answer.json["remedy"]
        assert [server.get(f"{SYNC}/{one}").status for one in ("analyze", "preview", "status")] == [
            200,
            200,
            200,
        ]
        assert server.get(f"{SYNC}/status").data["quickbooks_connected"] is False
        assert server.get(f"{BOOKS}/connection").data["connected"] is False
        assert place.look().counts == before

    def test_all_goes_again_once_it_is_back(self, lost: tuple[University, Server]) -> None:
        place, server = lost
        connect(server)

        run_id = server.started(f"{SYNC}/all", {})

        assert server.until(run_id, "finished")["processed"] == 100
        assert place.look().problems == []
        assert set(place.look().counts) == {1, 2}


def connect(server: Server) -> Answer:
    """Sign in, as an administrator who pastes the address would."""
    begun = server.post(f"{BOOKS}/connect", {"paste": True})
    assert begun.status == 200, begun.text
    came = approve(begun.data["authorization_url"])
    pasted = server.post(f"{BOOKS}/connect/paste", {"url": came})
    assert pasted.status == 200, pasted.text
    return pasted
