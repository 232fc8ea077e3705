"""Looks at both books, store and request log with its own SQL; imports nothing it judges."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.simulation.history import Sent

PASSED_BY = frozenset({401, 429})  # refused before any work: the same send goes again
SENDS_MOST = 5
CREATES = ("/invoice", "/customer")
LEGAL = frozenset(
    {(0, 3), (None, 3), (2, 3), (3, 1), (3, 2), (3, 0), (3, None), (3, 3)}
)  # every change a sender may make
Found = tuple[str, str]
ATTEMPTS = (
    "SELECT i.request_id, count(*) FROM attempts a JOIN intents i ON i.id = a.intent_id "
    "GROUP BY i.request_id"
)
SENDINGS = (
    "SELECT request_id, count(*) FROM audit "
    "WHERE action IN ('invoice.sending', 'customer.sending') GROUP BY request_id"
)


@dataclass(frozen=True, slots=True)
class Document:
    """One invoice as QuickBooks holds it."""

    number: str
    live: bool
    total: Decimal
    payer: str
    quickbooks_id: str


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known of an MIS invoice from outside."""

    id: int
    kind: str
    payer: str
    amounts: frozenset[str]
    touched: bool  # by a person, in the MIS


@dataclass
class Scene:
    """Everything to be looked at, and what excuses what."""

    mis: Path
    store: Path
    documents: Sequence[Document]
    sent: Sequence[Sent]
    expected: Mapping[int, Expected]
    people: frozenset[str] = frozenset()  # numbers a person touched in QuickBooks
    person_retried: bool = True  # a person may send a generation more often than a program
    numbers_kept: bool = True
    past_lost: bool = False  # a database went back in time: its history has holes
    fenced: bool = True  # QuickBooks refuses a number twice, or remembers every request id
    unfinished: Sequence[str] = field(default_factory=list)


@dataclass
class _Books:
    status: dict[int, int | None]
    dept: dict[int, str | None]
    actions: dict[str, list[str]]
    causes: dict[int, str]
    seen: list[tuple[int, int | None, int | None, str | None, str | None]]
    attempts: dict[str, int]
    sendings: dict[str, int]  # entries of the audit log, by request id
    bundles: set[str]
    unsettled: int
    links: list[tuple[str, str]]


def problems(scene: Scene) -> list[Found]:
    """Return every broken invariant: its id, and what was found."""
    books = _read(scene)
    live: defaultdict[str, list[Document]] = defaultdict(list)
    for one in scene.documents:
        if one.live:
            live[one.number].append(one)
    found: list[Found] = []
    found += _alone(scene, live)
    found += _statuses(scene, books, live=live)
    found += _reasons(scene, books, live=live)
    found += _money_and_payers(scene, books, live=live)
    found += _pairs(books)
    found += _edges(scene, books)
    found += _sends(scene, books)
    found += _bundles(scene, books)
    found += _ends(scene, books, live=live)
    return found


def _told_double(scene: Scene, books: _Books, *, invoice_id: int, live: Sequence[Document]) -> bool:
    """Return whether no fence of QuickBooks stood and the second document was found and told."""
    conflict = books.causes.get(invoice_id) == "document_conflict"
    return not scene.fenced and len(live) > 1 and conflict


def _alone(scene: Scene, live: Mapping[str, Sequence[Document]]) -> Iterable[Found]:
    for number, ones in live.items():
        if len(ones) > 1 and scene.fenced:
            yield "I1", f"{number} has {len(ones)} live documents"


def _statuses(
    scene: Scene, books: _Books, *, live: Mapping[str, Sequence[Document]]
) -> Iterable[Found]:
    """Status 1 and a live invoice go together, and nothing else has one."""
    for invoice_id, status in books.status.items():
        number = f"MIS-{invoice_id}"
        ones = live.get(number, ())
        if invoice_id not in scene.expected or number in scene.people:
            continue
        confirmed = "invoice.confirmed" in books.actions.get(number, ())
        if status == 1 and len(ones) != 1 and (scene.fenced or not ones):
            yield "I2", f"{number} is synced and QuickBooks holds {len(ones)}"
        if status == 1 and not confirmed and not scene.past_lost:
            yield "I2", f"{number} is synced and nobody confirmed it"
        if status != 1 and ones and books.causes.get(invoice_id) != "document_conflict":
            yield "I4" if status == 2 else "I2", f"{number} is {status} and QuickBooks holds it"


