from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import sqlalchemy as sql

from application.catalogue import MisPermission, MisUnavailable
from application.invoices.model import Status
from application.mis.claims import TokenUnusable
from application.mis.reader import ClaimedRow, Former
from application.world import Gate, World
from tests.rooms.mis_support import Place, QuickClock, room_at, statements
from tests.servers import MariaDb

OURS, OTHER = "fb1.a", "fb1.b"
BY = "feebridge:officer1@s1a2b3c4d"


class TestClaim:
    @pytest.mark.covers("A1", "B16")
    def test_takes_what_waits_and_nothing_else(self, place: Place) -> None:
        for number, status in enumerate((0, None, 1, 2, 3, 7), start=1):
            place.invoice(number, QuickBk_Status=status, pushed_by="somebody")

        with room_at(place.url) as room:
            won = room.claims.claim([1, 2, 3, 4, 5, 6, 99], token=OURS)

        assert won == [1, 2]
        assert place.three(1)[:2] == (3, OURS)
        assert [place.three(number)[1] for number in (3, 4, 5, 6)] == ["somebody"] * 4

    def test_takes_failed_rows_whose_cause_is_gone(self, place: Place) -> None:
        for number in (1, 2, 3):
            place.invoice(number, QuickBk_Status=2)
        place.invoice(4, QuickBk_Status=1)

        with room_at(place.url) as room:
            won = room.claims.claim([1, 2, 4], token=OURS, cause_gone={2, 3, 4})

        assert won == [2]

    def test_of_one_statement_needs_no_second_look(self, place: Place) -> None:
        place.invoice(1)
        with room_at(place.url) as room:
            room.reader.highest_id()
            with statements() as asked:
                room.claims.claim([1], token=OURS)

        assert len(asked) == 1

    def test_asked_again_tells_what_the_first_call_won(self, place: Place) -> None:
        for number in range(1, 6):
            place.invoice(number)

        with room_at(place.url) as room:
            first = room.claims.claim([1, 2, 3], token=OURS)
            again = room.claims.claim([1, 2, 3, 4], token=OURS)
            other = room.claims.claim([1, 2, 3, 4, 5], token=OTHER)

        assert (first, again, other) == ([1, 2, 3], [1, 2, 3, 4], [5])

    def test_stamps_the_time_of_the_database_in_utc(self, place: Place) -> None:
        place.invoice(1)

        with room_at(place.url) as room:
            room.claims.claim([1], token=OURS)
            (row,) = room.reader.in_progress(after=0, limit=1)
            assert row.pushed_at is not None
            assert abs((room.world.clock.now() - row.pushed_at).total_seconds()) < 60

    def test_passes_its_gates_just_after_the_effect(self, place: Place) -> None:
        place.invoice(1)
        passed: list[tuple[Gate, int]] = []
        world = World(
            clock=QuickClock(), gate=lambda gate: passed.append((gate, place.three(1)[0]))
        )

        with room_at(place.url, world=world) as room:
            room.claims.claim([1, 2], token=OURS)
            room.claims.mark([1], token=OURS, status=Status.SYNCED, by=BY)

        assert passed == [
            (Gate.CLAIM_WRITTEN, 3),
            (Gate.CLAIM_REREAD, 3),
            (Gate.MARK_SENT, 3),
            (Gate.MARK_COMMITTED, 1),
        ]

    @pytest.mark.parametrize("token", ["", "x" * 121, "fb1.é"])
    def test_refuses_a_token_a_column_could_change(self, place: Place, token: str) -> None:
        with room_at(place.url) as room, pytest.raises(TokenUnusable):
            room.claims.claim([1], token=token)

    def test_of_nothing_asks_nothing(self, place: Place) -> None:
        with room_at(place.url) as room, statements() as asked:
            assert room.claims.claim([], token=OURS) == []

        assert asked == []


