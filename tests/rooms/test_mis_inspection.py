import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from application.catalogue import ConfigInvalid, MisPermission, MisSchema, MisUnavailable, Stop
from application.invoices.model import AmountRule, Status
from application.mis.reader import CheckLine
from tests.rooms.mis_support import Place, room_at
from tests.servers import HOME, MariaDb

OURS = "fb1.a"
CLERK = "clerk"
SECRET = "clerk-canary-91"  # noqa: S105 - of a user that lives for one test
# The GRANT lines of the administrator's page, word for word.
GRANTS = (
    (
        "SELECT (id, reg_no, fee_category, dept, credit, invoice_date, `date`, comment,"
        " QuickBk_Status, pushed_by, pushed_date),"
        " UPDATE (QuickBk_Status, pushed_by, pushed_date) ON {0}.tbl_imvoice"
    ),
    (
        "SELECT (per_id_ug, reg_no, fname, middlename, lname, email1, email2, phone1, phone2)"
        " ON {0}.tbl_personal_ug"
    ),
    (
        "SELECT (appl_Id, tracking_id, first_name, middlename, family_name, email1, phone1,"
        " camp_id) ON {0}.tbl_online_application"
    ),
    "SELECT (id, name, description) ON {0}.tbl_income_category",
)


@dataclass
class Clerk:
    """A user with exactly the rights of the administrator's page."""

    server: MariaDb
    place: Place
    name: str

    @property
    def url(self) -> str:
        return f"mysql://{CLERK}:{SECRET}@{HOME}:{self.server.port}/{self.name}"

    def may(self, *rights: str) -> None:
        self.server.execute(
            *(f"GRANT {right.format(self.name)} TO '{CLERK}'@'{HOME}'" for right in rights)
        )

    def may_not(self, right: str) -> None:
        self.server.execute(f"REVOKE {right.format(self.name)} FROM '{CLERK}'@'{HOME}'")


@pytest.fixture
def clerk(mariadb_server: MariaDb, server_place: Place) -> Iterator[Clerk]:
    name = server_place.url.rsplit("/", maxsplit=1)[-1]
    mariadb_server.execute(f"CREATE USER '{CLERK}'@'{HOME}' IDENTIFIED BY '{SECRET}'")
    clerk = Clerk(mariadb_server, server_place, name)
    clerk.may(*GRANTS)
    yield clerk
    mariadb_server.execute(f"DROP USER '{CLERK}'@'{HOME}'")


def worst(lines: list[CheckLine], result: str = "fail") -> list[str]:
    return [line.name for line in lines if line.result == result]


class TestTheGrantsOfTheGuide:
    def test_are_enough_for_all_we_do(self, clerk: Clerk) -> None:
        clerk.place.invoice(1)
        clerk.place.student(1, "20230001", fname="Aline")
        clerk.place.put("tbl_income_category", id=1, name="Tuition fee", description="")

        with room_at(clerk.url) as room:
            room.reader.require(writing=True)
            lines = room.reader.check()
            assert room.reader.counts(rule=AmountRule.DEBIT).total == 1
            (row,) = room.reader.rows_of([1])
            assert sorted(room.reader.payers([row.payer])) == ["20230001"]
            assert sorted(room.reader.fees([1])) == [1]
            formers = room.reader.former_of([1])
            assert room.claims.claim([1], token=OURS) == [1]
            assert room.claims.renew([1], token=OURS) == [1]
            assert room.claims.release(formers, token=OURS) == [1]
            room.claims.claim([1], token=OURS)
            assert room.claims.mark([1], token=OURS, status=Status.SYNCED, by="a@s1") == [1]

        assert row.reference_number is None  # not granted, so not read
        assert worst(lines) == []
        assert worst(lines, "warn") == []

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE tbl_imvoice SET dept = 1",
            "UPDATE tbl_imvoice SET comment = 'x', QuickBk_Status = 1",
            "DELETE FROM tbl_imvoice",
            "INSERT INTO tbl_imvoice (id) VALUES (9)",
            "SELECT * FROM tbl_imvoice",
            "SELECT balance FROM tbl_imvoice",
            "UPDATE tbl_personal_ug SET fname = 'x'",
            "DROP TABLE tbl_imvoice",
        ],
    )
    def test_refuse_everything_else(self, clerk: Clerk, statement: str) -> None:
        with (
            room_at(clerk.url) as room,
            pytest.raises(MisPermission) as met,
            room.mis.write() as link,
        ):
            link.exec_driver_sql(statement)

        assert met.value.facts["right"]
        assert SECRET not in repr(met.value.facts)


