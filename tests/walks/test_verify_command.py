"""`feebridge verify` as an auditor calls it: what it prints, how it ends, that it only reads."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from application import wiring
from application.embedded import Place as Surroundings
from tests.proof.figures import PROVING
from tests.rooms.simulator_support import RunningSimulator
from tests.servers import MariaDb
from tests.walks.desk import command
from tests.walks.support import Done
from tests.walks.test_mariadb import GRANTS, PASSWORD, USER
from tests.walks.university import SCALE, University, university
from tests.walks.verify_support import STORE, Place, books_of, copied

EVERY = ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I10", "I12", "I18"]
KILLED_AT = ("attempt.durable", "receipt.durable") + (
    ("plan.frozen", "send.body", "answer.body", "claim.written", "mark.sent") if PROVING else ()
)
FAR_US = 4_000_000_000_000_000


@pytest.fixture
def place(synced_books: Path, tmp_path: Path) -> Iterator[Place]:
    """An installation of one's own with its QuickBooks."""
    copied(synced_books, tmp_path)
    for each in ("keys", "encryption.key"):
        for file in (synced_books / "var").rglob(each):
            target = tmp_path / file.relative_to(synced_books)
            target.parent.mkdir(parents=True, exist_ok=True)
            if file.is_file():
                target.write_bytes(file.read_bytes())
                target.chmod(0o600)
    with books_of(synced_books, tmp_path) as simulator:
        yield Place(tmp_path, simulator)


def verified(place: Place, *words: str) -> Done:
    return command(installed(place), "verify", *words)


def installed(place: Place) -> University:
    return University(place.folder, place.simulator, f"sqlite:///{place.folder / 'mis.db'}")


def database_of(url: str) -> str:
    return url.rsplit("/", maxsplit=1)[-1]


def granted(server: MariaDb, url: str) -> str:
    """Return the address for a user with exactly the documented rights."""
    server.execute(
        f"CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{PASSWORD}'",
        *(grant.format(database_of(url), f"'{USER}'@'%'") for grant in GRANTS),
    )
    return f"mysql://{USER}:{PASSWORD}@127.0.0.1:{server.port}/{database_of(url)}"


class TestCleanBooks:
    def test_end_with_exit_0_and_are_left_as_they_were(self, place: Place) -> None:
        before = place.mis("SELECT * FROM tbl_imvoice ORDER BY id"), place.history()
        seen = len(place.simulator.log())

        done = verified(place)

        assert done.code == 0, done.err
        assert "  I10    Money equal to the cent" in done.out
        assert done.lines[-1] == "No difference found."
        assert "needs 2 reads." in done.err
        assert [line.split()[0] for line in done.lines if line.startswith("  I")] == EVERY
        asked = [one for one in place.simulator.log()[seen:] if "/v3/company/" in one["path"]]
        assert {one["method"] for one in asked} == {"GET"}
        assert place.mis("SELECT * FROM tbl_imvoice ORDER BY id") == before[0]
        new = {line["action"] for line in place.history()[len(before[1]) :]}
        assert all(action.startswith("signin.") for action in new), new


class TestDifferences:
    def test_are_told_with_why_and_do_and_name_nobody(self, place: Place) -> None:
        first, *others = place.ids(1)[:9]
        place.edit(first, delete=True)
        for each in others:
            place.edit(each, total="1.00")
        people = place.mis("SELECT fname, lname, email1, phone1 FROM tbl_personal_ug")

        done = verified(place)

        where = done.lines.index(f"I2: MIS-{first}: it is marked synced and is not in QuickBooks.")
        assert done.code == 8
        assert done.lines[where + 1].startswith("  Why   QuickBooks Id ")
        assert done.lines[where + 2].startswith("  Do    ")
        assert done.lines[-1] == "9 differences in 2 checks."
        shown = {text for row in people for text in row if text and len(text) > 3}
        assert not [text for text in shown if text in done.out]

    def test_come_as_json_too(self, place: Place) -> None:
        one = place.ids(1)[0]
        place.edit(one, total="1.00")

        done = verified(place, "--json")

        content = done.json["data"]
        [finding] = [each for check in content["checks"] for each in check["findings"]]
        assert done.code == 8
        assert [check["code"] for check in content["checks"]] == EVERY
        assert (finding["invoice_id"], finding["number"]) == (one, f"MIS-{one}")
        assert {sums["by"]: sums["differing"] for sums in content["sums"]} == {
            "day": 1,
            "customer": 1,
            "fee": 1,
        }

    def test_are_looked_at_again_before_they_are_told(self, place: Place) -> None:
        one = place.ids(1)[0]
        place.mis("UPDATE tbl_imvoice SET dept = dept + 1 WHERE id = ?", one)

        def mended(words: str) -> None:
            if words.startswith("Looking again at 1 "):
                place.mis("UPDATE tbl_imvoice SET dept = dept - 1 WHERE id = ?", one)

        assert place.report(say=mended).problems == 0
        assert place.found() == set()


class TestWithoutQuickBooks:
    def test_says_what_was_not_checked(self, place: Place) -> None:
        seen = len(place.simulator.log())

        done = verified(place, "--no-quickbooks")

        assert done.code == 0, done.err
        assert len(place.simulator.log()) == seen
        for each in ("I1 ", "I3 ", "I4 "):
            [line] = [one for one in done.lines if one.startswith(f"  {each}")]
            assert line.endswith("not checked: QuickBooks was not asked")
        assert "QuickBooks was not asked" in done.lines[-1]

    def test_still_finds_what_the_history_tells(self, place: Place) -> None:
        one = place.ids(1)[0]
        place.mis("UPDATE tbl_imvoice SET QuickBk_Status = 0 WHERE id = ?", one)

        assert place.found(quickbooks=False) == {("I7", f"MIS-{one}")}