def _reasons(
    scene: Scene, books: _Books, *, live: Mapping[str, Sequence[Document]]
) -> Iterable[Found]:
    """Every invoice of ours in QuickBooks has a row and a confirmation."""
    for number, ones in live.items():
        if not number.startswith("MIS-"):
            if scene.numbers_kept:
                yield "I3", f"a document without our number: {number}"
            continue
        invoice_id = int(number.removeprefix("MIS-"))
        want = scene.expected.get(invoice_id)
        if want is None:
            yield "I3", f"{number} was never in the MIS"
            continue
        ours = want.kind not in {"taken", "legacy"} and number not in scene.people
        said = books.actions.get(number, ())
        known = "invoice.confirmed" in said or "invoice.source_gone" in said or want.touched
        known = known or _told_double(scene, books, invoice_id=invoice_id, live=ones)
        if ours and ones and not known and not scene.past_lost:
            yield "I3", f"{number} stands in QuickBooks and nobody confirmed it"


def _money_and_payers(
    scene: Scene, books: _Books, *, live: Mapping[str, Sequence[Document]]
) -> Iterable[Found]:
    for number, ones in live.items():
        want = scene.expected.get(int(number.removeprefix("MIS-"))) if "MIS-" in number else None
        if want is None or number in scene.people:
            continue
        if want.kind in {"taken", "legacy"} and books.status.get(want.id) != 1:
            continue  # somebody else's
        amounts = _amounts(want, books)
        for one in ones:
            if one.total not in amounts:
                yield "I10", f"{number} is {one.total}, the MIS said {sorted(amounts)}"
            if one.payer != want.payer:
                yield "I12", f"{number} hangs on {one.payer}, not {want.payer}"


def _pairs(books: _Books) -> Iterable[Found]:
    """Payer and customer belong to each other alone."""
    for side in (0, 1):
        for value, times in Counter(link[side] for link in books.links).items():
            if times > 1:
                yield "I12", f"{value} is linked {times} times"


def _amounts(want: Expected, books: _Books) -> set[Decimal]:
    """Return what an invoice may show: the MIS' amount, each it ever had where it was changed."""
    if want.touched:
        return {Decimal(one) for one in want.amounts if one}
    dept = books.dept.get(want.id)
    return set() if dept is None else {Decimal(dept)}


def _edges(scene: Scene, books: _Books) -> Iterable[Found]:
    """Every change of the MIS was a legal one, by the holder of the claim."""
    if scene.past_lost:
        return
    strangers: set[tuple[int, str]] = set()  # traces that a release may give back
    for invoice_id, old, new, old_by, new_by in books.seen:
        if new_by == old_by and old == new:
            continue  # a person edited another column
        strangers.add((invoice_id, str(old_by or "")))
        if (old, new) not in LEGAL:
            yield "I6", f"{invoice_id} went from {old} to {new}"
        ours = str(new_by or "")
        if new == 3 and not ours.startswith("fb1.") and (invoice_id, ours) not in strangers:
            yield "I6", f"{invoice_id} was claimed by {new_by}"
        if old == 3 and new in {1, 2} and not str(old_by or "").startswith("fb1."):
            yield "I6", f"{invoice_id} was marked {new} from the claim of {old_by}"


