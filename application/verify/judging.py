"""One invoice in both books, our store and the history: where they do not agree, and what to do."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from application.verify.replay import DONE, FAILED, IN_PROGRESS, UNCLEAR
from application.verify.scratch import Scratch
from application.verify.values import Document, Finding, MisRow, Promise, Story, Terms, shown

WAITING: Final = frozenset({None, 0})
SYNCED: Final = 1
NOT_THERE: Final = 2
HELD: Final = 3
SHORT_S: Final = 120
TALK: Final = "Decide with whoever works in QuickBooks; Feebridge changes nothing there by itself."
MEND: Final = "Find out who changed the MIS outside Feebridge, and set the row as it was."
AGAIN: Final = "feebridge retry {id}: it looks before it sends."
SETTLE: Final = "feebridge reset-stuck {id}"
LOOK: Final = "feebridge show {id}, and feebridge audit verify"


@dataclass(frozen=True, slots=True)
class Case:
    """Everything known of one invoice."""

    row: MisRow
    story: Story
    promise: Promise | None
    documents: list[Document]
    cause: str  # of the open refusal, "" where there is none
    tried_when_synced: frozenset[str]  # tokens of claims noted while the MIS called it synced

    @property
    def live(self) -> list[Document]:
        """The documents that count."""
        return [one for one in self.documents if one.live]

    @property
    def unsettled(self) -> bool:
        """Whether an answer about it is still open."""
        return self.story.phase in UNCLEAR or (
            self.promise is not None and self.promise.state in UNCLEAR
        )


class Judge:
    """Compares; changes nothing.

    Args:
        terms: What the installation says of itself.
        tag: The company this MIS belongs to.
        scratch: What was read of QuickBooks' customers and of our links.
        quickbooks: Whether QuickBooks was read.
        busy: Whether somebody sends.
    """

    def __init__(
        self, terms: Terms, *, tag: str, scratch: Scratch, quickbooks: bool, busy: bool
    ) -> None:
        self._terms = terms
        self._tag = tag
        self._scratch = scratch
        self._quickbooks = quickbooks
        self._busy = busy

    def quiet(self, case: Case) -> bool:
        """Return whether nobody is at work on an invoice."""
        if case.row.status == HELD:
            return False
        return not (self._busy and case.story.phase in IN_PROGRESS | {"confirmed"})

    def ours(self, row: MisRow) -> bool:
        """Return whether the row carries the mark of a sender of this company."""
        return row.pushed_by.endswith(f"@{self._tag}") or row.pushed_by.startswith(
            f"fb1.{self._tag}."
        )

    def of(self, case: Case) -> Iterator[Finding]:
        """Yield everything that is wrong with one invoice."""
        # A claim is noted before the MIS decides, and the MIS gives away nothing that is synced.
        if case.story.phase != "claimed" and case.tried_when_synced - set(case.story.idle):
            yield _found("I6", case, "it was claimed although the MIS called it synced",
                         "Only a wanted resend may do that.", LOOK)  # fmt: skip
        yield from self._stuck(case)
        if self.quiet(case):
            yield from self._history(case)
            yield from self._synced(case)
        if self._quickbooks:
            yield from self._documents(case)

    # -- the MIS against the history --------------------------------------------------------------

    def _stuck(self, case: Case) -> Iterator[Finding]:
        if case.row.status != HELD or self._busy:
            return
        since, now = case.row.pushed_at, self._terms.now()
        if case.promise and case.promise.absent_from and now < case.promise.absent_from:
            return  # nobody can tell yet what became of it
        if since is None:
            why = "Nothing in the row says since when."
        elif now - since > self._terms.stuck_after:
            why = f"It was claimed {_ago(now, since)} ago and nobody sends."
        else:
            return
        yield _found("I5", case, "it hangs in progress", why, SETTLE)

    def _history(self, case: Case) -> Iterator[Finding]:
        row, story = case.row, case.story
        expected = _statuses(story)
        if story.phase == "new" and self.ours(row):
            yield _found("I7", case, f"the MIS says {row.status} under Feebridge's mark",
                         "The history has no entry of it.", LOOK)  # fmt: skip
        elif expected is not None and row.status not in expected:
            yield _found("I7", case, f"the MIS says {_word(row.status)}",
                         f"The history ends with `{story.phase}`, entry {story.entry}.",
                         MEND)  # fmt: skip
        kept = case.promise
        if kept is None and (story.sends or story.receipt):
            yield _found("I7", case, "our store knows nothing of it",
                         "The history says that it was sent.", LOOK)  # fmt: skip
        elif kept is not None and kept.sends != story.sends:
            yield _found("I7", case, f"the history tells of {story.sends} sends",
                         f"Our store counts {kept.sends}.", LOOK)  # fmt: skip
        elif kept is not None and kept.confirmed and kept.quickbooks_id != story.receipt:
            yield _found("I7", case, "our store and the history name different receipts",
                         f"Store {kept.quickbooks_id}, history {story.receipt or 'none'}.",
                         LOOK)  # fmt: skip

    def _synced(self, case: Case) -> Iterator[Finding]:
        row, story = case.row, case.story
        if row.status == SYNCED and not story.receipt and self.ours(row):
            yield _found("I2", case, "it is marked synced and no receipt is known",
                         "Feebridge marks after the receipt only.", LOOK)  # fmt: skip
        if story.receipt and row.status == SYNCED:
            yield from self._agreed(case)
        if not self._quickbooks or not story.receipt:
            return
        there = [one for one in case.live if one.id == story.receipt]
        if row.status == SYNCED and not there:
            yield _found("I2", case, "it is marked synced and is not in QuickBooks",
                         _gone(case), TALK)  # fmt: skip
        elif row.status != SYNCED and there:
            yield _found("I2", case, f"it is in QuickBooks and the MIS says {_word(row.status)}",
                         f"QuickBooks Id {story.receipt} is live.", MEND)  # fmt: skip

    def _agreed(self, case: Case) -> Iterator[Finding]:
        """Yield where the row no longer says what was sent for it."""
        row, story = case.row, case.story
        sent = Decimal(story.total or "0")
        if row.amount != sent:
            yield _found("I10", case, f"the MIS says {shown(row.amount)}",
                         f"{shown(sent)} was sent and confirmed.", MEND)  # fmt: skip
        if case.promise and case.promise.confirmed and case.promise.total != sent:
            yield _found("I10", case, f"our store says {shown(case.promise.total)}",
                         f"The history says {shown(sent)}.", LOOK)  # fmt: skip
        if row.dated != story.dated:
            yield _found("I10", case, f"the MIS dates it {row.dated or 'never'}",
                         f"{story.dated} was sent and confirmed.", MEND)  # fmt: skip

    # -- QuickBooks against the rest --------------------------------------------------------------

    def _documents(self, case: Case) -> Iterator[Finding]:
        live = case.live
        if len(live) > 1:
            ids = ", ".join(one.id for one in live)
            yield _found("I1", case, f"{len(live)} live invoices carry its number",
                         f"QuickBooks Ids {ids}.", TALK)  # fmt: skip
        if not live or not self.quiet(case):
            return
        if case.row.status == NOT_THERE:
            yield from self._failed(case)
        if not case.story.receipt:
            if not (case.row.status == SYNCED or case.unsettled or self._conflict(case)):
                yield _found("I3", case, "it is in QuickBooks and no receipt is known",
                             f"QuickBooks Id {live[0].id}; the MIS says {_word(case.row.status)}.",
                             AGAIN)  # fmt: skip
            return
        for document in live:
            if document.id == case.story.receipt:
                yield from self._amounts(case, document)
                yield from self._payer(case, document)

    def _failed(self, case: Case) -> Iterator[Finding]:
        for document in case.live:
            if document.id == case.story.receipt and not self._conflict(case):
                yield _found("I4", case, "it is marked failed and is in QuickBooks",
                             f"QuickBooks Id {document.id} is ours.", AGAIN)  # fmt: skip
            elif self._fits(case, document):
                yield _found("I4", case, "it is marked failed and fits what is in QuickBooks",
                             f"QuickBooks Id {document.id} has its amount, date and payer.",
                             AGAIN)  # fmt: skip

    def _conflict(self, case: Case) -> bool:
        return case.row.status == NOT_THERE and (
            case.story.phase == "conflict" or case.cause == "document_conflict"
        )

    def _fits(self, case: Case, document: Document) -> bool:
        return (
            document.total == case.row.amount
            and document.dated == case.row.dated
            and self.belongs(case.row.payer, document)
        )

    def belongs(self, payer: str, document: Document) -> bool:
        """Return whether a document hangs on a payer's customer."""
        if document.customer in self._scratch.customers_of(payer):
            return True
        # What was found rather than made has no link yet: then the name decides.
        linked = self._scratch.holder_of(document.customer)
        return linked in {None, payer} and self._scratch.party(document.customer) == payer

    def _amounts(self, case: Case, document: Document) -> Iterator[Finding]:
        sent = Decimal(case.story.total or "0")
        if document.total != sent:
            yield _found("I10", case, f"QuickBooks says {shown(document.total)}",
                         f"{shown(sent)} was sent and confirmed: {_apart(document.total, sent)}.",
                         TALK)  # fmt: skip
        if document.dated != case.story.dated:
            yield _found("I10", case, f"QuickBooks dates it {document.dated}",
                         f"{case.story.dated} was sent and confirmed.", TALK)  # fmt: skip

    def _payer(self, case: Case, document: Document) -> Iterator[Finding]:
        if document.customer != case.story.customer:
            yield _found("I12", case, "it hangs on another customer in QuickBooks",
                         f"Customer {document.customer}, and {case.story.customer} was confirmed.",
                         TALK)  # fmt: skip
        elif not self.belongs(case.row.payer, document):
            yield _found("I12", case, "its customer is not its payer's",
                         f"Customer {document.customer} belongs to another than the MIS names.",
                         LOOK)  # fmt: skip


