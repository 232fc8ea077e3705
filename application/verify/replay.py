"""The history of every invoice, played again: which steps are allowed, and by whom."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from application.verify.opening import Row
from application.verify.store_book import told_in
from application.verify.values import Finding, Story

IN_PROGRESS: Final = frozenset({"claimed", "intended", "sending", "unknown", "absent"})
UNCLEAR: Final = frozenset({"sending", "unknown"})
DONE: Final = frozenset({"confirmed", "synced"})
FAILED: Final = frozenset({"refused", "conflict"})
# What may come before each action; whatever is not named here moves nothing.
BEFORE: Final[Mapping[str, frozenset[str]]] = {
    "intended": frozenset({"claimed", "intended", "absent", "refused"}),
    "sending": frozenset({"claimed", "intended", "absent"}),
    "passed": frozenset({"sending"}),
    "not_sent": frozenset({"sending"}),
    "unknown": frozenset({"claimed", "intended", "sending", "unknown", "absent"}),
    "absent": frozenset({"claimed", "sending", "unknown"}),
    "confirmed": frozenset({"claimed", "intended", "sending", "unknown", "absent"}),
    "synced": frozenset({"confirmed", "claimed"}),
    "refused": IN_PROGRESS | {"refused"},
    "conflict": IN_PROGRESS,
}
# A kept promise is taken up again without being frozen anew.
FROM_KEPT: Final = frozenset({"sending", "unknown", "absent", "confirmed"})
LEADS_TO: Final = {"passed": "intended", "not_sent": "intended"}
ENDS_CLAIM: Final = frozenset({"synced", "fenced", "source_gone"})
UNHELD: Final = frozenset({"not_claimed", "late_answer", "held", "hold_ended"})
LOOK: Final = "feebridge audit list --invoice {id}, and keep the store: the log shows who wrote it."
TOKENS_KEPT: Final = 50
_SUBJECT: Final = re.compile(r"invoice ([0-9]+)")


def invoices_in(row: Row) -> list[int]:
    """Return the invoices a line speaks of, from what its hash covers."""
    ids = told_in(row["after"]).get("ids")
    if isinstance(ids, list):
        return [one for one in ids if isinstance(one, int)]
    match = _SUBJECT.fullmatch(str(row["subject"]))
    return [int(match[1])] if match else []


class Replay:
    """Plays the lines of one company in their order.

    Args:
        tag: The company; lines of another one say nothing of this MIS' present.
    """

    def __init__(self, tag: str) -> None:
        self._tag = tag
        self._lease = ""
        self._epoch = 0
        self.steps = 0

    def concerns(self, row: Row) -> bool:
        """Return whether a line moves an invoice of this company."""
        return row["realm_tag"] == self._tag and str(row["action"]).startswith("invoice.")

    def lease(self, row: Row) -> None:
        """Take in who may send from this line on."""
        if row["realm_tag"] != self._tag or not str(row["action"]).startswith("lease."):
            return
        ulid = str(row["subject"]).removeprefix("lease ")
        if row["action"] == "lease.taken":
            self._lease = ulid
            self._epoch = int(told_in(row["after"]).get("epoch", 0))
        elif ulid == self._lease:
            self._lease = ""

    def play(self, row: Row, stories: Mapping[int, Story]) -> Iterator[Finding]:
        """Move the stories of a line on, and yield what was not allowed.

        Args:
            row: A line that concerns invoices.
            stories: Of all its invoices.
        """
        action = str(row["action"]).removeprefix("invoice.")
        after = told_in(row["after"])
        for invoice_id in invoices_in(row):
            story = stories[invoice_id]
            self.steps += 1
            wrongs = [*self._holder(action, after), *_moved(story, action, row=row, after=after)]
            story.entry = int(row["id"])
            for check, what in wrongs:
                yield Finding(
                    check,
                    invoice_id,
                    f"MIS-{invoice_id}",
                    f"MIS-{invoice_id}: {what}.",
                    f"Entry {row['id']} of the audit log, `{row['action']}`.",
                    LOOK.format(id=invoice_id),
                )

    def _holder(self, action: str, after: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        if action in UNHELD:
            return
        if not self._lease:
            yield "I6", "a step was written while nobody held the right to send"
        elif action == "claimed" and after.get("lease") != self._lease:
            yield "I6", "it was claimed by a sender who no longer held the right to send"
        elif action == "sending" and after.get("epoch") != self._epoch:
            yield "I6", "it was sent by a sender who no longer held the right to send"


def _moved(
    story: Story, action: str, *, row: Row, after: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    if action == "claimed":
        yield from _claimed(story, token=str(after.get("token", "")))
    elif action in {"released", "not_claimed"}:
        yield from _let_go(story, action, token=str(after.get("token", "")))
    elif action in BEFORE:
        yield from _stepped(story, action)
        yield from _TAKES[action](story, row, after) if action in _TAKES else ()
    if action in ENDS_CLAIM:
        story.token = ""
    if action in {"fenced", "source_gone"}:
        story.phase = "fenced"


def _claimed(story: Story, *, token: str) -> Iterator[tuple[str, str]]:
    if story.token and story.phase in IN_PROGRESS | {"confirmed"}:
        yield "I6", f"it was claimed again while a claim of ours stood, after `{story.phase}`"
    if story.phase not in IN_PROGRESS:
        story.before = story.phase
    story.phase, story.token = "claimed", token
    story.tokens = [*story.tokens, token][-TOKENS_KEPT:]


def _let_go(story: Story, action: str, *, token: str) -> Iterator[tuple[str, str]]:
    if token not in story.tokens:
        yield "I6", "it was let go under a claim that never held it"
    if token != story.token:
        return
    if story.phase in UNCLEAR and action == "released":
        yield "I6", "it was let go while an answer was still open"
    story.token = ""
    if story.phase == "claimed":
        story.idle = [*story.idle, token][-TOKENS_KEPT:]
    if story.phase in IN_PROGRESS:
        story.phase = story.before


def _stepped(story: Story, action: str) -> Iterator[tuple[str, str]]:
    allowed = story.phase in BEFORE[action]
    if story.phase == "refused" and action in {"intended", "refused"}:
        allowed = bool(story.token)
    if story.phase == "claimed" and action in FROM_KEPT:
        allowed = bool(story.frozen)
    if action == "synced" and not story.receipt:
        allowed = False
    if not allowed:
        yield "I6", f"`{action}` came after `{story.phase}`, which is no step there is"
    elif story.receipt and action in {"intended", "sending", "confirmed"}:
        yield "I6", f"`{action}` came although it was confirmed before"
    story.phase = LEADS_TO.get(action, action)


def _intended(story: Story, row: Row, after: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    story.frozen, story.payload = str(row["request_id"]), str(row["payload_sha256"])
    story.total = str(after.get("total") or "")
    yield from ()


def _sending(story: Story, row: Row, after: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    del after
    if row["request_id"] != story.frozen:
        yield "I7", "it was sent under a request id that was never frozen"
    elif row["payload_sha256"] != story.payload:
        yield "I7", "other bytes were sent than were frozen"
    story.sends += 1
    if story.frozen not in story.sent:
        story.sent = [*story.sent, str(row["request_id"])][-TOKENS_KEPT:]


def _confirmed(story: Story, row: Row, after: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not after.get("adopted") and row["request_id"] not in story.sent:
        yield "I7", "QuickBooks confirmed it and the history has no `sending` before"
    story.receipt = str(row["quickbooks_id"] or "")
    story.total = str(after.get("total") or "")
    story.dated = str(after.get("dated") or "")
    story.customer = str(after.get("customer_id") or "")
    story.cause = ""


def _refused(story: Story, row: Row, after: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    del after
    story.cause = str(row["cause"] or "")
    if row["action"] == "invoice.conflict":
        story.receipt = ""  # what was confirmed is no longer there; it may be sent once more
    yield from ()


_TAKES: Final = {
    "intended": _intended,
    "sending": _sending,
    "confirmed": _confirmed,
    "refused": _refused,
    "conflict": _refused,
}
