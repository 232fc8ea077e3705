"""Whole books lost, put back or changed by people; what stands in QuickBooks stays once."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from application.world import Gate
from tests.walks.university import University, university

# QuickBooks takes a second document with one number, and forgets every request at once.
FENCES_DOWN: dict[str, object] = {"duplicate_warning": False, "requestid_ttl_s": 0}
KILLED = -9


def finished(place: University) -> dict[int, int]:
    """Run to the end, and return the statuses of books that agree."""
    code, out, err = place.run("all")
    books = place.look()

    assert code == 0, out + err
    assert books.problems == []
    assert not {0, 3} & set(books.counts), books.counts
    assert place.simulator.violations() == {}
    return books.status


def documents(place: University) -> int:
    """Return how many invoices were ever made, deleted ones too."""
    return len(place.simulator.ledger("Invoice"))


def store_of(place: University) -> Path:
    return place.folder / "var" / "store"


def copied(place: University) -> Path:
    """Copy the MIS and our store, as last night's backup would."""
    backup = place.folder / "backup"
    backup.mkdir()
    shutil.copy(place.folder / "mis.db", backup)
    shutil.copytree(store_of(place), backup / "store")
    return backup


def put_back(place: University, backup: Path, *, mis: bool, store: bool) -> None:
    if mis:
        shutil.copy(backup / "mis.db", place.folder)
    if store:
        shutil.rmtree(store_of(place))
        shutil.copytree(backup / "store", store_of(place))


def told(place: University, statement: str, *values: object) -> list[Any]:
    """Run one statement on the MIS, as another program would."""
    with closing(sqlite3.connect(place.folder / "mis.db")) as mis:
        rows = mis.execute(statement, values).fetchall()
        mis.commit()
    return rows


@pytest.mark.long
class TestAStore:
    @pytest.mark.covers("B7")
    @pytest.mark.parametrize(
        ("gate", "times"), [(Gate.SEND_BODY, "12"), (Gate.RECEIPT_DURABLE, "3")]
    )
    def test_lost_with_invoices_in_hand_makes_no_second_document(
        self, gate: Gate, times: str, tmp_path: Path
    ) -> None:
        with university(tmp_path, size=40, knobs=FENCES_DOWN) as place:
            assert place.run("all", gate.value, times)[0] == KILLED
            assert 3 in place.look().counts
            shutil.rmtree(store_of(place))

            # What is proved absent waits again, as nobody knows its bytes; the next run sends it.
            place.run("all")
            finished(place)

    @pytest.mark.covers("B7", "B8")
    def test_lost_with_its_mis_finds_everything_again(self, tmp_path: Path) -> None:
        with university(tmp_path, size=40, knobs=FENCES_DOWN) as place:
            place.run("connect")
            backup = copied(place)
            before = finished(place)
            sent = documents(place)
            put_back(place, backup, mis=True, store=False)
            shutil.rmtree(store_of(place))

            assert finished(place) == before
            assert documents(place) == sent

    @pytest.mark.covers("B7", "B8")
    def test_of_last_night_with_a_mis_of_last_night_finds_what_came_since(
        self, tmp_path: Path
    ) -> None:
        with university(tmp_path, size=60, knobs=FENCES_DOWN) as place:
            place.settings["BATCH_SIZE"] = "20"
            place.run("batch")
            backup = copied(place)
            before = finished(place)
            sent = documents(place)
            put_back(place, backup, mis=True, store=True)

            assert finished(place) == before
            assert documents(place) == sent


class TestAMis:
    @pytest.mark.covers("B8")
    def test_of_last_night_is_confirmed_from_receipts(self, tmp_path: Path) -> None:
        with university(tmp_path, size=40, knobs=FENCES_DOWN) as place:
            place.run("connect")
            backup = copied(place)
            before = finished(place)
            sent = documents(place)
            put_back(place, backup, mis=True, store=False)

            assert finished(place) == before
            assert documents(place) == sent


def edited(place: University, number: str, **change: object) -> None:
    """Change an invoice in QuickBooks, as a person would."""
    place.simulator.control(
        "POST", "edit", {"entity": "Invoice", "doc_number": number, "change": change}
    )


def causes(place: University) -> dict[int, str]:
    with closing(sqlite3.connect(store_of(place) / "store.db")) as store:
        return dict(
            store.execute("SELECT invoice_id, cause FROM refusals WHERE open = 1").fetchall()
        )


def synced(place: University) -> list[int]:
    return [one for one, status in place.look().status.items() if status == 1]


CHANGES: list[dict[str, object]] = [{"total": "77.00"}, {"void": True}, {"delete": True}]