def _sends(scene: Scene, books: _Books) -> Iterable[Found]:
    """Every request that could create something was written down before it left."""
    if scene.past_lost:
        return
    singles = [
        sent
        for sent in scene.sent
        if sent.method == "POST" and not sent.again and sent.path.endswith(CREATES)
    ]
    worked = Counter(one.request_id for one in singles if one.status not in PASSED_BY)
    for request_id, times in Counter(one.request_id for one in singles).items():
        noted = books.attempts.get(request_id, 0)
        if not request_id.startswith("fb"):
            yield "I9", f"a create without an id of ours: {request_id}"
        if times > noted:
            yield "I9", f"{request_id} left {times} times and was noted {noted} times"
        told = books.sendings.get(request_id, 0)
        if times > told:
            yield "I7", f"{request_id} left {times} times and the log tells of {told}"
        if worked[request_id] > SENDS_MOST and not scene.person_retried:
            yield "I23", f"{request_id} left {worked[request_id]} times"


def _bundles(scene: Scene, books: _Books) -> Iterable[Found]:
    """Every bundle was written down, with its members, before it left."""
    if scene.past_lost:
        return
    for sent in scene.sent:
        if sent.path.endswith("/batch") and sent.request_id not in books.bundles:
            yield "I9", f"bundle {sent.request_id} was never written down"


def _ends(
    scene: Scene, books: _Books, *, live: Mapping[str, Sequence[Document]]
) -> Iterable[Found]:
    """With the faults over, everything came to an end, and each valid invoice to its place."""
    for text in scene.unfinished:
        yield "I24", text
    if books.unsettled:
        yield "I24", f"{books.unsettled} intents never settled"
    for invoice_id, status in books.status.items():
        want = scene.expected.get(invoice_id)
        if status == 3:
            yield "I5", f"{invoice_id} is in progress for ever"
        if want is None:
            continue
        number = f"MIS-{invoice_id}"
        excused = want.touched or number in scene.people or not scene.numbers_kept
        excused = excused or _told_double(
            scene, books, invoice_id=invoice_id, live=live.get(number, ())
        )
        if want.kind in {"plain", "stranger"} and status != 1 and not excused:
            yield "I8", f"{invoice_id} is {status}: {books.causes.get(invoice_id)}"
        if want.kind == "invalid" and status != 2 and not excused:
            yield "I8", f"{invoice_id} cannot be sent and is {status}"


def _read(scene: Scene) -> _Books:
    with closing(sqlite3.connect(scene.mis)) as mis:
        rows = mis.execute("SELECT id, QuickBk_Status, CAST(dept AS TEXT) FROM tbl_imvoice")
        facts = rows.fetchall()
        seen = mis.execute("SELECT id, old, new, old_by, new_by FROM seen ORDER BY n").fetchall()
    with closing(sqlite3.connect(scene.store)) as store:
        (unsettled,) = store.execute(
            # A customer whose last invoice left the MIS is looked for when there is another.
            "SELECT count(*) FROM intents WHERE state IN ('sending', 'unknown') "
            "AND kind = 'invoice'"
        ).fetchone()
        return _Books(
            status={row[0]: row[1] for row in facts},
            dept={row[0]: row[2] for row in facts},
            actions=_actions(store),
            causes=_paired(store, "SELECT invoice_id, cause FROM refusals WHERE open = 1"),
            seen=seen,
            attempts=_paired(store, ATTEMPTS),
            sendings=_paired(store, SENDINGS),
            bundles={row[0] for row in store.execute("SELECT id FROM bundles")},
            unsettled=unsettled,
            links=store.execute(
                "SELECT code, quickbooks_id FROM customers WHERE open = 1"
            ).fetchall(),
        )


def _paired(store: sqlite3.Connection, query: str) -> dict[Any, Any]:
    return dict(store.execute(query).fetchall())


def _actions(store: sqlite3.Connection) -> dict[str, list[str]]:
    """Return what the audit log tells of each document number, in order."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for action, invoice_id in store.execute(
        "SELECT a.action, i.invoice_id FROM audit a JOIN audit_invoices i "
        "ON i.entry_id = a.id ORDER BY a.id"
    ):
        found[f"MIS-{invoice_id}"].append(action)
    return dict(found)
