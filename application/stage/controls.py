"""The demo's controls: begun, ended and looked at; none of them reaches a real company or MIS."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from application.catalogue import NotFound
from application.embedded import Place
from application.invoices.mapping import legal_item_name
from application.invoices.model import DOC_NUMBER_PREFIX, doc_number
from application.logs import Logs
from application.mis.demo_changes import DemoChanges
from application.services.causes import Causes
from application.services.company import Company
from application.services.connection import Connection
from application.services.listing import Listing
from application.stage.levers import NUMBERS_CUSTOM, Levers, Trouble
from application.stage.minder import minded
from application.stage.outage import Outage
from application.stage.table import CONTROLS, Control, Needs, NotNow
from application.store.audit import Actor

__all__ = ["CONTROLS", "Control", "Controls", "Done", "Seen"]

OPEN_UNTIL: Final = "2021-12-31"  # the simulator's own closing date
NEWEST: Final = 50
FAILED_MOST: Final = 200
NEXT_MOST: Final = 100
RAISED_BY: Final = 1_000
MINUTE_S: Final = 60  # of the simulator's time, as every figure below
TROUBLES: Final[Mapping[str, Sequence[Trouble]]] = {
    "limit": ({"kind": "throttle_429", "on": "any", "seconds": MINUTE_S},),
    "down": (
        {"kind": "not_listening", "seconds": 4 * MINUTE_S},
        {"kind": "html_503", "on": "any", "seconds": 5 * MINUTE_S},
    ),
    "lost-answer": ({"kind": "drop_after_commit", "on": "invoice", "count": 1},),
    "lost-bundle": ({"kind": "cut_batch", "count": 1},),
}
_OURS: Final = re.compile(rf"{DOC_NUMBER_PREFIX}[0-9]+")
_NO_DEMO_MIS: Final = "this MIS is not the demo's own"
_NOT_MINDED: Final = "nobody would start this server again; start it with `feebridge demo`"


@dataclass(frozen=True, slots=True)
class Seen:
    """A control as it stands now."""

    control: Control
    state: str  # off, on or unavailable
    note: str | None = None  # why it is unavailable


@dataclass(frozen=True, slots=True)
class Done:
    """What was done, and how the control stands afterwards."""

    seen: Seen
    did: str


class Controls:
    """Breaks what stands in for the outside, and mends it.

    Args:
        levers: The simulator's control interface.
        place: Our own files; only its demo MIS is ever changed.
        listing: What waits.
        causes: What failed.
        connection: The sign-in.
        read_company: Reads company and products again.
        today: The day in the office.
    """

    def __init__(
        self,
        *,
        levers: Levers,
        place: Place,
        listing: Callable[[], Listing],
        causes: Callable[[], Causes],
        company: Company,
        connection: Callable[[], Connection],
        read_company: Callable[[], None],
        today: Callable[[], date],
        logs: Logs,
    ) -> None:
        self._levers = levers
        self._place = place
        self._changes = DemoChanges(place.mis_file)
        self._outage = Outage(place)
        self._listing = listing
        self._causes = causes
        self._company = company
        self._connection = connection
        self._read_company = read_company
        self._today = today
        self._logs = logs
        self._once: Mapping[str, Callable[[int | None], str]] = {
            "delete": self._delete,
            "change": self._change,
            "copy": self._copy,
            "own-number": self._enter_number,
            "fix-student": self._add_student,
            "fix-amount": self._add_amount,
            "fix-product": self._add_product,
            "new-term": self._add_term,
            "kill": self._kill,
        }

    def seen(self) -> list[Seen]:
        """Return every control as it stands now.

        Raises:
            QuickBooksUnavailable: The simulator does not answer.
        """
        going = self._going()
        return [self._seen(one, going=going) for one in CONTROLS.values()]

    def start(self, name: str, *, by: Actor, invoice_id: int | None = None) -> Done:
        """Do what a control does.

        Args:
            name: Which.
            by: Who wants it.
            invoice_id: Which planted failure to mend; the first that can be, when absent.

        Raises:
            NotFound: No such control.
            NotNow: There is nothing it could be done to now.
            Stop: What it needs does not answer.
        """
        control = self._available(name)
        if invoice_id is not None and not control.takes_invoice:
            raise NotNow(problem="this is done without an invoice being named")
        if name in self._once:
            did = self._once[name](invoice_id)
        else:
            self._begin(name)
            did = f"{control.title}: begun."
        self._logs.event("demo.control_started", step=name, actor=by.name)
        return Done(self._seen(control, going=self._going()), did)

    def stop(self, name: str, *, by: Actor) -> Done:
        """End what a control began; where nothing of it is left, that is no fault.

        Raises:
            NotFound: No such control.
            NotNow: It does not last, so there is nothing to end.
            Stop: What it needs does not answer.
        """
        control = self._available(name)
        if not control.lasts:
            raise NotNow(problem="it was over once it was done, so there is nothing to stop")
        self._end(name, by=by)
        self._logs.event("demo.control_stopped", step=name, actor=by.name)
        return Done(self._seen(control, going=self._going()), f"{control.title}: ended.")

    # -- as it stands -----------------------------------------------------------------------------

    def _available(self, name: str) -> Control:
        control = CONTROLS.get(name)
        if control is None:
            raise NotFound(what=f"control {name}")
        why = self._missing(control)
        if why is not None:
            raise NotNow(problem=why)
        return control

    def _missing(self, control: Control) -> str | None:
        if control.needs is Needs.DEMO_MIS and not self._place.demo:
            return _NO_DEMO_MIS
        if control.needs is Needs.MINDER and not minded(self._place):
            return _NOT_MINDED
        return None

    def _seen(self, control: Control, *, going: frozenset[str]) -> Seen:
        why = self._missing(control)
        if why is not None:
            return Seen(control, "unavailable", why)
        return Seen(control, "on" if control.name in going else "off")

    def _going(self) -> frozenset[str]:
        """Return the controls that last and have not ended."""
        state, preferences = self._levers.state(), self._levers.preferences()
        closed = str(preferences["AccountingInfoPrefs"].get("BookCloseDate") or "")
        found = {
            "sign-in": not (state["grants"] and self._company.state().connected),
            "numbers-off": not preferences["SalesFormsPrefs"].get(NUMBERS_CUSTOM),
            "books-closed": closed > OPEN_UNTIL,
            "mis-down": self._place.demo and self._outage.lasts,
        }
        labels = {str(one.get("label", "")) for one in state["faults"]}
        return frozenset(labels | {name for name, true in found.items() if true})

    # -- what lasts -------------------------------------------------------------------------------

    def _begin(self, name: str) -> None:
        match name:
            case "sign-in":
                self._levers.end_sign_in()
            case "numbers-off":
                self._levers.number_by_hand(on=False)
            case "books-closed":
                last_month = self._today().replace(day=1) - timedelta(days=1)
                self._levers.close_books(last_month.isoformat())
            case "mis-down":
                self._outage.begin(still=self._changes.still)
            case _:
                self._levers.make(TROUBLES[name], label=name)

    def _end(self, name: str, *, by: Actor) -> None:
        match name:
            case "sign-in":
                if name in self._going():
                    self._connection().sign_in_again(by=by)
            case "numbers-off":
                self._levers.number_by_hand(on=True)
            case "books-closed":
                self._levers.close_books(OPEN_UNTIL)
            case "mis-down":
                if not self._outage.end():
                    raise NotNow(problem="another program keeps the MIS away")
            case _:
                self._levers.end(name)

    # -- what people do in QuickBooks -------------------------------------------------------------

    def _delete(self, _invoice_id: int | None) -> str:
        ours = self._newest()
        self._levers.edit(ours["Id"], {"delete": True})
        return f"{ours['DocNumber']} was deleted in QuickBooks."

    def _change(self, _invoice_id: int | None) -> str:
        ours = self._newest()
        total = Decimal(str(ours["TotalAmt"])) + RAISED_BY
        self._levers.edit(ours["Id"], {"total": str(total)})
        return f"{ours['DocNumber']} now comes to {total:,} in QuickBooks."

    def _copy(self, _invoice_id: int | None) -> str:
        ours = self._newest()
        self._levers.enter(
            invoices=[
                {
                    "DocNumber": ours["DocNumber"],
                    "CustomerName": ours["CustomerName"],
                    "Total": ours["TotalAmt"],
                    "TxnDate": ours["TxnDate"],
                    "ItemId": ours["ItemRef"],
                }
            ]
        )
        return f"{ours['DocNumber']} was entered a second time in QuickBooks."

    def _enter_number(self, _invoice_id: int | None) -> str:
        taken = {one["DocNumber"] for one in self._levers.newest(NEWEST)}
        next_ones = (one.plan for one in self._listing().preview(limit=NEXT_MOST).invoices)
        numbers = [doc_number(one.invoice.id) for one in next_ones if not one.problems]
        free = (one for one in numbers if one not in taken)
        number = next(free, None)
        if number is None:
            raise NotNow(problem="no invoice that could be sent waits; add a new term first")
        self._levers.enter(
            invoices=[{"DocNumber": number, "CustomerName": "Somebody Else", "Total": "999.00"}]
        )
        return f"Somebody entered {number} in QuickBooks, for another customer and amount."

    def _newest(self) -> Mapping[str, Any]:
        """Return the newest of our invoices that nobody copied."""
        found = self._levers.newest(NEWEST)
        numbers = [str(one["DocNumber"] or "") for one in found]
        for one, number in zip(found, numbers, strict=True):
            if _OURS.fullmatch(number) and numbers.count(number) == 1:
                return one
        raise NotNow(problem="no invoice of ours is in QuickBooks; send one first")

    # -- what people do in the MIS ----------------------------------------------------------------

    def _add_student(self, invoice_id: int | None) -> str:
        for one in self._failed("customer_not_found", invoice_id):
            reg_no = self._changes.add_student(one)
            if reg_no is not None:
                return f"The student {reg_no} of {doc_number(one)} was added to the demo MIS."
        raise _nothing_to_mend()

    def _add_amount(self, invoice_id: int | None) -> str:
        for one in self._failed("invalid_amount", invoice_id):
            amount = self._changes.add_amount(one)
            if amount is not None:
                return f"{doc_number(one)} now has the amount {amount:,} in the demo MIS."
        raise _nothing_to_mend()

    def _add_product(self, invoice_id: int | None) -> str:
        for one in self._failed("fee_category_unmapped", invoice_id):
            fee = self._changes.fee_of(one)
            if fee is not None and legal_item_name(fee):
                self._levers.enter(items=[{"Name": fee}])
                self._read_company()
                return f"The product {fee} was added in QuickBooks."
        raise _nothing_to_mend()

    def _failed(self, cause: str, invoice_id: int | None) -> Iterable[int]:
        """Yield the failures of a cause that do not look fixed yet."""
        ids = islice(self._causes().ids_of(cause=cause), FAILED_MOST)
        fixed = set(self._causes().ids_of(cause=cause, only_fixed=True))
        standing: Iterator[int] = (one for one in ids if one not in fixed)
        return standing if invoice_id is None else (one for one in standing if one == invoice_id)

    def _add_term(self, _invoice_id: int | None) -> str:
        first, last = self._changes.add_term(self._today())
        count = last - first + 1
        return f"{count} invoices were entered: {doc_number(first)} to {doc_number(last)}."

    def _kill(self, _invoice_id: int | None) -> str:
        self._place.kill_wish.touch()
        return "The server will be killed now, and is back in a few seconds."


def _nothing_to_mend() -> NotNow:
    return NotNow(problem="no failure stands that this would mend")
