"""A run watched live by real clients: in order, without gap or double, across lost connections."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.walks.desk import Event, View, cancelled, slowed, steered, viewed
from tests.walks.server import SYNC, Server, serving, start
from tests.walks.university import University, university

SIZE = 600


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[University]:
    with university(tmp_path_factory.mktemp("live"), size=SIZE) as place:
        yield place


@pytest.fixture(scope="module")
def server(place: University) -> Iterator[Server]:
    with serving(place.environment()) as server:
        yield server


def ids_of(events: list[Event]) -> list[int]:
    return [one.id for one in events]


def lasting(events: list[Event]) -> list[int]:
    """Return the ids of all but progress, of which a late view is shown the newest only."""
    return [one.id for one in events if one.name != "run.progress"]


class TestALiveView:
    def test_tells_a_run_from_its_start_to_its_end(self, place: University, server: Server) -> None:
        with slowed(place):
            run_id = server.started(f"{SYNC}/batch", {"batch_size": 60})
            with View(server, run_id) as view:
                headers = dict(view.answer.getheaders())
                events = list(view)
        run = server.run(run_id)

        assert view.answer.status == 200
        assert headers["content-type"].startswith("text/event-stream")
        assert headers["cache-control"] == "no-store"
        assert headers["x-accel-buffering"] == "no"
        assert events[0].name == "run.started"
        assert events[-1].name == "run.finished"
        assert ids_of(events) == sorted(set(ids_of(events)))
        assert events[-1].content["successful"] == run["successful"]
        synced = [one.content["invoice_id"] for one in events if one.name == "invoice.synced"]
        failed = [one.content["invoice_id"] for one in events if one.name == "invoice.failed"]
        assert len(synced) == len(set(synced)) == run["successful"]
        assert len(failed) == len(set(failed)) == run["failed"]
        assert all(one.content["run_id"] == run_id for one in events if one.name == "run.progress")
        met = [one.content["processed"] for one in events if one.name == "run.progress"]
        assert met == sorted(met)

    def test_calls_no_unclear_invoice_synced(self, place: University, server: Server) -> None:
        place.simulator.fault("drop_before_commit", on="invoice", count=2)
        run_id = server.started(f"{SYNC}/batch", {"batch_size": 20})
        events = viewed(server, run_id)
        run = server.run(run_id)

        synced = [one.content["invoice_id"] for one in events if one.name == "invoice.synced"]
        assert run["unsettled"] == 2
        assert len(synced) == run["successful"]

    def test_of_a_finished_run_replays_and_closes(self, server: Server) -> None:
        run_id = server.post(f"{SYNC}/batch", {"batch_size": 10}).json["meta"]["run_id"]
        first, second = viewed(server, run_id), viewed(server, run_id)

        assert first == second
        assert first[-1].name == "run.finished"
        assert first[-1].content["id"] == run_id

    def test_goes_on_after_the_last_event_seen(self, server: Server) -> None:
        run_id = server.post(f"{SYNC}/batch", {"batch_size": 10}).json["meta"]["run_id"]
        whole = viewed(server, run_id)

        for place_in in range(len(whole) - 1):
            rest = viewed(server, run_id, after=whole[place_in].id)
            assert rest == whole[place_in + 1 :]
        last = server.get(
            f"{SYNC}/runs/{run_id}/events", headers={"Last-Event-ID": str(whole[-1].id)}
        )
        assert (last.status, last.text) == (204, "")

    def test_that_breaks_off_misses_nothing_and_hears_nothing_twice(
        self, place: University, server: Server
    ) -> None:
        seen: list[Event] = []
        with slowed(place), ThreadPoolExecutor(1) as pool:
            run_id = server.started(f"{SYNC}/batch", {"batch_size": 100})
            steady = pool.submit(viewed, server, run_id)
            while not seen or seen[-1].name != "run.finished":
                with View(server, run_id, after=seen[-1].id if seen else None) as view:
                    for heard, event in enumerate(view, start=1):
                        seen.append(event)
                        if heard == 7:  # the line breaks
                            break
            whole = steady.result()

        assert ids_of(seen) == sorted(set(ids_of(seen)))
        assert lasting(seen) == lasting(whole)

    def test_shows_the_present_state_to_whoever_names_an_event_of_another_run(
        self, place: University, server: Server
    ) -> None:
        with slowed(place):
            run_id = server.started(f"{SYNC}/all", {"max_batches": 2})
            server.until_met(run_id, least=1)
            with View(server, run_id, after=1) as view:
                first = next(iter(view))
            cancelled(server, run_id)

        assert first.content.get("id", first.content.get("run_id")) == run_id

    def test_tells_of_a_pause_and_of_going_on(self, place: University, server: Server) -> None:
        with slowed(place):
            run_id = server.started(f"{SYNC}/all", {})
            server.until_met(run_id, least=1)
            with View(server, run_id) as view:
                steered(server, run_id, "pause")
                paused = view.until("run.paused")[-1]
                steered(server, run_id, "resume")
                view.until("run.resumed")
                steered(server, run_id, "cancel")
                ended = view.until("run.finished")[-1]

        assert paused.content["reason"] == "person"
        assert ended.content["state"] == "cancelled"

    def test_of_a_run_that_is_not_there_is_not_found(self, server: Server) -> None:
        answer = server.get(f"{SYNC}/runs/99999999/events")

        assert (answer.status, answer.json["error_code"]) == (404, "not_found")

    @pytest.mark.parametrize("told", ["abc", "-1", "1.5"])
    def test_takes_no_event_number_that_is_none(self, server: Server, told: str) -> None:
        answer = server.get(f"{SYNC}/runs/1/events", headers={"Last-Event-ID": told})

        assert answer.status in {400, 422}
        assert answer.json["error_code"] in {"bad_request", "validation_failed"}


@pytest.mark.long
class TestAServerThatDiesWhileWatched:
    @pytest.mark.parametrize("politely", [False, True])
    def test_leaves_no_gap_for_whoever_comes_back(self, politely: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a test's parameter
        with university(tmp_path, size=240) as place:
            server = start(place.environment())
            with slowed(place):
                run_id = server.started(f"{SYNC}/all", {})
                with View(server, run_id) as view:
                    heard = [next(iter(view)) for _ in range(30)]
                    if politely:
                        code, _ = server.stop()
                        assert code == 0
                    else:
                        server.kill()
            with serving(place.environment()) as again:
                rest = viewed(again, run_id, after=heard[-1].id)
                whole = viewed(again, run_id)
                run = again.run(run_id)

            assert rest[-1].name == "run.finished"
            assert ids_of(heard + rest) == sorted(set(ids_of(heard + rest)))
            assert lasting(heard + rest) == lasting(whole)
            assert place.look().problems == []
            assert run["processed"] == 240, (run, place.look().counts)
            named = [
                one.content["invoice_id"]
                for one in whole
                if one.name in {"invoice.synced", "invoice.failed"}
            ]
            assert len(named) == len(set(named))
