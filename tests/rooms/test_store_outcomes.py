"""What became of each send, what people asked of an invoice, and what a kill leaves."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from application.invoices.model import IntentState
from application.store.journal import Former, IllegalEdge, Receipt
from application.store.leases import Lease
from application.store.schema import attempts
from tests.rooms.store_support import (
    AMOUNT,
    DATED,
    KINDS,
    REALM,
    UWASE,
    Rooms,
    actions,
    again,
    customer_of,
    receipt_of,
    refusal_of,
    rooms_on,
    unclear,
    worn_address_on,
)

WRITER = """
import sys
from pathlib import Path
from tests.rooms.store_support import rooms_on

with rooms_on(sys.argv[1], locks=Path(sys.argv[2])) as rooms:
    lease = rooms.lease()
    for number in range(1, 100_000):
        rooms.confirmed([number], lease=lease)
        print(number, flush=True)
"""


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return worn_address_on(request.param, request=request, tmp_path=tmp_path)


@pytest.fixture
def rooms(url: str, tmp_path: Path) -> Iterator[Rooms]:
    with rooms_on(url, locks=tmp_path / "locks") as opened:
        yield opened
        assert opened.audit.verify().intact


@pytest.fixture
def lease(rooms: Rooms) -> Lease:
    return rooms.lease()


class TestReceipt:
    def test_is_kept_with_what_quickbooks_showed(self, rooms: Rooms, lease: Lease) -> None:
        [intent] = rooms.confirmed([1], lease=lease)

        receipt = rooms.journal.receipts_for(REALM.tag, [1, 2])[1]

        assert receipt.facts is not None
        assert (receipt.facts.total, receipt.facts.dated) == (AMOUNT, DATED)
        assert receipt.quickbooks_id == receipt_of(intent).quickbooks_id
        assert receipt.synced_at is None
        assert rooms.journal.any_receipt(REALM.tag)
        assert not rooms.journal.any_receipt("p00000000")

    def test_of_one_sent_anew_is_one_of_how_many(self, rooms: Rooms, lease: Lease) -> None:
        rooms.confirmed([1, 2], lease=lease)
        again = rooms.sent([1], lease=lease, generation=2)
        rooms.journal.confirmed([receipt_of(again[0], quickbooks_id="2001")], lease=lease, by=UWASE)
        rooms.sent([3], lease=lease)

        assert rooms.journal.how_many_receipts(REALM.tag) == 2
        assert rooms.journal.how_many_receipts("p00000000") == 0

    def test_twice_is_written_once(self, rooms: Rooms, lease: Lease) -> None:
        [intent] = rooms.confirmed([1], lease=lease)

        rooms.journal.confirmed([receipt_of(intent)], lease=lease, by=UWASE)

        assert actions(rooms, 1).count("confirmed") == 1

    def test_with_another_id_is_a_fault(self, rooms: Rooms, lease: Lease) -> None:
        [intent] = rooms.confirmed([1], lease=lease)

        with pytest.raises(IllegalEdge):
            rooms.journal.confirmed(
                [receipt_of(intent, quickbooks_id="999")], lease=lease, by=UWASE
            )

    def test_is_noted_as_synced_and_ends_the_claim(self, rooms: Rooms, lease: Lease) -> None:
        rooms.claimed([1], lease=lease)
        rooms.confirmed([1], lease=lease)

        rooms.journal.note_synced([1], lease=lease, by=UWASE)

        assert rooms.journal.receipts_for(REALM.tag, [1])[1].synced_at is not None
        note = rooms.journal.claim_of("fb1.t")
        assert note is not None
        assert note.ended == {1}
        assert actions(rooms, 1) == ["claimed", "intended", "sending", "confirmed", "synced"]

    def test_of_an_unclear_one_settles_it(self, rooms: Rooms, lease: Lease) -> None:
        [intent] = unclear(rooms, lease)

        rooms.journal.confirmed([receipt_of(intent)], lease=lease, by=UWASE)

        assert rooms.journal.unsettled(REALM.tag) == []
        assert again(rooms, intent).unsettled == 0

    def test_of_a_customer_needs_no_amount(self, rooms: Rooms, lease: Lease) -> None:
        [intent] = rooms.journal.intend([customer_of("25/00411/BBA")], lease=lease, by=UWASE)

        rooms.journal.confirmed([Receipt(intent.id, "58", "0")], lease=lease, by=UWASE)

        assert again(rooms, intent).quickbooks_id == "58"
        assert rooms.audit.latest(limit=1)[0].action == "customer.confirmed"


class TestRefusal:
    def test_stands_until_the_invoice_is_confirmed(self, rooms: Rooms, lease: Lease) -> None:
        rooms.journal.refused([refusal_of(1, cause="period_closed")], lease=lease, by=UWASE)
        assert rooms.journal.refusals_for([1])[1].cause == "period_closed"

        rooms.confirmed([1], lease=lease)

        assert rooms.journal.refusals_for([1]) == {}
        assert rooms.journal.refusals_for([1], also_closed=True)[1].cause == "period_closed"

    def test_is_replaced_by_a_newer_one(self, rooms: Rooms, lease: Lease) -> None:
        for cause in ("period_closed", "customer_not_found"):
            rooms.journal.refused([refusal_of(1, cause=cause)], lease=lease, by=UWASE)

        assert rooms.journal.refusals_for([1])[1].cause == "customer_not_found"
        assert [one.cause for one in rooms.journal.causes()] == ["customer_not_found"]

    def test_is_closed_by_a_new_claim_and_stands_again_when_that_comes_to_nothing(
        self, rooms: Rooms, lease: Lease
    ) -> None:
        rooms.journal.refused([refusal_of(1, cause="period_closed")], lease=lease, by=UWASE)
        formers = [Former(1, 2, "feebridge:uwase@s1", "2025-11-22 09:30:15")]
        rooms.journal.note_claim(lease=lease, token="fb1.a", run_id=1, formers=formers, by=UWASE)  # noqa: S106 - a claim's name, not a secret
        assert rooms.journal.refusals_for([1]) == {}

        rooms.journal.released([1], token="fb1.a", lease=lease, by=UWASE)  # noqa: S106 - a claim's name, not a secret

        assert rooms.journal.refusals_for([1])[1].cause == "period_closed"

    def test_stays_closed_when_the_invoice_was_sent_under_the_new_claim(
        self, rooms: Rooms, lease: Lease
    ) -> None:
        rooms.journal.refused([refusal_of(1, cause="period_closed")], lease=lease, by=UWASE)
        formers = [Former(1, 2, None, None)]
        rooms.journal.note_claim(lease=lease, token="fb1.a", run_id=1, formers=formers, by=UWASE)  # noqa: S106 - a claim's name, not a secret
        [intent] = unclear(rooms, lease)
        rooms.journal.absent([intent.id], again=False, lease=lease, by=UWASE)

        rooms.journal.released([1], token="fb1.a", lease=lease, by=UWASE)  # noqa: S106 - a claim's name, not a secret

        assert rooms.journal.refusals_for([1]) == {}

    def test_closes_its_intent(self, rooms: Rooms, lease: Lease) -> None:
        [intent] = rooms.sent([1], lease=lease)

        rooms.journal.refused(
            [refusal_of(1, cause="period_closed", intent=intent)], lease=lease, by=UWASE
        )

        kept = again(rooms, intent)
        assert (kept.state, kept.unsettled, kept.cause) == (
            IntentState.REFUSED,
            0,
            "period_closed",
        )
        assert rooms.intended([1], lease=lease, generation=2)[0].generation == 2

    def test_of_a_confirmed_invoice_is_a_fault(self, rooms: Rooms, lease: Lease) -> None:
        [intent] = rooms.confirmed([1], lease=lease)

        with pytest.raises(IllegalEdge):
            rooms.journal.refused(
                [refusal_of(1, cause="period_closed", intent=intent)], lease=lease, by=UWASE
            )

    def test_by_conflict_is_told_as_such(self, rooms: Rooms, lease: Lease) -> None:
        [intent] = rooms.sent([1], lease=lease)

        rooms.journal.conflict(
            [refusal_of(1, cause="document_conflict", intent=intent)], lease=lease, by=UWASE
        )

        assert again(rooms, intent).state is IntentState.CONFLICT
        assert actions(rooms, 1)[-1] == "conflict"

    def test_are_counted_by_cause(self, rooms: Rooms, lease: Lease) -> None:
        many = [refusal_of(one, cause="customer_not_found") for one in range(1, 9)]
        few = [refusal_of(one, cause="period_closed") for one in (20, 21)]
        rooms.journal.refused(many + few, lease=lease, by=UWASE)

        counts = rooms.journal.causes()

        assert [(one.cause, one.count) for one in counts] == [
            ("customer_not_found", 8),
            ("period_closed", 2),
        ]
        assert counts[0].invoice_ids == (1, 2, 3, 4, 5)
        assert counts[0].first_seen <= rooms.store.now()
        journal = rooms.journal
        assert journal.refused_ids(cause="customer_not_found", after=3, limit=2) == [4, 5]
        assert journal.refused_ids(run_id=1) == [*range(1, 9), 20, 21]
        assert journal.refused_ids(run_id=2) == []
        assert [one.invoice_id for one in rooms.runs.failures(1)] == [*range(1, 9), 20, 21]


class TestHold:
    def test_keeps_an_invoice_out_until_it_is_ended(self, rooms: Rooms) -> None:
        assert rooms.journal.hold(1, reason="asked by the Registry", by=UWASE)
        assert not rooms.journal.hold(1, reason="again", by=UWASE)
        assert rooms.journal.held_ids() == rooms.journal.held_ids([1, 2]) == {1}
        assert rooms.journal.holds([1])[1].reason == "asked by the Registry"

        assert rooms.journal.release_hold(1, by=UWASE)
        assert not rooms.journal.release_hold(1, by=UWASE)

        assert rooms.journal.held_ids() == frozenset()
        assert actions(rooms, 1) == ["held", "hold_ended"]

    def test_writes_no_reason_into_the_log(self, rooms: Rooms) -> None:
        rooms.journal.hold(1, reason="Uwase asked", by=UWASE)

        assert "asked" not in repr(rooms.audit.entries())


class TestTimeline:
    def test_tells_the_whole_story_in_order(self, rooms: Rooms, lease: Lease) -> None:
        rooms.claimed([1], lease=lease)
        unclear(rooms, lease)
        [intent] = rooms.journal.unsettled(REALM.tag)
        rooms.journal.confirmed([receipt_of(intent)], lease=lease, by=UWASE)
        rooms.journal.note_synced([1], lease=lease, by=UWASE)

        told = rooms.journal.timeline(1)

        assert {"invoice.claimed", "attempt", "invoice.unknown", "invoice.synced"} <= {
            one.event for one in told
        }
        assert [one.at for one in told] == sorted(one.at for one in told)
        assert told[-1].quickbooks_id == receipt_of(intent).quickbooks_id

    def test_of_a_lost_row_says_why(self, rooms: Rooms, lease: Lease) -> None:
        rooms.claimed([1, 2], lease=lease)

        rooms.journal.fenced(1, lease=lease, by=UWASE)
        rooms.journal.source_gone(2, lease=lease, by=UWASE)

        assert actions(rooms, 1) == ["claimed", "fenced"]
        assert actions(rooms, 2) == ["claimed", "source_gone"]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is Unix")
class TestKilledWriter:
    @pytest.mark.covers("C4")
    def test_leaves_every_promise_it_made(self, url: str, tmp_path: Path) -> None:
        process = subprocess.Popen(  # noqa: S603 - this Python, a program of this file
            [sys.executable, "-c", WRITER, url, str(tmp_path / "locks")],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        promised = [int(process.stdout.readline()) for _ in range(10)]
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        promised += [int(one) for one in rest.split("\n")[:-1]]

        with rooms_on(url, locks=tmp_path / "locks") as rooms:
            assert rooms.audit.verify().intact
            assert set(rooms.journal.receipts_for(REALM.tag, promised)) == set(promised)
            lease = rooms.lease()
            left = rooms.journal.unsettled(REALM.tag)
            assert len(left) <= 1
            with rooms.store.read() as connection:
                open_ones = connection.execute(
                    select(func.count()).where(attempts.c.open == 1)
                ).scalar_one()
            assert open_ones == len(left)
            rooms.confirmed([200_000], lease=lease)