class TestMissingRights:
    @pytest.mark.covers("B9")
    def test_to_write_are_named_with_the_grant(self, clerk: Clerk) -> None:
        clerk.may_not("UPDATE (pushed_by) ON {0}.tbl_imvoice")

        with room_at(clerk.url) as room:
            room.reader.require(writing=False)
            with pytest.raises(MisPermission) as met:
                room.reader.require(writing=True)
            lines = room.reader.check()

        grant = str(met.value.facts["grant"])
        assert "UPDATE (`QuickBk_Status`, `pushed_by`, `pushed_date`)" in grant
        assert f"`{clerk.name}`.`tbl_imvoice` TO '{CLERK}'@'{HOME}'" in grant
        assert [line.remedy for line in lines if line.result == "fail"] == [grant]

    def test_to_read_are_named_with_the_column(self, clerk: Clerk) -> None:
        clerk.may_not("SELECT (email2) ON {0}.tbl_personal_ug")

        with room_at(clerk.url) as room:
            with pytest.raises(MisPermission) as met:
                room.reader.require(writing=False)
            lines = room.reader.check()

        assert met.value.facts["right"] == "SELECT on tbl_personal_ug.email2"
        assert worst(lines) == ["tbl_personal_ug.email2"]

    def test_are_mended_by_the_grant_that_is_printed(self, clerk: Clerk) -> None:
        clerk.may_not("UPDATE (pushed_by) ON {0}.tbl_imvoice")
        with room_at(clerk.url) as room:
            (grant,) = (line.remedy for line in room.reader.check() if line.result == "fail")

        clerk.server.execute(str(grant))

        with room_at(clerk.url) as room:
            room.reader.require(writing=True)


class TestMoreRightsThanNeeded:
    def test_are_listed_and_stop_nothing(self, clerk: Clerk) -> None:
        clerk.may("DELETE ON {0}.tbl_imvoice", "UPDATE (dept) ON {0}.tbl_imvoice")

        with room_at(clerk.url) as room:
            room.reader.require(writing=True)
            (line,) = (line for line in room.reader.check() if line.name == "Rights")

        assert line.result == "warn"
        assert "DELETE on tbl_imvoice" in line.text
        assert "dept" in line.text


class TestColumns:
    @pytest.mark.covers("B12")
    @pytest.mark.parametrize(
        ("table", "column"),
        [("tbl_imvoice", "credit"), ("tbl_personal_ug", "lname"), ("tbl_income_category", "name")],
    )
    def test_that_are_missing_are_named(self, place: Place, table: str, column: str) -> None:
        if place.sqlite:  # which keeps a column that an index names
            place.run("DROP INDEX ix_fb_amounts")
        place.run(f"ALTER TABLE {table} DROP COLUMN {column}")

        with room_at(place.url) as room:
            with pytest.raises(MisSchema) as met:
                room.reader.require(writing=False)
            lines = room.reader.check()

        assert met.value.facts == {"table": table, "column": column}
        assert worst(lines) == [f"{table}.{column}"]

    def test_of_a_missing_table_are_all_named(self, place: Place) -> None:
        place.run("DROP TABLE tbl_income_category")

        with room_at(place.url) as room:
            with pytest.raises(MisSchema):
                room.reader.require(writing=False)
            lines = room.reader.check()

        assert worst(lines) == [
            f"tbl_income_category.{name}" for name in ("id", "name", "description")
        ]

    @pytest.mark.covers("B12", "G1")
    def test_that_hold_amounts_as_text_are_refused(self, mariadb_url: str) -> None:
        place = Place(mariadb_url, kind="innodb", money="varchar(200)")

        with room_at(place.url) as room, pytest.raises(MisSchema) as met:
            room.reader.require(writing=False)

        assert met.value.facts == {"table": "tbl_imvoice", "column": "dept"}

    @pytest.mark.covers("B12")
    @pytest.mark.parametrize(
        ("changed", "column"),
        [
            ("pushed_by varchar(119)", "pushed_by"),
            ("QuickBk_Status varchar(9)", "QuickBk_Status"),
            ("invoice_date varchar(30)", "invoice_date"),
        ],
    )
    def test_that_could_not_hold_ours_are_refused(
        self, server_place: Place, changed: str, column: str
    ) -> None:
        server_place.run(f"ALTER TABLE tbl_imvoice MODIFY {changed}")

        with room_at(server_place.url) as room, pytest.raises(MisSchema) as met:
            room.reader.require(writing=True)

        assert met.value.facts["column"] == column

    def test_too_short_for_a_claim_may_still_be_read(self, server_place: Place) -> None:
        server_place.run("ALTER TABLE tbl_imvoice MODIFY pushed_by varchar(119)")

        with room_at(server_place.url) as room:
            room.reader.require(writing=False)

    @pytest.mark.covers("B13")
    def test_of_float_are_a_warning(self, mariadb_url: str) -> None:
        place = Place(mariadb_url, kind="myisam", money="FLOAT")

        with room_at(place.url) as room:
            (line,) = (line for line in room.reader.check() if line.name == "Amounts")

        assert "dept, credit" in line.text


