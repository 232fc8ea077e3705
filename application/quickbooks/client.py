"""The one road to company data: time-outs, no hidden retry, no redirect."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from urllib.parse import quote

import httpx2

from application.catalogue import ReadsUsedUp
from application.invoices.model import Document, Environment, Kind, Party
from application.invoices.outcomes import Outcome, Passing, Refused, Unknown
from application.quickbooks import wire
from application.quickbooks.answers import Answer, server_date
from application.quickbooks.exchange import Call, Exchange, Limits
from application.quickbooks.faults import PAUSING_CODES
from application.quickbooks.shapes import Account, Company, Item, Preferences
from application.quickbooks.throttle import Permit, Throttle, Use
from application.quickbooks.transport import Road, check_address
from application.quickbooks.wire import Missing
from application.world import Gate, World

_T = TypeVar("_T")
_PATHS = {Kind.INVOICE: "invoice", Kind.CUSTOMER: "customer"}
_USED_UP = Refused(cause=ReadsUsedUp.cause, passing=Passing.STOP)
_PARTIES = ("Customer", "Vendor", "Employee")


@dataclass(frozen=True, slots=True)
class Sending:
    """One frozen intent on its way."""

    intent_id: int
    kind: Kind
    key: str
    request_id: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Single:
    """One request that carries one intent."""

    sending: Sending

    @property
    def sendings(self) -> tuple[Sending, ...]:
        """What it carries."""
        return (self.sending,)


@dataclass(frozen=True, slots=True)
class Bundle:
    """One request that carries up to 30 intents of one kind, in journal order."""

    id: str
    sendings: tuple[Sending, ...]

    @classmethod
    def of(cls, sendings: Sequence[Sending]) -> "Bundle":
        """Return the bundle of these members; its id follows from theirs."""
        return cls(wire.bundle_id([one.request_id for one in sendings]), tuple(sendings))


Work = Single | Bundle


@dataclass(frozen=True, slots=True)
class Answered:
    """What one request brought back: an outcome for each intent it carried, in order."""

    work: Work
    outcomes: tuple[Outcome, ...]

    @property
    def sendings(self) -> tuple[Sending, ...]:
        """What the request carried."""
        return self.work.sendings

    @property
    def lane(self) -> str:
        """`single` or `batch`."""
        return "batch" if isinstance(self.work, Bundle) else "single"


@dataclass(frozen=True, slots=True)
class LookUp:
    """Invoices a query found."""

    documents: tuple[Document, ...]
    asked_at: datetime  # before the question left
    server_date: datetime | None


@dataclass(frozen=True, slots=True)
class Parties:
    """Customers, vendors and employees a query found, inactive ones included."""

    parties: tuple[Party, ...]
    asked_at: datetime
    server_date: datetime | None


class Client:
    """One company's data.

    Args:
        world: Clock and gates.
        base_url: Scheme and host of QuickBooks.
        company_id: The company; it appears in no log.
        access_token: Gives a token that outlasts a request; may raise Stop.
        fresh_token: Gives another one after a 401 on the token it is told; may raise Stop.
        throttle: The company's limits.
        read_timeout_ms: From the last byte sent to the last byte received.
        connect_timeout_ms: Name, connection and TLS.
        check_to_send_ms: From the written attempt to the last byte sent.
        idle_ms: Longest reuse of an idle connection.
        environment: Which of Intuit's hosts may be called; None allows either.
        transport: Another road. It must report httpcore's `trace` events, because an attempt is
            made durable in one of them.

    Raises:
        WrongEnvironment: The address is not one of QuickBooks'.
    """

    def __init__(
        self,
        *,
        world: World,
        base_url: str,
        company_id: str,
        access_token: Callable[[], str],
        fresh_token: Callable[[str], str],
        throttle: Throttle,
        read_timeout_ms: int = 130_000,
        connect_timeout_ms: int = 10_000,
        check_to_send_ms: int = 5_000,
        idle_ms: int = 15_000,
        environment: Environment | None = None,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._world = world
        base = check_address(base_url, environment=environment)
        self._company_id = company_id
        self._throttle = throttle
        self._road = transport or Road(
            clock=world.clock, idle_ms=idle_ms, unacknowledged_ms=check_to_send_ms
        )
        self._exchange = Exchange(
            world=world,
            company=f"{base}/v3/company/{quote(company_id, safe='')}/",
            transport=self._road,
            throttle=throttle,
            limits=Limits(read_timeout_ms, connect_timeout_ms, check_to_send_ms),
            access_token=access_token,
            fresh_token=fresh_token,
        )

    def close(self) -> None:
        """Close every connection."""
        self._road.close()

    # -- sending --------------------------------------------------------------------------------

    def send(
        self,
        work: Work,
        *,
        about_to_send: Callable[[Work], None],
        permit: Permit | None = None,
    ) -> Answered:
        """Send a request and judge its answer.

        Args:
            work: What to send.
            about_to_send: Called on the open connection before the first byte; makes the attempt
                durable and checks the lease. What it raises passes through, nothing is sent.
            permit: One already taken; given back here.

        Raises:
            Stop: From `about_to_send`, from the token, or from the wait for a permit.
        """
        is_bundle = isinstance(work, Bundle)
        path, request_id, body = _request_of(work)
        call = Call(
            "POST",
            path,
            query={"requestid": request_id},
            content=body,
            use=Use.BUNDLE if is_bundle else Use.SINGLE,
            about_to_send=lambda: about_to_send(work),
        )
        answer = self._exchange.carry(call, permit=permit)
        outcomes = _outcomes(work, answer=answer)
        self._heed(outcomes, use=call.use)
        self._world.gate(Gate.ANSWER_CLASSIFIED)
        if is_bundle:
            self._world.gate(Gate.BUNDLE_ANSWERED)
        return Answered(work, outcomes)

    def create_item(
        self, name: str, *, income_account_id: str, request_id: str
    ) -> Item | Refused | Unknown:
        """Create a product for a fee; the same id is safe to send again."""
        call = Call(
            "POST",
            "item",
            query={"requestid": request_id},
            content=wire.item_bytes(name, income_account_id=income_account_id),
            use=Use.SINGLE,
        )
        made = self._exchange.carry(call)
        item = wire.judge_item(made) if isinstance(made, Answer) else made
        self._heed((item,), use=call.use)
        return item

    # -- reading --------------------------------------------------------------------------------
    # Each of these returns `Refused("reads_used_up")`, unasked, where that is known.

    def require_reads(self) -> None:
        """Raise where it is known that reading is in vain.

        Raises:
            ReadsUsedUp: With the time from which one read may try again.
        """
        rest_ms = self._throttle.reads_rest_ms()
        if rest_ms:
            raise ReadsUsedUp(until=self._world.clock.later(wait_ms=rest_ms))

    def documents_by_number(self, numbers: Sequence[str]) -> LookUp | Refused | Unknown:
        """Look for invoices by number; only numbers that agree to the letter are returned."""
        asked_at = self._world.clock.now()
        answer = self.query(wire.query_documents(numbers))
        found = self._judged(answer, read=wire.read_documents)
        if not isinstance(found, tuple):
            return found
        wanted = frozenset(numbers)
        exact = tuple(one for one in found if one.doc_number in wanted)
        return LookUp(exact, asked_at, _date_of(answer))

    def count_numbered(self) -> int | Refused | Unknown:
        """Count the invoices whose number has our form, whoever made them."""
        return self._judged(self.query(wire.query_own_count()), read=wire.read_count)

    def document_by_id(self, quickbooks_id: str) -> Document | Missing | Refused | Unknown:
        """Read one invoice."""
        return self._judged(self._get(f"invoice/{quickbooks_id}"), read=wire.read_document)

    def party_by_id(self, quickbooks_id: str) -> Party | Missing | Refused | Unknown:
        """Read one customer, an inactive one too."""
        return self._judged(self._get(f"customer/{quickbooks_id}"), read=wire.read_party)

    def customers_named(self, names: Sequence[str]) -> tuple[Party, ...] | Refused | Unknown:
        """Look for a page of names among customers alone, with one read."""
        answer = self.query(wire.query_parties("Customer", names=names))
        return self._judged(answer, read=_party_reader("Customer"))

    def parties_named(self, name: str) -> Parties | Refused | Unknown:
        """Look for a name among customers; when there is none, among vendors and employees."""
        asked_at = self._world.clock.now()
        date: datetime | None = None
        for kind in _PARTIES:
            answer = self.query(wire.query_parties(kind, names=[name]))
            found = self._judged(answer, read=_party_reader(kind))
            if not isinstance(found, tuple):
                return found
            date = date or _date_of(answer)
            if found:
                return Parties(found, asked_at, date)
        return Parties((), asked_at, date)

    def items(self) -> tuple[Item, ...] | Refused | Unknown:
        """Read every product, inactive ones included."""
        return self._all(wire.query_items, read=wire.read_items)

    def accounts(self) -> tuple[Account, ...] | Refused | Unknown:
        """Read the chart of accounts."""
        return self._all(wire.query_accounts, read=wire.read_accounts)

    def company(self) -> Company | Refused | Unknown:
        """Read the company's own entry."""
        return self._judged(self._get(f"companyinfo/{self._company_id}"), read=wire.read_company)

    def preferences(self) -> Preferences | Refused | Unknown:
        """Read the switches that change what we may send."""
        return self._judged(self._get("preferences"), read=wire.read_preferences)

    def _all(
        self,
        query: Callable[[int], str],
        *,
        read: Callable[[Answer], tuple[_T, ...] | Refused | Unknown],
    ) -> tuple[_T, ...] | Refused | Unknown:
        rows: list[_T] = []
        while True:
            page = self._judged(self.query(query(len(rows) + 1)), read=read)
            if not isinstance(page, tuple):
                return page
            rows += page
            if len(page) < wire.PAGE_ROWS:
                return tuple(rows)

    def _get(self, path: str) -> Answer | Refused | Unknown:
        return self._read(Call("GET", path, use=Use.READ))

    def query(self, statement: str) -> Answer | Refused | Unknown:
        """Return what a statement finds, as it was answered."""
        return self._read(Call("GET", "query", query={"query": statement}, use=Use.READ))

    def _read(self, call: Call) -> Answer | Refused | Unknown:
        return _USED_UP if self._throttle.reads_rest_ms() else self._exchange.carry(call)

    def _judged(
        self, answer: Answer | Refused | Unknown, *, read: Callable[[Answer], _T]
    ) -> _T | Refused | Unknown:
        if answer is _USED_UP:
            return _USED_UP
        found = read(answer) if isinstance(answer, Answer) else answer
        self._heed((found,), use=Use.READ)
        if isinstance(found, Refused) and self._throttle.reads_rest_ms():
            return _USED_UP
        return found

    def _heed(self, found: Sequence[object], *, use: Use) -> None:
        """Let the throttle know what this request says about QuickBooks' state."""
        self._throttle.note(answered=any(_is_an_answer(one) for one in found))
        if use is Use.READ and not isinstance(found[0], Refused | Unknown):
            self._throttle.read()
        for one in found:
            if isinstance(one, Refused) and (
                one.passing is Passing.PAUSE or one.code in PAUSING_CODES
            ):
                asked = one.retry_after_s
                self._throttle.pause(asked and self._world.clock.scaled_ms(asked), use=use)
                return


def _request_of(work: Work) -> tuple[str, str, bytes]:
    if isinstance(work, Single):
        return _PATHS[work.sending.kind], work.sending.request_id, work.sending.payload
    payloads = [one.payload for one in work.sendings]
    return "batch", work.id, wire.bundle_bytes(work.sendings[0].kind, payloads=payloads)


def _outcomes(work: Work, *, answer: Answer | Refused | Unknown) -> tuple[Outcome, ...]:
    if not isinstance(answer, Answer):
        return (answer,) * len(work.sendings)
    kind = work.sendings[0].kind
    if isinstance(work, Single):
        return (wire.judge(answer, kind=kind),)
    return wire.judge_bundle(answer, places=len(work.sendings), kind=kind)


def _is_an_answer(found: object) -> bool:
    if isinstance(found, Unknown):
        return found.look_now
    return not (isinstance(found, Refused) and found.passing is Passing.NOT_SENT)


def _date_of(answer: Answer | Refused | Unknown) -> datetime | None:
    return server_date(answer) if isinstance(answer, Answer) else None


def _party_reader(kind: str) -> Callable[[Answer], tuple[Party, ...] | Refused | Unknown]:
    return lambda answer: wire.read_parties(answer, kind=kind)
