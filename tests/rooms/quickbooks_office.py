"""One simulated company with a client, lanes and a customer."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal

from application.invoices.model import (
    Draft,
    Environment,
    Kind,
    Realm,
    request_id,
)
from application.invoices.outcomes import Outcome
from application.quickbooks import wire
from application.quickbooks.client import (
    Answered,
    Client,
    Sending,
    Work,
)
from application.quickbooks.lanes import Lanes
from application.quickbooks.throttle import Throttle
from application.world import Clock, Gate, World
from tests.rooms.simulator_support import RunningSimulator

SCALE = 60


class Office:
    """One company with a client, lanes and a customer."""

    def __init__(
        self,
        simulator: RunningSimulator,
        *,
        threads: int = 10,
        gate: Callable[[Gate], None] = lambda _gate: None,
    ) -> None:
        self.simulator = simulator
        self.world = World(clock=Clock(scale=SCALE), gate=gate)
        self.throttle = Throttle(world=self.world)
        self.token = str(simulator.token()["access_token"])
        self.renewed = 0
        self.client = Client(
            world=self.world,
            base_url=simulator.url,
            company_id=simulator.realm_id,
            access_token=lambda: self.token,
            fresh_token=self._fresh,
            throttle=self.throttle,
            read_timeout_ms=5_000,
            connect_timeout_ms=5_000,
            check_to_send_ms=5_000,
            environment=Environment.SIMULATOR,
        )
        self.pool = ThreadPoolExecutor(threads)
        self.lanes = Lanes(
            client=self.client, throttle=self.throttle, world=self.world, fan_out=self.pool
        )
        self.realm = Realm(Environment.SIMULATOR, simulator.realm_id)
        self.customer = str(
            simulator.create("Customer", {"DisplayName": "25/00411/BBA"}, requestid="fb-1")["Id"]
        )
        self.item = _item_id(simulator)
        self.told: list[Work] = []
        self.beats = 0

    def _fresh(self, failed: str) -> str:
        if failed == self.token:
            self.renewed += 1
            self.token = str(self.simulator.token()["access_token"])
        return self.token

    def close(self) -> None:
        self.pool.shutdown()
        self.client.close()

    def beat(self) -> None:
        self.beats += 1

    def sending(
        self, number: int, *, amount: str = "150000.00", item: str | None = None
    ) -> Sending:
        key = f"MIS-{number}"
        draft = Draft(
            doc_number=key,
            customer_id=self.customer,
            customer_name="25/00411/BBA",
            item_id=item or self.item,
            item_name="Tuition",
            amount=Decimal(amount),
            dated=date(2026, 1, 15),
            description="Tuition fee",
            note=None,
        )
        return Sending(
            intent_id=number,
            kind=Kind.INVOICE,
            key=key,
            request_id=request_id(self.realm, key=key, operation="create-invoice", generation=1),
            payload=wire.invoice_bytes(draft),
        )

    def pages(self, count: int, *, size: int = 30) -> Iterator[list[Sending]]:
        sendings = [self.sending(number) for number in range(1, count + 1)]
        for start in range(0, count, size):
            yield sendings[start : start + size]

    def drain(
        self,
        pages: Iterator[Sequence[Sending]],
        *,
        both: bool = True,
        about_to_send: Callable[[Work], None] | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> Iterator[Answered]:
        return self.lanes.drain(
            pages,
            both=both,
            about_to_send=about_to_send or self.told.append,
            every=self.beat,
            stop=stop,
        )

    def numbers(self) -> list[str]:
        return sorted(str(each["DocNumber"]) for each in self.simulator.ledger())


def _item_id(simulator: RunningSimulator) -> str:
    found = simulator.query("select * from Item where Type = 'Service'")
    return str(found["Item"][0]["Id"])


def outcomes(answers: Sequence[Answered]) -> dict[str, Outcome]:
    return {
        sending.key: outcome
        for answered in answers
        for sending, outcome in zip(answered.sendings, answered.outcomes, strict=True)
    }


def body_of(company: Office, number: str) -> dict[str, object]:
    return {
        "DocNumber": number,
        "TxnDate": "2026-01-15",
        "CustomerRef": {"value": company.customer},
        "Line": [
            {
                "Amount": 1,
                "DetailType": "SalesItemLineDetail",
                "SalesItemLineDetail": {"ItemRef": {"value": company.item}},
            }
        ],
    }