class TestAPersonInQuickBooks:
    @pytest.mark.covers("E14")
    def test_who_edits_voids_or_deletes_ours_gets_no_second_one(self, tmp_path: Path) -> None:
        with university(tmp_path, size=30, knobs=FENCES_DOWN) as place:
            finished(place)
            sent, before = documents(place), place.look().status
            for one, change in zip(synced(place), CHANGES, strict=False):
                edited(place, f"MIS-{one}", **change)

            assert place.run("all")[0] == 0

            assert place.look().status == before
            assert documents(place) == sent

    @pytest.mark.long
    @pytest.mark.covers("B8", "E14")
    @pytest.mark.parametrize("gate", [None, Gate.CLAIM_WRITTEN])
    def test_who_did_so_to_one_that_waits_again_makes_a_conflict(
        self, gate: Gate | None, tmp_path: Path
    ) -> None:
        with university(tmp_path, size=30, knobs=FENCES_DOWN) as place:
            finished(place)
            sent, changed = documents(place), synced(place)[:3]
            for one, change in zip(changed, CHANGES, strict=True):
                edited(place, f"MIS-{one}", **change)
                told(place, "UPDATE tbl_imvoice SET QuickBk_Status = 0 WHERE id = ?", one)
            if gate is not None:
                assert place.run("all", gate.value, "1")[0] == KILLED

            code, out, err = place.run("all")

            assert code == 0, out + err
            assert {causes(place).get(one) for one in changed} == {"document_conflict"}
            assert {place.look().status[one] for one in changed} == {2}
            assert documents(place) == sent

    @pytest.mark.long
    @pytest.mark.covers("A12", "E14")
    def test_who_deletes_ours_before_its_answer_is_known_is_not_overlooked(
        self, tmp_path: Path
    ) -> None:
        with university(tmp_path, size=30) as place:
            place.settings["BATCH_SIZE"] = "10"
            place.run("batch")
            place.simulator.fault("drop_after_commit", on="invoice", count=1)
            place.simulator.knob(index_lag_s=[150, 150])  # the look at once finds nothing
            place.run("batch")
            place.simulator.knob(index_lag_s=0)
            (unclear,) = [one for one, status in place.look().status.items() if status == 3]
            edited(place, f"MIS-{unclear}", delete=True)
            sent = documents(place)

            # The look-up finds nothing; the same bytes bring the first answer back.
            code, out, err = place.run("all")

            assert code == 0, out + err
            assert place.look().status[unclear] == 2
            assert causes(place)[unclear] == "document_conflict"
            assert place.look().problems == []
            assert documents(place) - sent == len(synced(place)) - sent + 1

    @pytest.mark.covers("E7", "E14")
    def test_who_deletes_ours_hides_no_other_document_from_a_store_that_never_counted(
        self, tmp_path: Path
    ) -> None:
        with university(tmp_path, size=30, knobs=FENCES_DOWN) as place:
            place.settings["BATCH_SIZE"] = "10"
            place.run("batch")
            with closing(sqlite3.connect(store_of(place) / "store.db")) as store, store:
                store.execute("DELETE FROM notes WHERE name LIKE 'cold.%'")
            edited(place, f"MIS-{synced(place)[0]}", delete=True)
            waiting = [one for one, status in place.look().status.items() if status == 0]
            place.simulator.control(
                "POST",
                "seed",
                {
                    "invoices": [
                        {
                            "DocNumber": f"MIS-{one}",
                            "CustomerName": "Somebody else",
                            "Total": "77.00",
                            "TxnDate": "2025-03-03",
                        }
                        for one in waiting[:1]
                    ]
                },
            )

            place.run("all")

            assert place.look().status[waiting[0]] == 2
            assert place.look().documents[f"MIS-{waiting[0]}"] == 1


class TestAPersonInTheMis:
    @pytest.mark.covers("E15")
    def test_who_changes_or_deletes_a_sent_row_sends_nothing(self, tmp_path: Path) -> None:
        with university(tmp_path, size=30, knobs=FENCES_DOWN) as place:
            finished(place)
            sent = documents(place)
            changed, gone = synced(place)[:2]
            told(place, "UPDATE tbl_imvoice SET dept = dept + 1 WHERE id = ?", changed)
            told(place, "DELETE FROM tbl_imvoice WHERE id = ?", gone)
            seen = len(place.simulator.log())

            assert place.run("all")[0] == 0

            posted = [one for one in place.simulator.log()[seen:] if one["method"] == "POST"]
            assert [one for one in posted if one["entity"] in {"invoice", "batch"}] == []
            assert place.look().status[changed] == 1
            assert documents(place) == sent

    @pytest.mark.long
    @pytest.mark.covers("E16")
    @pytest.mark.parametrize("known", [True, False], ids=["receipt kept", "answer lost"])
    def test_who_deletes_a_row_while_it_is_sent_is_told_of_the_orphan(
        self, tmp_path: Path, *, known: bool
    ) -> None:
        with university(tmp_path, size=30) as place:
            place.settings["BATCH_SIZE"] = "10"
            place.run("batch")
            gate = Gate.RECEIPT_DURABLE if known else Gate.UNKNOWN_DURABLE
            if not known:
                place.simulator.fault("drop_after_commit", on="invoice", rate=1)
            assert place.run("all", gate.value, "1")[0] == KILLED
            place.simulator.control("DELETE", "faults")
            gone = in_progress(place, state="confirmed" if known else "unknown")
            told(place, "DELETE FROM tbl_imvoice WHERE id = ?", gone)

            code, out, err = place.run("all")

            books = place.look()
            assert code == 0, out + err
            assert books.problems == [f"MIS-{gone} is in QuickBooks and not in the MIS"]
            assert "invoice.source_gone" in actions(place, gone)
            assert not {0, 3} & set(books.counts)