class TestIds:
    @pytest.mark.covers("B12")
    def test_that_repeat_are_refused(self, server_place: Place) -> None:
        server_place.run("ALTER TABLE tbl_imvoice MODIFY id int NULL, DROP PRIMARY KEY")
        server_place.invoice(1)
        with room_at(server_place.url) as room:
            room.reader.require(writing=True)
            assert "tbl_imvoice.id" in worst(room.reader.check(), "warn")
        server_place.invoice(1)

        with room_at(server_place.url) as room, pytest.raises(MisSchema) as met:
            room.reader.require(writing=True)

        assert met.value.facts == {"table": "tbl_imvoice", "column": "id"}


class TestReadOnly:
    @pytest.mark.covers("B9", "B10")
    def test_server_refuses_writing_and_is_read_on(
        self, mariadb_server: MariaDb, clerk: Clerk
    ) -> None:
        clerk.place.invoice(1)
        mariadb_server.execute("SET GLOBAL read_only = 1")
        try:
            with room_at(clerk.url) as room:
                room.reader.require(writing=False)
                with pytest.raises(MisPermission) as met:
                    room.reader.require(writing=True)
                lines = room.reader.check()
                with pytest.raises(MisPermission):
                    room.claims.claim([1], token=OURS)
        finally:
            mariadb_server.execute("SET GLOBAL read_only = 0")

        assert "read-only" in str(met.value.facts["right"])
        assert worst(lines) == ["Writing"]


class TestAdvice:
    def test_names_engine_collation_and_missing_indexes(self, server_place: Place) -> None:
        server_place.run("DROP INDEX ix_fb_status ON tbl_imvoice")

        with room_at(server_place.url) as room:
            lines = room.reader.check()

        engine = {"innodb": "InnoDB", "myisam": "MyISAM"}[server_place.kind]
        told = [line.text for line in lines if line.name == "tbl_imvoice"]
        assert any(text.startswith(f"{engine}, utf8mb4") for text in told)
        (index,) = (line for line in lines if line.name == "tbl_imvoice.QuickBk_Status")
        assert "CREATE INDEX ix_fb_status" in str(index.remedy)

    def test_of_a_file_is_short(self, file_place: Place) -> None:
        with room_at(file_place.url) as room:
            lines = room.reader.check()

        assert {line.result for line in lines} == {"ok"}


class TestOpening:
    @pytest.mark.parametrize(
        ("url", "refused"),
        [
            ("no address", ConfigInvalid),
            ("postgresql://a@b/c", ConfigInvalid),
            ("mysql://a@b", ConfigInvalid),
            ("sqlite://", ConfigInvalid),
            ("mysql://a:secret-canary@127.0.0.1:1/c", MisUnavailable),
        ],
    )
    def test_refuses_what_it_cannot_use(self, url: str, refused: type[Stop]) -> None:
        with pytest.raises(refused) as met, room_at(url) as room:
            room.reader.highest_id()

        assert "secret-canary" not in repr(met.value.facts)

    def test_never_makes_a_file(self, file_place: Place) -> None:
        missing = f"{file_place.url}.missing"

        with pytest.raises(MisUnavailable), room_at(missing) as room:
            room.reader.highest_id()

    def test_misses_a_file_that_is_taken_away_while_it_is_open(self, file_place: Place) -> None:
        file_place.invoice(1)
        away = file_place.path.with_suffix(".away")
        with room_at(file_place.url) as room:
            before = room.reader.highest_id()
            file_place.path.rename(away)
            with pytest.raises(MisUnavailable):
                room.reader.highest_id()
            away.rename(file_place.path)

            assert room.reader.highest_id() == before == 1

    def test_reads_the_file_that_took_its_place(self, file_place: Place) -> None:
        file_place.invoice(1)
        newer = Path(shutil.copy(file_place.path, file_place.path.with_suffix(".new")))
        file_place.invoice(2)  # into the one that will be gone
        with room_at(file_place.url) as room:
            before = room.reader.highest_id()
            newer.replace(file_place.path)

            assert (before, room.reader.highest_id()) == (2, 1)

    def test_misses_a_file_that_vanished(self, file_place: Place) -> None:
        with room_at(file_place.url) as room:
            file_place.path.rename(file_place.path.with_suffix(".away"))
            with pytest.raises(MisUnavailable):
                room.reader.highest_id()
            assert not file_place.path.exists()

    def test_of_the_wrong_password_says_so(self, clerk: Clerk) -> None:
        wrong = clerk.url.replace(SECRET, "wrong-canary-5")

        with room_at(wrong) as room, pytest.raises(MisUnavailable) as met:
            room.reader.highest_id()

        detail = str(met.value.facts["detail"])
        assert "Access denied" in detail
        assert "wrong-canary-5" not in detail

    def test_has_a_name_and_a_key_without_secrets(self, clerk: Clerk) -> None:
        with room_at(clerk.url) as room, room_at(clerk.place.url) as other:
            assert room.mis.name == f"{clerk.name}@{HOME}:{clerk.server.port}"
            assert room.mis.key == other.mis.key  # the same MIS, whoever signs in
            assert len(room.mis.key) == 64
