from datetime import date

from application.invoices.model import Status
from application.mis.reader import Wanted
from tests.rooms.mis_support import Place, room_at, statements


class TestNewest:
    def test_goes_down_from_the_highest_id(self, place: Place) -> None:
        for number in range(1, 8):
            place.invoice(number)

        with room_at(place.url) as room, statements() as asked:
            first = room.reader.newest(Wanted(), before=None, limit=3)
            second = room.reader.newest(Wanted(), before=first[-1].id, limit=9)

        assert [[row.id for row in rows] for rows in (first, second)] == [[7, 6, 5], [4, 3, 2, 1]]
        assert not any("OFFSET" in one.upper() and "LIMIT ? OFFSET" not in one for one in asked)

    def test_counts_a_status_nobody_knows_as_failed(self, place: Place) -> None:
        for number, status in enumerate((None, 0, 1, 2, 3, 9, -1), start=1):
            place.invoice(number, QuickBk_Status=status)

        with room_at(place.url) as room:
            found = {
                status: [row.id for row in room.reader.newest(Wanted(status), before=None, limit=9)]
                for status in Status
            }

        assert found == {
            Status.NOT_SYNCED: [2, 1],
            Status.SYNCED: [3],
            Status.FAILED: [7, 6, 4],
            Status.IN_PROGRESS: [5],
        }

    def test_stays_in_scope(self, place: Place) -> None:
        for number, dated in enumerate(("2024-12-31", "2025-01-01", None), start=1):
            place.invoice(number, invoice_date=dated)

        with room_at(place.url, invoices_from=date(2025, 1, 1)) as room:
            assert [row.id for row in room.reader.newest(Wanted(), before=None, limit=9)] == [3, 2]

    def test_narrows_by_all_that_is_asked(self, place: Place) -> None:
        place.invoice(1, reg_no="A", fee_category=1)
        place.invoice(2, reg_no="B", fee_category=1)
        place.invoice(3, reg_no="A", fee_category=2)

        with room_at(place.url) as room:

            def found(wanted: Wanted) -> list[int]:
                return [row.id for row in room.reader.newest(wanted, before=None, limit=9)]

            assert found(Wanted(payers=("A", "Z"))) == [3, 1]
            assert found(Wanted(payers=("A",), fee=1)) == [1]
            assert found(Wanted(ids=(2, 3, 9))) == [3, 2]
            assert found(Wanted(ids=())) == []


class TestCodes:
    def test_are_of_people_whose_name_begins_so(self, place: Place) -> None:
        place.student(1, "A", fname="Aline", lname="Uwase")
        place.student(2, "B", fname="Jean", lname="Alinda")
        place.student(3, "C", fname="Salim", lname="100%")
        place.applicant(1, "T", first_name="alice", family_name=None)

        with room_at(place.url) as room:
            assert sorted(room.reader.codes_named("Ali", limit=9)) == ["A", "B", "T"]
            assert room.reader.codes_named("100%", limit=9) == ["C"]
            assert room.reader.codes_named("%lim", limit=9) == []
            assert len(room.reader.codes_named("Ali", limit=2)) == 2


class TestFees:
    def test_in_use_are_those_that_wait_or_failed(self, place: Place) -> None:
        for number, (fee, status) in enumerate(
            ((1, 0), (1, None), (1, 2), (2, 1), (3, 2), (None, 0)), start=1
        ):
            place.invoice(number, fee_category=fee, QuickBk_Status=status)

        with room_at(place.url) as room, statements() as asked:
            assert room.reader.fees_in_use() == {1: (2, 1), 3: (0, 1)}

        assert len(asked) == 1