class TestWhatCannotBeRead:
    def test_a_mis_that_is_away(self, place: Place) -> None:
        (place.folder / "mis.db").rename(place.folder / "elsewhere.db")

        assert verified(place).code == 5

    def test_a_quickbooks_that_is_away(self, place: Place) -> None:
        place.simulator.stop()

        assert verified(place).code == 6

    def test_nobody_is_signed_in_for_it(self, place: Place) -> None:
        place.store("DELETE FROM tokens")

        done = verified(place)

        assert done.code == 4
        assert place.store("SELECT COUNT(*) FROM tokens") == [(0,)]

    def test_a_store_that_is_not_there(self, place: Place) -> None:
        (place.folder / STORE).unlink()

        assert verified(place, "--no-quickbooks").code == 1


class TestWhatIsAllowed:
    def test_another_programs_mark_is_listed(self, place: Place) -> None:
        place.mis(
            "INSERT INTO tbl_imvoice (id, reg_no, dept, invoice_date, QuickBk_Status, pushed_by)"
            " VALUES (7000005, 'x', 5, '2026-01-01', 1, 'old tool'),"
            " (7000006, 'x', 5, '2001-01-01', 1, 'old tool')"
        )
        place.seed("MIS-7000005")

        report = place.report(first_day=date(2002, 1, 1))

        assert report.problems == 0
        assert (report.unverified, report.outside) == (1, 1)

    def test_a_retry_of_what_is_synced_is_no_step(self, place: Place) -> None:
        command(installed(place), "retry", str(place.ids(1)[0]))

        assert place.found() == set()

    def test_a_lost_document_may_become_a_conflict_and_be_sent_again(self, place: Place) -> None:
        one = place.ids(1)[0]
        place.edit(one, delete=True)
        place.mis("UPDATE tbl_imvoice SET QuickBk_Status = 0 WHERE id = ?", one)
        conflict = command(installed(place), "single", str(one))
        after_conflict = place.report()

        again = command(installed(place), "retry", str(one))

        assert (conflict.code, after_conflict.problems, after_conflict.conflicts) == (3, 0, 1)
        assert again.code == 0, again.out + again.err
        assert place.found() == set()

    def test_a_document_in_conflict_is_listed(self, place: Place) -> None:
        place.mis(
            "INSERT INTO tbl_imvoice (id, reg_no, fee_category, dept, credit, invoice_date,"
            " QuickBk_Status) SELECT 7000007, reg_no, fee_category, 900, 0, '2026-01-01', 0"
            " FROM tbl_imvoice WHERE id = ?",
            place.ids(1)[0],
        )
        place.seed("MIS-7000007")
        assert command(installed(place), "single", "7000007").code == 3

        report = place.report()

        assert report.problems == 0
        assert report.conflicts == 1

    def test_what_a_sender_holds_is_not_judged(self, place: Place) -> None:
        one, other = place.ids(1)[:2]
        held = "UPDATE tbl_imvoice SET QuickBk_Status = 3, pushed_date = '2020-01-01' WHERE id = ?"
        place.mis(held, one)
        place.mis("UPDATE tbl_imvoice SET QuickBk_Status = 2 WHERE id = ?", other)
        place.store("UPDATE lease_terms SET ended_at = NULL, until = ?", FAR_US)

        report = place.report()

        named = {each.number for check in report.checks.values() for each in check.findings}
        assert report.busy is not None
        assert report.left == 1
        assert named == {f"MIS-{other}"}


@pytest.mark.long
class TestAfterKills:
    def test_nothing_is_a_false_alarm(self, tmp_path: Path) -> None:
        with university(tmp_path, size=36) as place:
            place.settings["BATCH_SIZE"] = "12"
            for gate in KILLED_AT:
                place.run("batch", gate, "2")
            at_once = command(place, "verify")
            place.run("all")

            later = command(place, "verify")

        assert at_once.code == 0, at_once.out
        assert later.code == 0, later.out


class TestServers:
    def test_are_read_as_files_are(
        self, mariadb_server: MariaDb, mariadb_url: str, postgres_url: str, tmp_path: Path
    ) -> None:
        beside = Surroundings(folder=tmp_path, demo=False)
        wiring.make_demo_mis(mariadb_url, profile="fresh", size=30, place=beside)
        url = granted(mariadb_server, mariadb_url)
        with RunningSimulator.start(clock_scale=SCALE, seed_file=beside.seed_file) as simulator:
            place = University(tmp_path, simulator, url, {"STORE_DATABASE_URL": postgres_url})
            assert command(place, "all").code == 3
            clean = command(place, "verify")
            table = f"{database_of(url)}.tbl_imvoice"
            [(one,)] = mariadb_server.execute(
                f"SELECT MIN(id) FROM {table} WHERE QuickBk_Status = 1"  # noqa: S608 - a test's own name
            )
            mariadb_server.execute(
                f"UPDATE {table} SET dept = dept + 1 WHERE id = {one}"  # noqa: S608 - a test's own name
            )

            wrong = command(place, "verify")

        assert clean.code == 0, clean.out + clean.err
        assert wrong.code == 8
        assert [line[:3] for line in wrong.lines if f"MIS-{one}" in line] == ["I10"]