class TestRace:
    @pytest.mark.covers("A1", "B11", "C1")
    def test_of_eight_gives_each_row_one_winner(self, server_place: Place) -> None:
        place = server_place
        rows = ", ".join(f"({number}, 0)" for number in range(1, 501))
        place.run(f"INSERT INTO tbl_imvoice (id, QuickBk_Status) VALUES {rows}")  # noqa: S608 - ours
        start = Barrier(8)

        def racer(name: int) -> list[int]:
            with room_at(place.url) as room:
                room.reader.highest_id()
                start.wait()
                won: list[int] = []
                for first in range(1, 501, 50):
                    page = list(range(first, first + 50))
                    won += room.claims.claim(page, token=f"fb1.{name}")
                return won

        with ThreadPoolExecutor(8) as pool:
            wins = list(pool.map(racer, range(8)))

        assert sorted(one for won in wins for one in won) == list(range(1, 501))
        for name, won in enumerate(wins):
            held = place.run(f"SELECT id FROM tbl_imvoice WHERE pushed_by = 'fb1.{name}'")  # noqa: S608 - ours
            assert sorted(row[0] for row in held) == won


class TestMark:
    @pytest.mark.covers("A1", "B11")
    @pytest.mark.parametrize("status", [Status.SYNCED, Status.FAILED])
    def test_ends_our_own_claims_only(self, place: Place, status: Status) -> None:
        for number in range(1, 5):
            place.invoice(number)

        with room_at(place.url) as room:
            room.claims.claim([1, 2], token=OURS)
            room.claims.claim([3], token=OTHER)
            hit = room.claims.mark([1, 2, 3, 4, 99], token=OURS, status=status, by=BY)

        assert hit == [1, 2]
        assert place.three(1)[:2] == (status, BY)
        assert place.three(3)[:2] == (3, "fb1.b")
        assert place.three(4)[0] == 0

    def test_asked_again_is_done(self, place: Place) -> None:
        place.invoice(1)

        with room_at(place.url) as room:
            room.claims.claim([1], token=OURS)
            room.claims.mark([1], token=OURS, status=Status.SYNCED, by=BY)
            again = room.claims.mark([1], token=OURS, status=Status.SYNCED, by=BY)

        assert again == [1]

    @pytest.mark.covers("B15")
    def test_makes_any_name_fit_and_keeps_the_company(self, place: Place) -> None:
        place.invoice(1)

        with room_at(place.url) as room:
            room.claims.claim([1], token=OURS)
            room.claims.mark([1], token=OURS, status=Status.SYNCED, by="é" * 200 + "@s1a2b3c4d")

        mark = place.three(1)[1]
        assert len(mark) == 120
        assert mark.isascii()
        assert mark.endswith("@s1a2b3c4d")


class TestTakeOver:
    @pytest.mark.covers("A1")
    def test_names_the_token_it_replaces(self, place: Place) -> None:
        for number, by in enumerate((None, "old-sync", "fb1.x"), start=1):
            place.invoice(number, QuickBk_Status=3, pushed_by=by)
        rows = [
            ClaimedRow(1, None, None),
            ClaimedRow(2, "old-sync", None),
            ClaimedRow(3, "fb1.other", None),
        ]

        with room_at(place.url) as room:
            won = room.claims.take_over(rows, token=OURS)

        assert won == [1, 2]
        assert place.three(3)[:2] == (3, "fb1.x")


class TestRenew:
    def test_gives_our_claims_a_new_time(self, place: Place) -> None:
        for number, by in ((1, "fb1.a"), (2, "fb1.b")):
            place.invoice(number, QuickBk_Status=3, pushed_by=by, pushed_date="2020-01-01 00:00:00")

        with room_at(place.url) as room:
            assert room.claims.renew([1, 2], token=OURS) == [1]
            assert room.claims.renew([1], token=OURS) == [1]

        assert place.three(1)[2] > "2026"
        assert place.three(2)[2] == "2020-01-01 00:00:00"


