"""The demo's controls in words: what each does, what you should see, whether it lasts."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from application.catalogue import Stop


class NotNow(Stop):
    """The demo cannot do that as things stand. Facts: problem."""

    cause = "demo_not_now"


class Needs(StrEnum):
    """What has to be there for a control."""

    SIMULATOR = "simulator"
    DEMO_MIS = "demo_mis"
    MINDER = "minder"  # somebody who starts the server again


@dataclass(frozen=True, slots=True)
class Control:
    """One thing the demo lets people do to the outside."""

    name: str
    title: str
    does: str
    see: str
    lasts: bool  # it goes on until it ends by itself or is stopped
    needs: Needs
    takes_invoice: bool = False  # a planted failure may be named


_SIMULATOR = (
    Control(
        "limit",
        "QuickBooks limits us",
        "QuickBooks answers every request with 429 for a minute of its time.",
        "A run at work pauses, says until when, and goes on by itself. No attempt is lost, no "
        "invoice fails.",
        lasts=True,
        needs=Needs.SIMULATOR,
    ),
    Control(
        "down",
        "QuickBooks is down",
        "QuickBooks refuses connections for four minutes of its time, then answers 503 for one.",
        "A run at work waits; what was on its way is looked up before anything is sent again. "
        "Nothing fails, and it goes on by itself.",
        lasts=True,
        needs=Needs.SIMULATOR,
    ),
    Control(
        "sign-in",
        "Sign-in expires",
        "QuickBooks no longer takes our sign-in, nor its renewal (invalid_grant).",
        "The connection says so, a run at work waits, nothing fails. Connect again (or stop this) "
        "and it goes on.",
        lasts=True,
        needs=Needs.SIMULATOR,
    ),
    Control(
        "lost-answer",
        "Answer lost after saving",
        "QuickBooks saves the next single invoice and cuts the connection instead of answering.",
        "That invoice is settling, then synced: found in QuickBooks, where there is one of it.",
        lasts=True,
        needs=Needs.SIMULATOR,
    ),
    Control(
        "lost-bundle",
        "Bundle answer lost",
        "QuickBooks saves half of the next bundle (a run of more than 30 sends bundles) and cuts "
        "the connection.",
        "One query settles those it saved. The others go as singles once their absence can be "
        "believed. One of each is there.",
        lasts=True,
        needs=Needs.SIMULATOR,
    ),
    Control(
        "numbers-off",
        "Custom transaction numbers off",
        "QuickBooks numbers by itself and accepts a second invoice under the same number.",
        "The checks (`feebridge doctor`, or testing the connection) warn. Sending goes on, and "
        "still nothing is there twice.",
        lasts=True,
        needs=Needs.SIMULATOR,
    ),
    Control(
        "delete",
        "Someone deletes an invoice",
        "A person deletes the newest of our invoices in QuickBooks.",
        "Compare both books (`feebridge verify`): it is named as marked synced and not there.",
        lasts=False,
        needs=Needs.SIMULATOR,
    ),
    Control(
        "change",
        "Someone changes an invoice",
        "A person raises the amount of the newest of our invoices in QuickBooks by 1,000.",
        "Compare both books (`feebridge verify`): it is named, with both amounts.",
        lasts=False,
        needs=Needs.SIMULATOR,
    ),
    Control(
        "copy",
        "Someone copies an invoice",
        "A person enters the newest of our invoices in QuickBooks once more, under its number.",
        "Compare both books (`feebridge verify`): two live invoices under one number.",
        lasts=False,
        needs=Needs.SIMULATOR,
    ),
    Control(
        "own-number",
        "Someone enters our number by hand",
        "A person enters an invoice in QuickBooks for another customer and amount, under the "
        "number of an invoice that waits here.",
        "Send: that invoice fails with both sides beside each other (Number already used in "
        "QuickBooks). Nothing there is overwritten.",
        lasts=False,
        needs=Needs.SIMULATOR,
    ),
    Control(
        "books-closed",
        "Books closed",
        "The books are closed up to the end of last month.",
        "Invoices dated before fail with Books closed for that date; others go. No date is "
        "changed. Stopped, the next run takes them up.",
        lasts=True,
        needs=Needs.SIMULATOR,
    ),
)
_MIS = (
    Control(
        "mis-down",
        "MIS is down",
        "The demo MIS is moved out of reach; it comes back when you stop this, or when the server "
        "starts again.",
        "Questions about invoices answer that the MIS cannot be reached, and a run waits. Then "
        "everything goes on.",
        lasts=True,
        needs=Needs.DEMO_MIS,
    ),
    Control(
        "kill",
        "Kill the process",
        "The server is ended like by a power cut (SIGKILL) and started again after two seconds.",
        "The page comes back by itself, a run at work is taken up where it was, nothing is sent "
        "twice.",
        lasts=False,
        needs=Needs.MINDER,
    ),
    Control(
        "fix-student",
        "Fix in demo MIS: add the student",
        "The registry adds the missing student of a failed invoice to the MIS.",
        "The failure looks fixed. Retry what looks fixed, and it is synced.",
        lasts=False,
        needs=Needs.DEMO_MIS,
        takes_invoice=True,
    ),
    Control(
        "fix-amount",
        "Fix in demo MIS: enter the amount",
        "Finance enters the price of the fee on a failed invoice that has no amount.",
        "The failure looks fixed. Retry what looks fixed, and it is synced.",
        lasts=False,
        needs=Needs.DEMO_MIS,
        takes_invoice=True,
    ),
    Control(
        "fix-product",
        "Fix the fee: add its product",
        "Finance adds the missing product in QuickBooks, and Feebridge reads the products again.",
        "Every failure of that fee looks fixed. Retry what looks fixed, and all are synced.",
        lasts=False,
        needs=Needs.DEMO_MIS,
        takes_invoice=True,
    ),
    Control(
        "new-term",
        "New term",
        "The registry enters 200 new invoices.",
        "200 more wait, to preview and to send yourself.",
        lasts=False,
        needs=Needs.DEMO_MIS,
    ),
)
CONTROLS: Final = {one.name: one for one in (*_SIMULATOR, *_MIS)}
