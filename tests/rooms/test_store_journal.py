"""Claims, intents, attempts and what became of them, each with its line in the log."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from application.invoices.model import IntentState, Kind
from application.store.journal import Former, IllegalEdge, NewIntent, Send
from application.store.leases import Lease
from tests.rooms.store_support import (
    KINDS,
    REALM,
    UWASE,
    Rooms,
    actions,
    again,
    customer_of,
    rooms_on,
    unclear,
    wanted_of,
    worn_address_on,
)


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


class TestClaim:
    def test_comes_back_with_what_the_rows_said_before(self, rooms: Rooms, lease: Lease) -> None:
        formers = [
            Former(1, None, None, None),
            Former(2, 2, "old\0 mark \ud83c 'x'", "2025-11-22 09:30:15"),
        ]
        rooms.journal.note_claim(lease=lease, token="fb1.a", run_id=7, formers=formers, by=UWASE)  # noqa: S106 - a claim's name, not a secret

        note = rooms.journal.claim_of("fb1.a")

        assert note is not None
        assert (list(note.formers), note.lease_ulid, note.run_id) == (formers, lease.ulid, 7)
        assert note.ended == frozenset()

    def test_of_a_strange_token_is_none(self, rooms: Rooms) -> None:
        assert rooms.journal.claim_of("qb_sync_batch_12") is None

    def test_is_one_line_for_all_its_invoices(self, rooms: Rooms, lease: Lease) -> None:
        rooms.claimed(range(1, 31), lease=lease)

        assert rooms.audit.entries(invoice_id=1) == rooms.audit.entries(invoice_id=30)
        assert len(rooms.audit.entries(action="invoice.claimed")) == 1

    def test_ends_for_the_rows_it_did_not_get(self, rooms: Rooms, lease: Lease) -> None:
        rooms.claimed([1, 2, 3], lease=lease)

        rooms.journal.end_claim("fb1.t", [2])
        rooms.journal.end_claim("fb1.t", [2])

        note = rooms.journal.claim_of("fb1.t")
        assert note is not None
        assert note.ended == {2}
        assert actions(rooms, 2) == ["claimed", "not_claimed"]

    def test_of_a_dead_sender_is_found_until_it_is_ended(self, rooms: Rooms, lease: Lease) -> None:
        rooms.claimed([1], lease=lease)
        assert rooms.journal.open_claims(REALM.tag) == []
        rooms.leases.release(lease)

        [note] = rooms.journal.open_claims(REALM.tag)
        rooms.journal.end_claim(note.token, [1])

        assert note.token == "fb1.t"  # noqa: S105 - a claim's name, not a secret
        assert rooms.journal.open_claims(REALM.tag) == []


class TestIntent:
    def test_is_frozen_with_its_bytes_and_facts(self, rooms: Rooms, lease: Lease) -> None:
        wanted = wanted_of(1, payload=b'{"Line":[{"Amount":450000.00}]}')

        [intent] = rooms.journal.intend([wanted], lease=lease, by=UWASE)

        assert intent.payload == wanted.payload
        assert intent.facts == wanted.facts
        assert (intent.state, intent.sends, intent.unsettled) == (IntentState.INTENDED, 0, 0)
        assert len(intent.payload_sha256) == 64
        assert rooms.journal.intents_of(REALM.tag, kind=Kind.INVOICE, keys=["MIS-1", "MIS-2"]) == {
            "MIS-1": intent
        }

    def test_asked_for_again_is_the_same_one(self, rooms: Rooms, lease: Lease) -> None:
        first = rooms.intended([1, 2], lease=lease)

        assert rooms.intended([2, 1], lease=lease) == first[::-1]
        assert actions(rooms, 1) == ["intended"]

    def test_that_was_never_sent_is_rebuilt_in_place(self, rooms: Rooms, lease: Lease) -> None:
        [first] = rooms.intended([1], lease=lease)
        changed = wanted_of(1, payload=b'{"changed":1}', generation=1)

        [second] = rooms.journal.intend([changed], lease=lease, by=UWASE)

        assert (second.id, second.payload) == (first.id, b'{"changed":1}')
        assert actions(rooms, 1) == ["intended", "intended"]

    def test_that_was_sent_never_changes_its_bytes(self, rooms: Rooms, lease: Lease) -> None:
        [intent] = rooms.sent([1], lease=lease)
        rooms.journal.passed([intent.id], lease=lease, by=UWASE)

        with pytest.raises(IllegalEdge):
            rooms.journal.intend([wanted_of(1, payload=b"other")], lease=lease, by=UWASE)

    def test_whose_sends_were_refused_gives_way_to_the_next_generation(
        self, rooms: Rooms, lease: Lease
    ) -> None:
        [first] = rooms.sent([1], lease=lease)
        rooms.journal.passed([first.id], lease=lease, by=UWASE)

        [second] = rooms.intended([1], lease=lease, generation=2)

        assert again(rooms, first).state is IntentState.ABSENT
        assert (second.generation, second.request_id != first.request_id) == (2, True)

    @pytest.mark.parametrize("generation", [1, 2])
    def test_that_is_unclear_cannot_be_replaced(
        self, rooms: Rooms, lease: Lease, generation: int
    ) -> None:
        rooms.sent([1], lease=lease)
        wanted = wanted_of(1, payload=b"other", generation=generation)

        with pytest.raises(IllegalEdge):
            rooms.journal.intend([wanted], lease=lease, by=UWASE)

    def test_that_is_finished_needs_a_higher_generation(self, rooms: Rooms, lease: Lease) -> None:
        rooms.confirmed([1], lease=lease)

        with pytest.raises(IllegalEdge):
            rooms.intended([1], lease=lease)

        assert rooms.intended([1], lease=lease, generation=2)[0].generation == 2

    def test_without_a_body_leaves_an_unclear_one_alone(self, rooms: Rooms, lease: Lease) -> None:
        [sent] = rooms.sent([1], lease=lease)

        [watched] = rooms.journal.intend(
            [wanted_of(1, generation=2, payload=b"")], lease=lease, by=UWASE
        )

        assert watched == again(rooms, sent)

    def test_in_two_companies_is_two(self, rooms: Rooms, lease: Lease) -> None:
        one = wanted_of(1)
        other = NewIntent(
            realm_tag="p00000000",
            kind=one.kind,
            key=one.key,
            generation=1,
            request_id=one.request_id,
            payload=one.payload,
            source_sha256=one.source_sha256,
            invoice_id=1,
            facts=None,
        )

        intents = rooms.journal.intend([one, other], lease=lease, by=UWASE)

        assert intents[0].id != intents[1].id

    def test_keys_differ_by_letter_case(self, rooms: Rooms, lease: Lease) -> None:
        wanted = [customer_of(code) for code in ("25/00411/BBA", "25/00411/bba", "25/00411/BBÁ")]

        intents = rooms.journal.intend(wanted, lease=lease, by=UWASE)

        assert len({one.id for one in intents}) == 3


class TestAttempt:
    def test_is_counted_and_dated(self, rooms: Rooms, lease: Lease) -> None:
        [intent] = rooms.sent([1], lease=lease)

        assert (intent.state, intent.sends, intent.unsettled) == (IntentState.SENDING, 1, 1)
        assert intent.first_sent_at == intent.last_sent_at
        assert intent.last_sent_at is not None
        assert rooms.journal.unsettled(REALM.tag) == [intent]
        assert actions(rooms, 1)[-1] == "sending"

    def test_of_a_bundle_keeps_lane_and_place(self, rooms: Rooms, lease: Lease) -> None:
        intents = rooms.intended(range(1, 31), lease=lease)
        sends = [
            Send(one.id, "batch", bundle_id="fb00", place=f"i{n:02}")
            for n, one in enumerate(intents)
        ]

        ids = rooms.journal.attempt(sends, lease=lease, by=UWASE)

        assert len(set(ids)) == 30
        assert all(one.in_bundle for one in rooms.journal.unsettled(REALM.tag))
        [sent] = [one for one in rooms.journal.timeline(30) if one.event == "attempt"]
        assert (sent.lane, sent.outcome, sent.attempt) == ("batch", "open", 1)

    def test_of_the_same_bundle_again_is_allowed_whole_and_not_otherwise(
        self, rooms: Rooms, lease: Lease
    ) -> None:
        intents = rooms.intended([1, 2], lease=lease)
        sends = [Send(one.id, "batch", bundle_id="fb00", place=None) for one in intents]
        rooms.journal.attempt(sends, lease=lease, by=UWASE)
        rooms.journal.passed([one.id for one in intents], lease=lease, by=UWASE)

        rooms.journal.attempt(sends, lease=lease, by=UWASE)
        rooms.journal.passed([one.id for one in intents], lease=lease, by=UWASE)

        with pytest.raises(IllegalEdge):
            rooms.journal.attempt(sends[:1], lease=lease, by=UWASE)

    def test_while_one_is_open_is_refused(self, rooms: Rooms, lease: Lease) -> None:
        [intent] = rooms.sent([1], lease=lease)

        with pytest.raises(IllegalEdge):
            rooms.journal.attempt([Send(intent.id, "single")], lease=lease, by=UWASE)

    def test_one_bad_one_keeps_all_back(self, rooms: Rooms, lease: Lease) -> None:
        [sent] = rooms.sent([1], lease=lease)
        [ready] = rooms.intended([2], lease=lease)

        with pytest.raises(IllegalEdge):
            rooms.journal.attempt(
                [Send(ready.id, "single"), Send(sent.id, "single")], lease=lease, by=UWASE
            )

        assert again(rooms, ready).state is IntentState.INTENDED

    def test_by_two_threads_is_made_once(self, rooms: Rooms, lease: Lease) -> None:
        [intent] = rooms.intended([1], lease=lease)

        def one(_: int) -> bool:
            try:
                rooms.journal.attempt([Send(intent.id, "single")], lease=lease, by=UWASE)
            except IllegalEdge:
                return False
            return True

        with ThreadPoolExecutor(6) as pool:
            assert list(pool.map(one, range(6))).count(True) == 1

    def test_that_never_left_does_not_count(self, rooms: Rooms, lease: Lease) -> None:
        [intent] = rooms.sent([1], lease=lease)

        rooms.journal.not_sent([intent.id], lease=lease, by=UWASE)

        kept = again(rooms, intent)
        assert (kept.state, kept.sends, kept.unsettled) == (IntentState.INTENDED, 0, 0)
        rooms.sent([1], lease=lease)
        assert again(rooms, intent).sends == 1

    def test_that_never_left_keeps_its_number_when_the_row_changed(
        self, rooms: Rooms, lease: Lease
    ) -> None:
        [intent] = rooms.sent([1], lease=lease)
        rooms.journal.not_sent([intent.id], lease=lease, by=UWASE)
        changed = wanted_of(1, payload=b'{"changed":1}')
        [rebuilt] = rooms.journal.intend([changed], lease=lease, by=UWASE)

        rooms.journal.attempt([Send(rebuilt.id, "single")], lease=lease, by=UWASE)

        told = [one for one in rooms.journal.timeline(1) if one.event == "attempt"]
        assert [(one.attempt, one.outcome) for one in told] == [(1, "not_sent"), (2, "open")]

    def test_refused_in_passing_counts_and_may_go_again(self, rooms: Rooms, lease: Lease) -> None:
        [intent] = rooms.sent([1], lease=lease)

        rooms.journal.passed([intent.id], cause="quickbooks_busy", lease=lease, by=UWASE)
        rooms.sent([1], lease=lease)

        kept = again(rooms, intent)
        assert (kept.sends, kept.payload) == (2, intent.payload)
        assert [one.outcome for one in rooms.journal.timeline(1) if one.event == "attempt"] == [
            "passed",
            "open",
        ]

    def test_refused_in_passing_before_it_was_durable_changes_nothing(
        self, rooms: Rooms, lease: Lease
    ) -> None:
        [intent] = rooms.intended([1], lease=lease)

        rooms.journal.passed([intent.id], lease=lease, by=UWASE)

        assert again(rooms, intent) == intent
        assert actions(rooms, 1) == ["intended"]


class TestUnknown:
    def test_waits_for_the_later_of_two_moments(self, rooms: Rooms, lease: Lease) -> None:
        [intent] = rooms.sent([1], lease=lease)
        late = rooms.store.now() + timedelta(seconds=725)
        for absent_from in (late, late - timedelta(seconds=60)):
            rooms.journal.unknown(
                [intent.id], why="time_out", absent_from=absent_from, lease=lease, by=UWASE
            )

        kept = again(rooms, intent)

        assert (kept.state, kept.unsettled, kept.cause) == (IntentState.UNKNOWN, 1, "time_out")
        assert kept.absent_from == late

    def test_may_be_noted_for_a_number_another_program_used(
        self, rooms: Rooms, lease: Lease
    ) -> None:
        [watched] = rooms.journal.intend([wanted_of(1, payload=b"")], lease=lease, by=UWASE)

        rooms.journal.unknown(
            [watched.id],
            why="sent_elsewhere",
            absent_from=rooms.store.now(),
            lease=lease,
            by=UWASE,
        )

        assert again(rooms, watched).unsettled == 1

    def test_counts_its_look_ups(self, rooms: Rooms, lease: Lease) -> None:
        [intent] = unclear(rooms, lease)

        for _ in range(3):
            rooms.journal.look(intent.id, at=rooms.store.now())

        assert again(rooms, intent).looks == 3

    def test_proved_absent_goes_again_with_the_same_bytes(self, rooms: Rooms, lease: Lease) -> None:
        [intent] = unclear(rooms, lease)

        rooms.journal.absent([intent.id], again=True, lease=lease, by=UWASE)

        kept = again(rooms, intent)
        assert (kept.state, kept.unsettled, kept.sends) == (IntentState.INTENDED, 0, 1)
        assert kept.payload == intent.payload
        rooms.sent([1], lease=lease)
        assert again(rooms, intent).looks == 0

    def test_proved_absent_for_good_is_finished(self, rooms: Rooms, lease: Lease) -> None:
        [intent] = unclear(rooms, lease)

        rooms.journal.absent([intent.id], again=False, lease=lease, by=UWASE)
        rooms.journal.absent([intent.id], again=False, lease=lease, by=UWASE)

        assert again(rooms, intent).state is IntentState.ABSENT
        assert actions(rooms, 1).count("absent") == 1
        assert rooms.intended([1], lease=lease, generation=2)[0].sends == 0
