"""Violations planted in the history, chained anew or not: each is named, and nothing beside it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from application.verify.values import Unreadable
from tests.rooms.simulator_support import RunningSimulator
from tests.walks.verify_support import Line, Place, at, copied

Named = set[tuple[str, str]]
Plant = Callable[[Place], Named]
STRANGE = "fb1.other.1"


@pytest.fixture
def place(synced_books: Path, still_quickbooks: RunningSimulator, tmp_path: Path) -> Place:
    """MIS and store of one's own; nobody changes QuickBooks."""
    return Place(copied(synced_books, tmp_path), still_quickbooks)


def named(invoice_id: int, *checks: str) -> Named:
    return {(one, f"MIS-{invoice_id}") for one in checks}


def told(line: Line, **changed: object) -> Line:
    """Return a line with other facts behind it."""
    after = {**json.loads(line["after"] or "{}"), **changed}
    return {**line, "after": json.dumps(after, sort_keys=True, separators=(",", ":"))}


def last_of_the_run(lines: list[Line]) -> int:
    """Return where the right to send was given back."""
    return next(place for place, line in enumerate(lines) if line["action"] == "lease.released")


# -- steps that are none: the whole log is written anew, so its chain is perfect ------------------


def sent_after_it_was_confirmed(place: Place) -> Named:
    one, lines = place.ids(1)[0], place.history()
    lines.insert(last_of_the_run(lines), lines[at(lines, action="sending", invoice_id=one)])
    place.store(
        "INSERT INTO attempts (intent_id, n, lane, lease_ulid, epoch, sent_at, boot_id, boot_ms,"
        " outcome) SELECT id, 9, 'single', '', 1, 0, '', 0, 'ok' FROM intents"
        " WHERE invoice_id = ?",
        one,
    )
    place.rewrite(lines)
    return named(one, "I6", "I7")


def claimed_by_a_former_sender(place: Place) -> Named:
    one, lines = place.ids(1)[0], place.history()
    where = at(lines, action="claimed", invoice_id=one)
    ids = json.loads(lines[where]["after"])["ids"]
    lines[where] = told(lines[where], lease="01AAAAAAAAAAAAAAAAAAAAAAAA")
    place.rewrite(lines)
    return {("I6", f"MIS-{each}") for each in ids}


def sent_by_a_former_sender(place: Place) -> Named:
    one, lines = place.ids(1)[1], place.history()
    where = at(lines, action="sending", invoice_id=one)
    lines[where] = told(lines[where], epoch=7)
    place.rewrite(lines)
    return named(one, "I6")


def let_go_under_a_claim_that_never_held_it(place: Place) -> Named:
    one, lines = place.ids(1)[2], place.history()
    claim = lines[at(lines, action="claimed", invoice_id=one)]
    gone = told({**claim, "action": "invoice.released"}, ids=[one], token=STRANGE)
    lines.insert(last_of_the_run(lines), gone)
    place.rewrite(lines)
    return named(one, "I6")


def synced_before_it_was_confirmed(place: Place) -> Named:
    one, lines = place.ids(1)[3], place.history()
    first = at(lines, action="confirmed", invoice_id=one)
    second = at(lines, action="synced", invoice_id=one)
    lines[first], lines[second] = lines[second], lines[first]
    place.rewrite(lines)
    return named(one, "I6")


def written_after_the_right_ended(place: Place) -> Named:
    one, lines = place.ids(1)[4], place.history()
    lines.append(lines.pop(at(lines, action="synced", invoice_id=one)))
    place.rewrite(lines)
    return named(one, "I6")


def sending_removed(place: Place) -> Named:
    one, lines = place.ids(1)[5], place.history()
    del lines[at(lines, action="sending", invoice_id=one)]
    place.rewrite(lines)
    return named(one, "I7")


def confirmation_removed(place: Place) -> Named:
    one, lines = place.ids(1)[6], place.history()
    del lines[at(lines, action="confirmed", invoice_id=one)]
    place.rewrite(lines)
    return named(one, "I2", "I6", "I7")


def everything_removed(place: Place) -> Named:
    one, lines = place.ids(1)[7], place.history()
    for action in ("intended", "sending", "confirmed", "synced"):
        del lines[at(lines, action=action, invoice_id=one)]
    where = at(lines, action="claimed", invoice_id=one)
    ids = json.loads(lines[where]["after"])["ids"]
    lines[where] = told(lines[where], ids=[each for each in ids if each != one])
    place.rewrite(lines)
    return named(one, "I2", "I7")


def other_bytes_sent(place: Place) -> Named:
    one, lines = place.ids(1)[8], place.history()
    where = at(lines, action="sending", invoice_id=one)
    lines[where] = {**lines[where], "payload_sha256": "0" * 64}
    place.rewrite(lines)
    return named(one, "I7")