class TestRelease:
    @pytest.mark.parametrize(
        ("status", "by", "pushed"),
        [
            (0, None, None),
            (None, None, None),
            (0, "feebridge:a@s1", "2026-01-02 03:04:05"),
            (2, "old-sync", "2026-01-02 03:04:05"),
            (None, "Zoë \N{PARTY POPPER}", "0000-00-00 00:00:00"),
        ],
    )
    def test_gives_back_exactly_what_was(
        self, place: Place, status: int | None, by: str | None, pushed: str | None
    ) -> None:
        place.invoice(1, QuickBk_Status=status, pushed_by=by, pushed_date=pushed)
        before = place.three(1)

        with room_at(place.url) as room:
            formers = room.reader.former_of([1])
            assert room.claims.claim([1], token=OURS, cause_gone=[1]) == [1]
            freed = room.claims.release(formers, token=OURS)

        assert freed == [1]
        assert place.three(1) == before

    def test_keeps_fractions_of_a_second(self, mariadb_url: str) -> None:
        place = Place(mariadb_url, kind="innodb")
        place.run("ALTER TABLE tbl_imvoice MODIFY pushed_date datetime(6)")
        place.invoice(1, pushed_date="2026-01-02 03:04:05.678901")
        before = place.three(1)

        with room_at(place.url) as room:
            formers = room.reader.former_of([1])
            room.claims.claim([1], token=OURS)
            room.claims.release(formers, token=OURS)

        assert place.three(1) == before

    def test_leaves_what_is_no_longer_ours(self, place: Place) -> None:
        place.invoice(1, QuickBk_Status=3, pushed_by="fb1.b")

        with room_at(place.url) as room:
            freed = room.claims.release([Former(1, 0, None, None)], token=OURS)

        assert freed == []
        assert place.three(1)[:2] == (3, "fb1.b")

    def test_of_a_page_alike_is_one_statement(self, place: Place) -> None:
        for number in range(1, 51):
            place.invoice(number)

        with room_at(place.url) as room:
            formers = room.reader.former_of(list(range(1, 51)))
            room.claims.claim(list(range(1, 51)), token=OURS)
            with statements() as asked:
                room.claims.release(formers, token=OURS)

        assert len(asked) == 1


class TestEveryChange:
    def test_leaves_all_but_three_columns_alone(self, place: Place) -> None:
        place.student(1, "20230001", fname="Aline")
        place.put("tbl_income_category", id=1, name="Tuition fee", description="")
        for number in range(1, 7):
            place.invoice(number, dept="33333.3333", comment="é" * number, balance="1,200.50")
        before = place.untouched()

        with room_at(place.url) as room:
            formers = room.reader.former_of([1, 2, 3, 4, 5, 6])
            room.claims.claim([1, 2, 3, 4, 5, 6], token=OURS)
            room.claims.renew([1], token=OURS)
            room.claims.mark([1], token=OURS, status=Status.SYNCED, by=BY)
            room.claims.mark([2], token=OURS, status=Status.FAILED, by=BY)
            room.claims.take_over(room.reader.in_progress(after=2, limit=2), token=OTHER)
            room.claims.release(formers, token=OURS)

        assert place.untouched() == before