def in_progress(place: University, *, state: str) -> int:
    """Return an invoice that is claimed and whose promise has come so far."""
    claimed = {one for one, status in place.look().status.items() if status == 3}
    with closing(sqlite3.connect(store_of(place) / "store.db")) as store:
        rows = store.execute("SELECT invoice_id FROM intents WHERE state = ?", (state,)).fetchall()
    return min(claimed & {row[0] for row in rows})


def actions(place: University, invoice_id: int) -> list[str]:
    """Return what the audit log says of an invoice, oldest first."""
    with closing(sqlite3.connect(store_of(place) / "store.db")) as store:
        rows = store.execute(
            "SELECT action FROM audit WHERE subject = ? ORDER BY id", (f"invoice {invoice_id}",)
        ).fetchall()
    return [row[0] for row in rows]


@pytest.mark.long
class TestQuickBooks:
    @pytest.mark.covers("A6")
    def test_that_saves_after_it_stopped_answering_saves_once(self, tmp_path: Path) -> None:
        knobs = FENCES_DOWN | {"late_commit_s": -60}
        with university(tmp_path, size=30, knobs=knobs) as place:
            place.settings["BATCH_SIZE"] = "10"
            place.run("batch")
            place.simulator.fault("hang", on="invoice", count=2)

            finished(place)

    @pytest.mark.covers("E6")
    def test_that_says_our_number_is_taken_by_ours_gives_its_id(self, tmp_path: Path) -> None:
        knobs = {"requestid_ttl_s": 0, "index_lag_s": [300, 300]}
        with university(tmp_path, size=30, knobs=knobs) as place:
            place.settings["BATCH_SIZE"] = "10"
            place.run("batch")
            place.simulator.fault("drop_after_commit", on="invoice", count=2)

            finished(place)

            refused = [one for one in place.simulator.log() if "6140" in one["codes"]]
            assert len(refused) >= 1

    @pytest.mark.covers("E17")
    @pytest.mark.parametrize(
        ("code", "cause"), [("10200", "company_reset"), ("6190", "company_inactive")]
    )
    def test_that_is_no_company_any_more_stops_the_run(
        self, code: str, cause: str, tmp_path: Path
    ) -> None:
        with university(tmp_path, size=30) as place:
            place.settings["BATCH_SIZE"] = "10"
            place.run("batch")
            before = place.look().counts
            place.simulator.fault("refuse", on="any", code=code, rate=1, message="", detail="")

            ended, out, _ = place.run("all")

            assert ended == 0
            assert out.split()[-1] == cause
            assert place.look().counts[1] == before[1]
            assert cause not in causes(place).values()

    @pytest.mark.covers("E19", "G9")
    def test_gets_as_many_documents_as_there_are_invoices_alike_and_few_questions(
        self, tmp_path: Path
    ) -> None:
        with university(tmp_path, size=20) as place:
            finished(place)
            alike(place, synced(place)[0], many=200)
            seen = len(place.simulator.log())

            finished(place)

            books = place.look()
            asked = [one for one in place.simulator.log()[seen:] if one["entity"] == "query"]
            assert len(asked) <= 2
            assert sum(books.status[one] == 1 for one in range(50_001, 50_201)) == 200
            assert all(books.documents[f"MIS-{one}"] == 1 for one in range(50_001, 50_201))


def alike(place: University, invoice_id: int, *, many: int) -> None:
    """Add rows that are like another one but for their ids."""
    columns = [row[1] for row in told(place, "PRAGMA table_info(tbl_imvoice)")]
    rest = ", ".join(f'"{one}"' for one in columns if one not in OF_EACH)
    for number in range(50_001, 50_001 + many):
        told(
            place,
            f"INSERT INTO tbl_imvoice (id, QuickBk_Status, {rest}) "  # noqa: S608 - column names of our own table
            f"SELECT ?, 0, {rest} FROM tbl_imvoice WHERE id = ?",
            number,
            invoice_id,
        )


OF_EACH = frozenset({"id", "QuickBk_Status", "pushed_by", "pushed_date"})