def other_amount_confirmed(place: Place) -> Named:
    one, lines = place.ids(1)[9], place.history()
    where = at(lines, action="confirmed", invoice_id=one)
    lines[where] = told(lines[where], total="5.00")
    place.rewrite(lines)
    return named(one, "I10")


def other_customer_confirmed(place: Place) -> Named:
    one, lines = place.ids(1)[10], place.history()
    where = at(lines, action="confirmed", invoice_id=one)
    lines[where] = told(lines[where], customer_id="99999")
    place.rewrite(lines)
    return named(one, "I12")


def refusal_removed(place: Place) -> Named:
    one, lines = place.ids(2)[0], place.history()
    del lines[at(lines, action="refused", invoice_id=one)]
    lines = [
        line
        for line in lines
        if line["action"] != "invoice.released" or f"{one}" not in line["after"]
    ]
    where = at(lines, action="claimed", invoice_id=one)
    ids = json.loads(lines[where]["after"])["ids"]
    lines[where] = told(lines[where], ids=[each for each in ids if each != one])
    place.rewrite(lines)
    return named(one, "I7")


# -- the chain ------------------------------------------------------------------------------------


def entry_altered(place: Place) -> Named:
    place.disarm()
    place.store("UPDATE audit SET actor = 'nobody' WHERE id = 40")
    return {("I18", "entry 40")}


def time_altered(place: Place) -> Named:
    place.disarm()
    place.store("UPDATE audit SET at = at + 1 WHERE id = 41")
    return {("I18", "entry 41")}


def entry_removed(place: Place) -> Named:
    place.disarm()
    place.store("DELETE FROM audit WHERE id = 2")
    return {("I18", "entry 2")}


def entries_swapped(place: Place) -> Named:
    place.disarm()
    for old, new in ((1, -1), (2, 1), (-1, 2)):
        place.store("UPDATE audit SET id = ? WHERE id = ?", new, old)
    return {("I18", "entry 1"), ("I18", "entry 2"), ("I18", "entry 3")}


def tail_cut(place: Place) -> Named:
    place.disarm()
    last = len(place.history())
    place.store("DELETE FROM audit WHERE id = ?", last)
    return {("I18", f"entry {last}")}


def tail_cut_and_closed_again(place: Place) -> Named:
    lines = place.history()
    place.anchors.append(anchor(place, lines[-1]))
    place.rewrite(lines[:-1])
    return {("I18", f"entry {len(lines)}")}


def rewritten_since_its_anchor(place: Place) -> Named:
    lines = place.history()
    place.anchors.append(anchor(place, lines[-2]))
    lines[2] = {**lines[2], "actor": "nobody"}
    place.rewrite(lines)
    return {("I18", f"entry {len(lines) - 1}")}


def head_altered(place: Place) -> Named:
    place.store("UPDATE audit_head SET hash = ?", "0" * 64)
    return {("I18", f"entry {len(place.history())}")}


def entry_behind_the_end(place: Place) -> Named:
    last = len(place.history())
    place.store("UPDATE audit_head SET id = ?, hash = (SELECT hash FROM audit WHERE id = ?)",
                last - 1, last - 1)  # fmt: skip
    return {("I18", f"entry {last}")}


def anchor(place: Place, line: Line) -> Path:
    """Keep a head where the database cannot reach it."""
    file = place.folder / "audit-anchors-elsewhere.jsonl"
    kept = {"at": "2026-01-01T00:00:00+00:00", "hash": line["hash"], "id": line["id"]}
    file.write_text(json.dumps(kept) + "\n{cut sho", encoding="utf-8")
    return file


PLANTS: list[Plant] = [
    sent_after_it_was_confirmed, claimed_by_a_former_sender, sent_by_a_former_sender,
    let_go_under_a_claim_that_never_held_it, synced_before_it_was_confirmed,
    written_after_the_right_ended, sending_removed, confirmation_removed, everything_removed,
    other_bytes_sent, other_amount_confirmed, other_customer_confirmed, refusal_removed,
    entry_altered, time_altered, entry_removed, entries_swapped, tail_cut,
    tail_cut_and_closed_again, rewritten_since_its_anchor, head_altered, entry_behind_the_end,
]  # fmt: skip


class TestPlantedInTheHistory:
    @pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: str(plant.__name__))
    def test_is_named_and_nothing_beside_it(self, place: Place, plant: Plant) -> None:
        wanted = plant(place)

        assert place.found() == wanted

    def test_written_anew_as_it_was_shows_nothing(self, place: Place) -> None:
        place.anchors.append(anchor(place, place.history()[-1]))

        place.rewrite(place.history())

        assert place.found() == set()

    def test_without_a_head_proves_nothing(self, place: Place) -> None:
        place.store("DELETE FROM audit_head")

        with pytest.raises(Unreadable):
            place.report()