class TestTroubles:
    @pytest.mark.covers("B2")
    def test_of_a_busy_file_are_waited_out_five_times(self, file_place: Place) -> None:
        place = file_place
        place.invoice(1)
        clock = QuickClock()

        with place.engine.connect() as link:
            link.exec_driver_sql("BEGIN IMMEDIATE")
            with (
                room_at(place.url, world=World(clock=clock), lock_wait_s=0) as room,
                pytest.raises(MisUnavailable) as met,
            ):
                room.claims.claim([1], token=OURS)

        assert "locked" in str(met.value.facts["detail"])
        assert len(clock.waits_ms) == 5
        assert place.three(1)[0] == 0

    @pytest.mark.covers("B2")
    def test_of_a_locked_row_are_waited_out_and_nothing_half_done(self, mariadb_url: str) -> None:
        place = Place(mariadb_url, kind="innodb")
        for number in (1, 2, 3):
            place.invoice(number)
        clock = QuickClock()

        with place.engine.connect() as link:
            link.exec_driver_sql("SELECT * FROM tbl_imvoice WHERE id = 2 FOR UPDATE")
            with (
                room_at(place.url, world=World(clock=clock), lock_wait_s=0) as room,
                pytest.raises(MisUnavailable),
            ):
                room.claims.claim([1, 2, 3], token=OURS)

        assert len(clock.waits_ms) == 5
        assert [place.three(number)[0] for number in (1, 2, 3)] == [0, 0, 0]

    @pytest.mark.covers("B4")
    def test_of_a_server_that_went_away_end_a_write_and_mend_a_read(
        self, mariadb_server: MariaDb
    ) -> None:
        place = Place(mariadb_server.new_database(), kind="innodb")
        place.invoice(1)

        with room_at(place.url) as room:
            assert room.reader.highest_id() == 1
            mariadb_server.kill()
            with pytest.raises(MisUnavailable) as met:
                room.claims.claim([1], token=OURS)
            mariadb_server.start()
            assert room.reader.highest_id() == 1
            assert room.claims.claim([1], token=OURS) == [1]

        assert "tester-canary" not in repr(met.value.facts)

    @pytest.mark.covers("B5")
    def test_of_a_server_without_a_free_connection_claim_nothing(
        self, mariadb_server: MariaDb
    ) -> None:
        address = sql.make_url(mariadb_server.new_database())
        place = Place(address.render_as_string(hide_password=False), kind="innodb")
        place.invoice(1)
        mariadb_server.execute(
            "CREATE USER 'narrow'@'%' IDENTIFIED BY 'narrow-only' WITH MAX_USER_CONNECTIONS 1",
            f"GRANT ALL ON {address.database}.* TO 'narrow'@'%'",
        )
        narrow = address.set(username="narrow", password="narrow-only")  # noqa: S106 - of a private server
        url = narrow.render_as_string(hide_password=False)

        with (
            room_at(url) as first,
            first.mis.read(),
            room_at(url) as second,
            pytest.raises(MisUnavailable),
        ):
            second.claims.claim([1], token=OURS)
        assert place.three(1)[0] == 0

        with room_at(url) as room:
            assert room.claims.claim([1], token=OURS) == [1]

    @pytest.mark.covers("B3")
    def test_of_a_connection_cut_in_use_mend_a_read(self, mariadb_server: MariaDb) -> None:
        place = Place(mariadb_server.new_database(), kind="innodb")
        place.invoice(1)
        cut: list[str] = []

        with room_at(place.url) as room:

            def work(link: object) -> int:
                number = link.exec_driver_sql("SELECT CONNECTION_ID()").scalar()  # type: ignore[attr-defined]  # any connection
                if not cut:
                    cut.append(str(number))
                    mariadb_server.execute(f"KILL {number}")
                return int(link.exec_driver_sql("SELECT MAX(id) FROM tbl_imvoice").scalar())  # type: ignore[attr-defined]  # as above

            assert room.mis.reading(work) == 1
            cut.clear()
            with pytest.raises(MisUnavailable):
                room.mis.writing(work)

    @pytest.mark.covers("B9")
    def test_of_a_file_nobody_may_write_name_the_right(self, file_place: Place) -> None:
        place = file_place
        place.invoice(1)

        with room_at(place.url) as room:
            with room.mis.read() as link:
                link.exec_driver_sql("PRAGMA query_only = ON")
            with pytest.raises(MisPermission) as met:
                room.claims.claim([1], token=OURS)

        assert "read-only" in str(met.value.facts["right"])
