"""Runs, customers, products and small things to remember."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest

from application.catalogue import LeaseLost
from application.store.customers import LinkTaken
from application.store.items import CompanyProfile, ItemRow
from application.store.runs import Run
from tests.rooms.store_support import (
    KINDS,
    LIVE,
    REALM,
    UWASE,
    Rooms,
    worn_rooms_on,
)

TAG = REALM.tag
UWASE_CODE = "25/00411/BBA"


@pytest.fixture(params=KINDS)
def rooms(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rooms]:
    with worn_rooms_on(request, tmp_path=tmp_path) as opened:
        yield opened
        assert opened.audit.verify().intact


def opened(rooms: Rooms, *, state: str = "running", tag: str = TAG) -> Run:
    return rooms.runs.open(
        kind="batch",
        state=state,
        by=UWASE,
        arguments={"ids": [1, 2]},
        cut_off_id=99,
        environment="simulator",
        company="Demo University",
        realm_tag=tag,
        holder="desk-1",
    )


class TestRun:
    def test_is_numbered_and_kept(self, rooms: Rooms) -> None:
        run = opened(rooms)

        assert rooms.runs.get(run.id) == run
        assert (run.kind, run.state, run.by.name, run.arguments) == (
            "batch",
            "running",
            "uwase",
            {"ids": [1, 2]},
        )
        assert run.started_at is not None
        assert run.finished_at is None
        assert rooms.runs.get(run.id + 1) is None

    def test_shows_its_figures_while_it_goes(self, rooms: Rooms) -> None:
        run = opened(rooms)

        rooms.runs.count(run.id, total=50, processed=16, successful=15, failed=1, unsettled=0)

        seen = rooms.runs.get(run.id)
        assert seen is not None
        assert (seen.total, seen.processed, seen.successful, seen.failed) == (50, 16, 15, 1)

    def test_ends_once(self, rooms: Rooms) -> None:
        run = opened(rooms)

        assert rooms.runs.finish(run.id, state="finished", by=UWASE)
        assert not rooms.runs.finish(run.id, state="failed", by=UWASE)
        rooms.runs.count(run.id, processed=9, successful=9, failed=0, unsettled=0)

        seen = rooms.runs.get(run.id)
        assert seen is not None
        assert (seen.state, seen.processed) == ("finished", 0)
        assert seen.finished_at is not None

    def test_that_waits_is_begun_by_one(self, rooms: Rooms) -> None:
        run = opened(rooms, state="queued")
        assert [one.id for one in rooms.runs.queued(TAG)] == [run.id]

        with ThreadPoolExecutor(6) as pool:
            begun = list(pool.map(lambda _: rooms.runs.begin(run.id), range(6)))

        assert begun.count(True) == 1
        assert rooms.runs.queued(TAG) == []

    def test_of_a_dead_process_is_closed_by_the_next_sender(self, rooms: Rooms) -> None:
        dead, ours, waits = opened(rooms), opened(rooms), opened(rooms, state="queued")
        elsewhere = opened(rooms, tag=LIVE.tag)

        assert rooms.runs.close_dead(realm_tag=TAG, alive=ours.id, by=UWASE) == [dead.id]

        closed = rooms.runs.get(dead.id)
        assert closed is not None
        assert (closed.state, closed.cause) == ("failed", "process_ended")
        assert [one.id for one in rooms.runs.open_runs()] == [ours.id, waits.id, elsewhere.id]

    def test_hears_what_a_person_asks(self, rooms: Rooms) -> None:
        run = opened(rooms)
        assert rooms.runs.asked(run.id) is None

        assert rooms.runs.ask(run.id, "pause", by=UWASE)

        assert rooms.runs.asked(run.id) == "pause"
        rooms.runs.finish(run.id, state="cancelled", by=UWASE)
        assert not rooms.runs.ask(run.id, "cancel", by=UWASE)

    def test_changes_state_with_a_line_in_the_log(self, rooms: Rooms) -> None:
        run = opened(rooms)

        assert rooms.runs.state(run.id, "waiting_quickbooks", by=UWASE)
        assert not rooms.runs.state(run.id, "waiting_quickbooks", by=UWASE)

        assert [line.action for line in rooms.audit.entries(action="run.")] == [
            "run.running",
            "run.waiting_quickbooks",
        ]

    def test_lists_show_the_newest_first(self, rooms: Rooms) -> None:
        ids = [opened(rooms).id for _ in range(4)]

        assert [one.id for one in rooms.runs.recent(limit=2)] == ids[:1:-1]
        assert [one.id for one in rooms.runs.recent(limit=2, after=ids[2])] == ids[1::-1]


class TestCustomer:
    def test_is_linked_both_ways(self, rooms: Rooms) -> None:
        lease = rooms.lease()

        rooms.customers.link(TAG, UWASE_CODE, "58", adopted=False, by=UWASE, lease=lease)

        assert rooms.customers.ids_of(TAG, [UWASE_CODE, "x"]) == {UWASE_CODE: "58"}
        assert rooms.customers.payer_of(TAG, "58") == UWASE_CODE
        assert rooms.customers.ids_of(LIVE.tag, [UWASE_CODE]) == {}
        assert rooms.customers.payer_of(TAG, "59") is None

    def test_linked_again_alike_changes_nothing(self, rooms: Rooms) -> None:
        lease = rooms.lease()
        for _ in range(2):
            rooms.customers.link(TAG, UWASE_CODE, "58", adopted=False, by=UWASE, lease=lease)

        assert len(rooms.audit.entries(action="customer.")) == 1

    @pytest.mark.parametrize(
        ("code", "quickbooks_id"), [("25/00412/BBA", "58"), (UWASE_CODE, "59")]
    )
    def test_of_somebody_else_is_refused(self, rooms: Rooms, code: str, quickbooks_id: str) -> None:
        lease = rooms.lease()
        rooms.customers.link(TAG, UWASE_CODE, "58", adopted=False, by=UWASE, lease=lease)

        with pytest.raises(LinkTaken):
            rooms.customers.link(TAG, code, quickbooks_id, adopted=True, by=UWASE, lease=lease)

        assert rooms.customers.ids_of(TAG, [UWASE_CODE, code]) == {UWASE_CODE: "58"}

    def test_created_together_are_linked_together(self, rooms: Rooms) -> None:
        lease = rooms.lease()
        rooms.customers.link(TAG, UWASE_CODE, "58", adopted=True, by=UWASE, lease=lease)
        pairs = {UWASE_CODE: "58", "25/00412/BBA": "59", "25/00413/BBA": "60"}

        rooms.customers.link_all(TAG, pairs, adopted=False, by=UWASE, lease=lease)

        assert rooms.customers.ids_of(TAG, list(pairs)) == pairs
        assert [one.action for one in rooms.audit.entries(action="customer.")] == [
            "customer.adopted",
            "customer.linked",
            "customer.linked",
        ]

    def test_created_together_but_for_one_are_linked_up_to_it(self, rooms: Rooms) -> None:
        lease = rooms.lease()
        rooms.customers.link(TAG, UWASE_CODE, "58", adopted=False, by=UWASE, lease=lease)
        pairs = {"25/00412/BBA": "59", "25/00413/BBA": "58", "25/00414/BBA": "60"}

        with pytest.raises(LinkTaken) as met:
            rooms.customers.link_all(TAG, pairs, adopted=False, by=UWASE, lease=lease)

        assert met.value.code == "25/00413/BBA"
        assert rooms.customers.ids_of(TAG, list(pairs)) == {"25/00412/BBA": "59"}

    def test_unlinked_may_be_linked_anew(self, rooms: Rooms) -> None:
        lease = rooms.lease()
        for quickbooks_id in ("58", "59", "58"):
            rooms.customers.link(
                TAG, UWASE_CODE, quickbooks_id, adopted=True, by=UWASE, lease=lease
            )
            rooms.customers.unlink(TAG, UWASE_CODE, by=UWASE, lease=lease)

        assert rooms.customers.ids_of(TAG, [UWASE_CODE]) == {}
        assert len(rooms.audit.entries(action="customer.")) == 6

    def test_is_not_linked_without_the_lease(self, rooms: Rooms) -> None:
        lease = rooms.lease()
        rooms.leases.release(lease)

        with pytest.raises(LeaseLost):
            rooms.customers.link(TAG, UWASE_CODE, "58", adopted=False, by=UWASE, lease=lease)

    @pytest.mark.covers("E9")
    def test_of_one_student_raced_for_is_one(self, rooms: Rooms) -> None:
        lease = rooms.lease()

        def one(number: int) -> bool:
            try:
                rooms.customers.link(
                    TAG, UWASE_CODE, str(number), adopted=False, by=UWASE, lease=lease
                )
            except LinkTaken:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(one, range(8))).count(True) == 1


TUITION = ItemRow("21", "Tuition  Fee")
LIBRARY = ItemRow("23", "Library fees")
GONE = ItemRow("24", "Old fee", active=False)


class TestItems:
    def test_are_found_by_name_while_active(self, rooms: Rooms) -> None:
        rooms.items.replace(TAG, [TUITION, LIBRARY, GONE], by=UWASE)

        assert rooms.items.by_key(TAG) == {"tuition fee": TUITION, "library fees": LIBRARY}
        assert rooms.items.by_key(LIVE.tag) == {}

    def test_read_again_replace_those_before(self, rooms: Rooms) -> None:
        rooms.items.replace(TAG, [TUITION, LIBRARY], by=UWASE)
        rooms.items.replace(TAG, [LIBRARY, LIBRARY], by=UWASE)

        assert list(rooms.items.by_key(TAG).values()) == [LIBRARY]

    def test_chosen_by_a_person_stay_chosen(self, rooms: Rooms) -> None:
        rooms.items.replace(TAG, [TUITION, LIBRARY], by=UWASE)
        rooms.items.choose(TAG, 41, item=TUITION, by=UWASE)
        rooms.items.choose(TAG, 41, item=LIBRARY, by=UWASE)
        rooms.items.replace(TAG, [LIBRARY], by=UWASE)

        assert rooms.items.chosen(TAG) == {41: LIBRARY}
        assert rooms.items.unchoose(TAG, 41, by=UWASE)
        assert not rooms.items.unchoose(TAG, 41, by=UWASE)
        assert rooms.items.chosen(TAG) == {}

    def test_chosen_and_gone_inactive_are_not_used(self, rooms: Rooms) -> None:
        rooms.items.replace(TAG, [TUITION], by=UWASE)
        rooms.items.choose(TAG, 41, item=TUITION, by=UWASE)

        rooms.items.replace(TAG, [ItemRow("21", "Tuition  Fee", active=False)], by=UWASE)

        assert rooms.items.chosen(TAG) == {}


class TestCompany:
    def test_is_kept_as_last_read(self, rooms: Rooms) -> None:
        profile = CompanyProfile(
            name="Demo University \U0001f393",
            country="RW",
            currency="RWF",
            custom_numbers=True,
            books_closed_until=date(2025, 6, 30),
            uses_tax=None,
            read_at=rooms.store.now(),
        )

        for _ in range(2):
            rooms.items.save_profile(TAG, profile, by=UWASE)

        assert rooms.items.profile(TAG) == profile
        assert rooms.items.read_at(TAG) == profile.read_at
        assert rooms.items.profile(LIVE.tag) is None


class TestMemory:
    def test_keeps_the_last_value(self, rooms: Rooms) -> None:
        for value in ({"a": [1, None, "x"]}, False, 7):
            rooms.items.remember("pace", value)

            assert rooms.items.recall("pace") == value

    def test_of_one_name_by_many_is_one_note(self, rooms: Rooms) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: rooms.items.remember("pace", n), range(8)))

        assert rooms.items.recall("pace") in range(8)
