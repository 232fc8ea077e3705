"""Ok | Refused | Unknown; a status' legal moves; intent against what was found: verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from application.invoices.model import Document, Facts, Party, Status
from application.invoices.money import shown

CLOCKS_AGREE = timedelta(seconds=60)


class Passing(StrEnum):
    """Whether a refusal passes by itself, and how."""

    NO = "no"  # permanent: a cause for this invoice
    NOT_SENT = "not_sent"  # no byte left us; counts as a passing refusal and for the breaker
    PAUSE = "pause"  # the realm pauses, no attempt is counted
    TRANSIENT = "transient"  # up to MAX_RETRIES attempts
    SIGN_IN = "sign_in"  # 401: one refresh, then again under the same request id
    STOP = "stop"  # the realm waits for a person


@dataclass(frozen=True, slots=True)
class Ok:
    """QuickBooks did it, and the answer shows what."""

    found: Document | Party
    intuit_tid: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """QuickBooks definitely did not do it (or no byte left us)."""

    cause: str  # catalogue code
    passing: Passing = Passing.NO
    code: str | None = None  # QuickBooks' code without leading zeros
    text: str | None = None  # QuickBooks' words, cleaned, at most 500 characters; never logged
    intuit_tid: str | None = None
    retry_after_s: int | None = None
    reference: str | None = None  # "customer" or "item" when the refusal names one
    field: str | None = None  # "email" or "phone" when contact data was refused


@dataclass(frozen=True, slots=True)
class Unknown:
    """We cannot tell; settling decides."""

    why: str  # short machine word: time_out, reset, html, code_600, number_taken, ...
    look_now: bool = False  # 6140 and 6240: look before anything else
    txn_id: str | None = None  # where the answer named a document
    code: str | None = None
    text: str | None = None
    intuit_tid: str | None = None
    unclassified: bool = False  # nothing in our tables matched: an alarm


Outcome = Ok | Refused | Unknown


class Verdict(StrEnum):
    """What a look-up proves about one frozen intent."""

    ADOPT = "adopt"  # it is there, as intended
    CONFLICT = "conflict"  # another document holds the number
    DUPLICATE = "duplicate"  # more than one live document holds it
    WAIT = "wait"  # nothing seen, and too early to believe it
    ABSENT = "absent"  # proved not to be there


def verdict(
    sent: Facts, found: Sequence[Document], *, now: datetime, absent_from: datetime, looks: int
) -> Verdict:
    """Return what a look-up by number proves.

    Args:
        sent: What we intended.
        found: What came back; only exact, case-sensitive matches of the number count.
        now: When the question was asked, not when it was answered.
        absent_from: From when "not found" may be believed.
        looks: Empty answers since the send, this one not counted.
    """
    ours = [one for one in found if one.doc_number == sent.doc_number]
    live = [one for one in ours if not one.voided]
    if len(live) > 1:
        return Verdict.DUPLICATE
    if live:
        return Verdict.ADOPT if fits(sent, live[0]) else Verdict.CONFLICT
    if ours:
        return Verdict.CONFLICT  # a void still holds the number
    # Positive evidence needs no wait; absence needs the wait and a second empty answer.
    return Verdict.ABSENT if now >= absent_from and looks >= 1 else Verdict.WAIT


def fits(sent: Facts, found: Document) -> bool:
    """Return whether a document is the live invoice we intended."""
    return found.txn_type == "Invoice" and not found.voided and found.facts == sent


def differences(sent: Facts, found: Document) -> tuple[str, ...]:
    """Return in words how a document differs from what was intended; empty when it fits."""
    words: list[str] = []
    if found.txn_type != "Invoice":
        words.append(f"it is a {found.txn_type}")
    if found.voided:
        words.append("it is voided")
    if found.doc_number != sent.doc_number:
        words.append(f"number {found.doc_number or 'missing'} instead of {sent.doc_number}")
    if found.customer_id != sent.customer_id:
        words.append(f"customer {found.customer_id} instead of {sent.customer_id}")
    if found.total != sent.total and not found.voided:
        words.append(f"total {shown(found.total)} instead of {shown(sent.total)}")
    if found.dated != sent.dated:
        words.append(f"date {found.dated.isoformat()} instead of {sent.dated.isoformat()}")
    return tuple(words)


def absence_counts_from(
    sent_at: datetime, *, lease_ended_at: datetime | None, grace_ms: int
) -> datetime:
    """Return the moment from which "not found" may be believed.

    Args:
        sent_at: When the attempt was written down.
        lease_ended_at: When its sender's lease ended; None while the sender is alive.
        grace_ms: Longest write, plus QuickBooks' own cut, plus the lag of its index.
    """
    # A sender whose lease was alive may have written its bytes as late as the lease's end.
    since = sent_at if lease_ended_at is None else max(sent_at, lease_ended_at)
    return since + timedelta(milliseconds=grace_ms)


def clocks_agree(ours: datetime, theirs: datetime | None) -> bool:
    """Return whether QuickBooks' clock lets a wait measured by ours be believed.

    Args:
        ours: When the question left us.
        theirs: The answer's `Date`; None where it carries none.
    """
    return theirs is None or abs(ours - theirs) <= CLOCKS_AGREE


class Edge(StrEnum):
    """The legal moves of one invoice, as the protocol numbers them."""

    CLAIM_WAITING = "X1"
    CLAIM_REFUSED = "X2"
    FREEZE = "X3"
    REFUSE_UNSENT = "X4"
    RELEASE = "X5"
    SEND = "X6"
    CONFIRM = "X7"
    TRY_AGAIN = "X8"
    REFUSE_SENT = "X9"
    CONFLICT_ANSWERED = "X10"
    LOSE_SIGHT = "X11"
    CONFIRM_FOUND = "X12"
    CONFLICT_FOUND = "X13"
    SEND_ABSENT_AGAIN = "X14"
    REOPEN_ABSENT = "X15"
    REFUSE_ABSENT = "X16"
    MARK_SYNCED = "X17"
    KEEP_CLAIM = "X18"
    CLAIM_CONFLICT = "X19"
    CLAIM_SYNCED = "X20"


Move = tuple[Status | None, Status]

_WAITING: tuple[Status | None, ...] = (Status.NOT_SYNCED, None)
_CLAIMED = Status.IN_PROGRESS
_STAYS: frozenset[Move] = frozenset({(_CLAIMED, _CLAIMED)})
_FAILS: frozenset[Move] = frozenset({(_CLAIMED, Status.FAILED)})

MOVES: Mapping[Edge, frozenset[Move]] = MappingProxyType(
    {
        **dict.fromkeys(Edge, _STAYS),  # most edges change our store and leave the MIS at 3
        Edge.CLAIM_WAITING: frozenset((before, _CLAIMED) for before in _WAITING),
        Edge.CLAIM_REFUSED: frozenset({(Status.FAILED, _CLAIMED)}),
        Edge.CLAIM_CONFLICT: frozenset({(Status.FAILED, _CLAIMED)}),
        Edge.CLAIM_SYNCED: frozenset({(Status.SYNCED, _CLAIMED)}),
        Edge.REFUSE_UNSENT: _FAILS,
        Edge.REFUSE_SENT: _FAILS,
        Edge.REFUSE_ABSENT: _FAILS,
        Edge.CONFLICT_ANSWERED: _FAILS,
        Edge.CONFLICT_FOUND: _FAILS,
        # What was claimed goes back to what it was: waiting, failed, or synced before a resend.
        Edge.RELEASE: frozenset(
            (_CLAIMED, former) for former in (Status.NOT_SYNCED, Status.FAILED, Status.SYNCED)
        ),
        Edge.REOPEN_ABSENT: frozenset({(_CLAIMED, Status.NOT_SYNCED)}),
        Edge.MARK_SYNCED: frozenset({(_CLAIMED, Status.SYNCED)}),
    }
)


class IllegalMove(Exception):
    """A status was about to change in a way the protocol does not know; a fault of ours.

    Args:
        before: `QuickBk_Status` as it is; None for NULL.
        after: As it would be.
        edge: The move that was claimed.
    """

    def __init__(self, *, before: Status | None, after: Status, edge: Edge) -> None:
        super().__init__(before, after, edge)
        self.before = before
        self.after = after
        self.edge = edge


def assert_legal(before: Status | None, after: Status | None, edge: Edge) -> None:
    """Pass only moves that the protocol knows; a released NULL counts as status 0.

    Raises:
        IllegalMove: It is none of them. Nothing may be written.
    """
    target = Status.NOT_SYNCED if after is None else after
    if (before, target) not in MOVES[edge]:
        raise IllegalMove(before=before, after=target, edge=edge)
