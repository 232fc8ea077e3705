"""The whole check in its order: history, QuickBooks, MIS; what differs is looked at once more."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from application.verify.chain import Chain, anchors_in
from application.verify.judging import HELD, LOOK, NOT_THERE, SYNCED, TALK, Case, Judge
from application.verify.mis_book import MisBook
from application.verify.opening import Book, Row
from application.verify.quickbooks_book import QuickBooksBook, Road
from application.verify.replay import Replay, invoices_in
from application.verify.scratch import Scratch
from application.verify.store_book import StoreBook
from application.verify.values import PAGE, Document, Finding, MisRow, Report, Terms

AGAIN_MOST: Final = 3_000  # differences that are looked at once more
UNASKED: Final = {
    "I1": "QuickBooks was not asked",
    "I2": "QuickBooks was not asked: MIS and history only",
    "I3": "QuickBooks was not asked",
    "I4": "QuickBooks was not asked",
    "I10": "QuickBooks was not asked: MIS, store and history only",
    "I12": "QuickBooks was not asked: our own links only",
}


@dataclass(frozen=True, slots=True)
class Books:
    """What is compared; QuickBooks may be left out."""

    mis: MisBook
    store: StoreBook
    quickbooks: QuickBooksBook | None
    anchors: Sequence[Path]

    @classmethod
    def of(
        cls, *, mis: Book, store: Book, road: Road | None, anchors: Sequence[Path], terms: Terms
    ) -> "Books":
        """Return the books behind two databases, a way to QuickBooks and files of anchors."""
        return cls(
            mis=MisBook(mis, net=terms.net, first_day=terms.invoices_from),
            store=StoreBook(store),
            quickbooks=QuickBooksBook(road) if road else None,
            anchors=anchors,
        )


class Verifier:
    """One pass over everything; it writes nowhere but into a scratch file that is gone afterwards.

    Args:
        books: What is compared.
        terms: What the installation says of itself.
        say: Called with a sentence when something long begins.
    """

    def __init__(self, books: Books, *, terms: Terms, say: Callable[[str], None]) -> None:
        self._mis = books.mis
        self._store = books.store
        self._quickbooks = books.quickbooks
        self._terms = terms
        self._say = say
        self._tag = books.store.bound(terms.mis_key) or terms.realm_tag or books.store.company()
        self._report = Report(quickbooks=books.quickbooks is not None)
        self._scratch = Scratch()
        anchors = anchors_in(books.anchors)
        self._report.anchors = len(anchors)
        self._chain = Chain(anchors)
        self._replay = Replay(self._tag)
        self._again: list[int] = []
        self._again_there: list[Document] = []

    def run(self) -> Report:
        """Return everything that was found.

        Raises:
            Unreadable: One of the books cannot be read; nothing is proved then.
        """
        try:
            self._busy()
            self._read_history()
            self._read_quickbooks()
            self._scratch.keep_links(self._store.links(self._tag))
            for page in self._mis.pages():
                self._judge(page, again=False)
            self._strangers()
            self._look_again()
            self._links()
            self._end()
        finally:
            self._scratch.close()
        return self._report

    def _busy(self) -> None:
        sender = self._store.sender(self._tag, now=self._terms.now())
        if sender is not None:
            run = "nobody's run" if sender.run_id is None else f"run {sender.run_id}"
            self._report.busy = f"{run} of {sender.holder}"

    # -- reading --------------------------------------------------------------------------------

    def _read_history(self) -> None:
        """Walk the log to its end; again from there where somebody wrote meanwhile."""
        self._say("Reading the history.")
        while True:
            before = self._chain.last
            for page in self._store.history(after=before):
                self._walk(page)
            head = self._store.head()
            if head[0] <= self._chain.last or self._chain.last == before:
                break
        self._report.entries = self._chain.last
        self._report.head = self._chain.hash
        self._head = head

    def _walk(self, page: Sequence[Row]) -> None:
        ids = {one for row in page if self._replay.concerns(row) for one in invoices_in(row)}
        stories = self._scratch.stories(sorted(ids))
        for row in page:
            self._take(self._chain.step(row))
            self._replay.lease(row)
            if self._replay.concerns(row):
                self._take(self._replay.play(row, stories))
        self._scratch.keep_stories(stories)

    def _read_quickbooks(self) -> None:
        if self._quickbooks is None:
            return
        invoices, customers = self._quickbooks.count()
        needed = -(-invoices // PAGE) + -(-customers // PAGE)
        self._say(
            f"Reading QuickBooks: {invoices:,} invoices, {customers:,} customers, "
            f"needs {needed:,} reads."
        )
        for page in self._quickbooks.documents():
            self._scratch.keep_documents(page)
            self._report.documents += len(page)
        for people in self._quickbooks.customers():
            self._scratch.keep_parties(people)

    # -- judging --------------------------------------------------------------------------------

    @property
    def _judging(self) -> Judge:
        return Judge(
            self._terms,
            tag=self._tag,
            scratch=self._scratch,
            quickbooks=self._quickbooks is not None,
            busy=self._report.busy is not None,
        )

    def _cases(self, rows: Sequence[MisRow]) -> Iterator[Case]:
        ids = [row.id for row in rows]
        stories = self._scratch.stories(ids)
        promises = self._store.promises(self._tag, ids)
        documents = self._scratch.documents(ids)
        causes = self._store.refused_for([row.id for row in rows if row.status == NOT_THERE])
        taken = self._store.tried_when_synced(ids)
        for row in rows:
            yield Case(
                row=row,
                story=stories[row.id],
                promise=promises.get(row.id),
                documents=documents.get(row.id, []),
                cause=causes.get(row.id, ""),
                tried_when_synced=frozenset(taken.get(row.id, ())),
            )

    def _judge(self, rows: Sequence[MisRow], *, again: bool) -> None:
        """Judge rows; on first sight a difference is only noted, to be looked at once more."""
        judge = self._judging
        if not again:
            self._scratch.keep_seen(row.id for row in rows)
        for case in self._cases(rows):
            if not self._mis.in_scope(case.row) and case.story.phase == "new":
                self._report.outside += not again
                continue
            found = list(judge.of(case))
            if not again:
                self._count(case, judge=judge)
            self._pair(case)
            if found and not again and len(self._again) < AGAIN_MOST:
                self._again.append(case.row.id)
            else:
                self._take(iter(found))

    def _count(self, case: Case, *, judge: Judge) -> None:
        report, status = self._report, case.row.status
        report.invoices += 1
        report.left += case.unsettled or not judge.quiet(case)
        report.conflicts += status == NOT_THERE and case.story.phase == "conflict"
        synced = status == SYNCED
        report.unverified += synced and not case.story.receipt and not judge.ours(case.row)
        report.checks["I2"].looked_at += synced or bool(case.story.receipt)
        report.checks["I4"].looked_at += status == NOT_THERE
        report.checks["I5"].looked_at += status == HELD
        report.checks["I7"].looked_at += 1
        report.checks["I10"].looked_at += synced and bool(case.story.receipt)

    def _pair(self, case: Case) -> None:
        """Note an invoice for the sums where it stands in both books."""
        if case.row.status != SYNCED or not case.story.receipt:
            return
        for one in case.live:
            if one.id == case.story.receipt:
                known = self._judging.belongs(case.row.payer, one)
                payer = case.row.payer if known else f"customer {one.customer}"
                self._scratch.keep_pair(case.row, one, payer=payer)

    def _strangers(self) -> None:
        for one in self._scratch.strangers():
            if len(self._again_there) < AGAIN_MOST:
                self._again_there.append(one)
            else:
                self._take(iter([_stranger(one)]))

    def _look_again(self) -> None:
        """Read every difference once more, so that a race is no false alarm."""
        if not self._again and not self._again_there:
            return
        self._say(f"Looking again at {len(self._again) + len(self._again_there):,} differences.")
        self._busy()
        self._read_history()
        if self._quickbooks is not None:
            self._read_again(self._quickbooks)
        for start in range(0, len(self._again), PAGE):
            ids = self._again[start : start + PAGE]
            rows = self._mis.of(ids)
            self._scratch.forget_pairs(ids)
            self._judge(list(rows.values()), again=True)
        known = self._mis.of([one.invoice_id for one in self._again_there if one.invoice_id])
        self._scratch.keep_seen(known)
        there = {one.id for one in self._scratch.strangers()}
        self._take(_stranger(one) for one in self._again_there if one.id in there)

    def _read_again(self, quickbooks: QuickBooksBook) -> None:
        numbers = [f"MIS-{one}" for one in self._again]
        numbers += [one.number for one in self._again_there if one.invoice_id]
        found = quickbooks.numbered(numbers)
        known = {one.id for one in found}
        for start in range(0, len(self._again), PAGE):
            ids = self._again[start : start + PAGE]
            for one, story in self._scratch.stories(ids).items():
                if story.receipt and story.receipt not in known:
                    document = quickbooks.by_id(story.receipt)
                    found += [document] if document and document.invoice_id == one else []
        self._scratch.forget_documents(self._again)
        self._scratch.forget_documents(
            [one.invoice_id for one in self._again_there if one.invoice_id]
        )
        self._scratch.keep_documents(found)

    def _links(self) -> None:
        """Judge payers and customers: one to one, and each under its own name."""
        check = self._report.checks["I12"]
        for word, name in self._scratch.shared():
            what = (
                "payer has several customers" if word == "payer" else "customer has several payers"
            )
            self._report.add(
                Finding("I12", None, name, f"A {what}: {name}.",
                        "One payer, one customer, both ways.", LOOK.format(id="ID"))
            )  # fmt: skip
        for link in self._scratch.open_links():
            check.looked_at += 1
            if self._quickbooks is None:
                continue
            called = self._scratch.party(link.customer)
            if called == link.payer:
                continue
            what = "is not in QuickBooks" if called is None else "is called otherwise in QuickBooks"
            self._report.add(
                Finding("I12", None, link.payer, f"The customer of payer {link.payer} {what}.",
                        f"Customer {link.customer} is linked to it.", TALK)
            )  # fmt: skip

    def _end(self) -> None:
        report = self._report
        self._take(self._chain.end(self._head))
        report.sums = list(self._scratch.sums()) if self._quickbooks else []
        report.reads = self._quickbooks.reads if self._quickbooks else 0
        for code, looked_at in (
            ("I1", report.documents),
            ("I3", report.documents),
            ("I6", self._replay.steps),
            ("I18", report.entries),
        ):
            report.checks[code].looked_at = looked_at
        if self._quickbooks is None:
            for code, why in UNASKED.items():
                report.checks[code].skipped = why
            for code in ("I1", "I3", "I4"):
                report.checks[code].looked_at = 0

    def _take(self, findings: Iterator[Finding]) -> None:
        for one in findings:
            self._report.add(one)


def _stranger(document: Document) -> Finding:
    return Finding(
        "I3",
        document.invoice_id,
        document.number,
        f"{document.number} is in QuickBooks and the MIS has no such row.",
        f"QuickBooks Id {document.id}, dated {document.dated}.",
        TALK,
    )