def _statuses(story: Story) -> frozenset[int | None] | None:
    """Return what the MIS may say after a history; None: anything."""
    if story.phase in DONE:
        return frozenset({SYNCED})
    if story.phase in FAILED:
        return frozenset({NOT_THERE})
    if story.phase in UNCLEAR:
        return frozenset({HELD})
    if story.phase in IN_PROGRESS:  # a sender that died before it touched the MIS left this
        return WAITING | {NOT_THERE, HELD} | ({SYNCED} if story.before in DONE else set())
    return None


def _found(check: str, case: Case, what: str, why: str, remedy: str) -> Finding:
    return Finding(
        check,
        case.row.id,
        case.row.number,
        f"{case.row.number}: {what}.",
        why,
        remedy.format(id=case.row.id),
    )


def _word(status: int | None) -> str:
    words = {None: "not synced", 0: "not synced", 1: "synced", 2: "failed", 3: "in progress"}
    return words.get(status, f"{status}, which means nothing")


def _gone(case: Case) -> str:
    for one in case.documents:
        if one.id == case.story.receipt:
            return f"QuickBooks Id {one.id} was voided."
    there = ", ".join(one.id for one in case.live)
    gone = f"QuickBooks Id {case.story.receipt} was deleted, or carries another number now"
    return f"{gone}; Id {there} carries this one." if there else f"{gone}."


def _apart(left: Decimal, right: Decimal) -> str:
    difference = left - right
    return f"{'+' if difference > 0 else ''}{shown(difference)}"


def _ago(now: datetime, since: datetime) -> str:
    seconds = int((now - since).total_seconds())
    return f"{seconds} s" if seconds < SHORT_S else f"{seconds // 60:,} min"
