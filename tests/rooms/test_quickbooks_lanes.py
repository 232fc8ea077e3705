"""Client and lanes against the real simulator, over HTTP."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal

import pytest

from application.catalogue import LeaseLost, MisUnavailable
from application.invoices.model import (
    CustomerDraft,
    Document,
    Draft,
    Environment,
    Kind,
    Party,
    Realm,
    request_id,
)
from application.invoices.outcomes import Ok, Outcome, Passing, Refused, Unknown
from application.quickbooks import wire
from application.quickbooks.client import (
    Answered,
    Bundle,
    Client,
    LookUp,
    Parties,
    Sending,
    Single,
    Work,
)
from application.quickbooks.lanes import Lanes
from application.quickbooks.shapes import Company, Item, Preferences
from application.quickbooks.throttle import Throttle
from application.world import Clock, World
from tests.rooms.simulator_support import RunningSimulator

SCALE = 60


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSimulator]:
    with RunningSimulator.start(clock_scale=SCALE) as simulator:
        yield simulator


@pytest.fixture
def simulator(running: RunningSimulator) -> RunningSimulator:
    running.reset()
    return running


class Office:
    """One company with a client, lanes and a customer."""

    def __init__(self, simulator: RunningSimulator, *, threads: int = 10) -> None:
        self.simulator = simulator
        self.world = World(clock=Clock(scale=SCALE))
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


@pytest.fixture
def company(simulator: RunningSimulator) -> Iterator[Office]:
    company = Office(simulator)
    yield company
    company.close()


class TestBothLanes:
    def test_bring_a_hundred_invoices_in_once(self, company: Office) -> None:
        answers = list(company.drain(company.pages(100)))

        found = outcomes(answers)
        assert len(found) == 100
        assert {type(outcome) for outcome in found.values()} == {Ok}
        assert company.numbers() == sorted(f"MIS-{number}" for number in range(1, 101))
        assert {answered.lane for answered in answers} >= {"batch"}
        assert sum(len(work.sendings) for work in company.told) == 100
        assert company.lanes.unsent() == ()
        assert company.throttle.in_flight == 0
        assert company.simulator.violations() == {}

    def test_stay_within_every_limit(self, company: Office) -> None:
        company.simulator.knob(throttles=True)

        answers = list(company.drain(company.pages(1_500)))

        company.simulator.knob(throttles=False)
        kinds = {type(outcome) for outcome in outcomes(answers).values()}
        assert kinds == {Ok}
        assert len(company.numbers()) == 1_500

    def test_use_only_singles_when_told(self, company: Office) -> None:
        answers = list(company.drain(company.pages(20), both=False))

        assert [answered.lane for answered in answers] == ["single"] * 20

    def test_judge_each_item_of_a_bundle_alone(self, company: Office) -> None:
        company.simulator.create("Invoice", _body(company, "MIS-2"))
        page = [company.sending(1), company.sending(2), company.sending(3, item="999999")]

        found = outcomes(list(company.drain(iter([page]))))

        assert isinstance(found["MIS-1"], Ok)
        assert isinstance(found["MIS-2"], Unknown)
        assert found["MIS-2"].look_now
        assert isinstance(found["MIS-3"], Refused)
        assert found["MIS-3"].cause == "item_inactive"

    def test_pull_pages_only_when_they_can_send(self, company: Office) -> None:
        pulled: list[int] = []

        def pages() -> Iterator[list[Sending]]:
            for n, page in enumerate(company.pages(3_000)):
                pulled.append(n)
                yield page

        answers = company.drain(pages(), both=False)
        next(answers)
        seen = list(pulled)
        answers.close()  # type: ignore[attr-defined]  # it is a generator

        assert seen == [0]


def _body(company: Office, number: str) -> dict[str, object]:
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


class TestTrouble:
    @pytest.mark.parametrize("kind", ["missing_bid", "doubled_bid"])
    def test_with_places_leaves_those_unknown(self, company: Office, kind: str) -> None:
        company.simulator.fault(kind, on="batch", count=1)

        found = outcomes(list(company.drain(company.pages(30))))

        unknown = [outcome for outcome in found.values() if isinstance(outcome, Unknown)]
        assert unknown
        assert {outcome.why for outcome in unknown} <= {"missing_place", "doubled_place"}
        assert len(company.numbers()) == 30

    @pytest.mark.parametrize(
        "kind",
        [
            "drop_before_commit",
            "drop_after_commit",
            "drop_half_answer",
            "wrong_length",
            "html_404",
            "html_502",
            "stream_timeout",
            "server_error_10000",
            "error_6000_unexpected",
            "bad_json_200",
            "nan",
            "doubled_keys",
        ],
    )
    def test_with_an_answer_is_unknown(self, company: Office, kind: str) -> None:
        company.simulator.fault(kind, on="invoice", count=1)

        found = outcomes(list(company.drain(company.pages(1), both=False)))

        assert isinstance(found["MIS-1"], Unknown)
        assert not found["MIS-1"].unclassified

    def test_with_the_sign_in_is_mended_once(self, company: Office) -> None:
        company.simulator.control("POST", "expire-tokens")

        found = outcomes(list(company.drain(company.pages(30))))

        assert {type(outcome) for outcome in found.values()} == {Ok}
        assert company.renewed == 1
        assert len(company.told) == 2

    def test_with_the_limit_pauses_and_goes_again(self, company: Office) -> None:
        company.simulator.fault("throttle_429", on="any", count=1)
        again: list[Work] = []
        found: list[Outcome] = []

        for answered in company.drain(company.pages(30)):
            paused = [
                isinstance(each, Refused) and each.passing is Passing.PAUSE
                for each in answered.outcomes
            ]
            if all(paused) and isinstance(answered.work, Bundle):
                again.append(answered.work)
                company.lanes.again(whole=answered.work)
            else:
                found += answered.outcomes

        assert len(again) == 1
        assert [type(outcome) for outcome in found] == [Ok] * 30
        first, second = company.told
        assert first == second

    def test_resends_replay_the_first_answer(self, company: Office) -> None:
        twice: list[Outcome] = []

        for answered in company.drain(company.pages(1), both=False):
            twice += answered.outcomes
            if len(twice) == 1:
                company.lanes.again(answered.sendings, wait_ms=50)

        assert len(twice) == 2
        assert [type(outcome) for outcome in twice] == [Ok, Ok]
        assert company.numbers() == ["MIS-1"]


class TestEnding:
    def test_with_a_stop_drains_what_is_under_way(self, company: Office) -> None:
        told: list[Work] = []
        answers: list[Answered] = []

        def about_to_send(work: Work) -> None:
            if len(told) >= 4:
                raise LeaseLost(epoch=3)
            told.append(work)

        with pytest.raises(LeaseLost):  # noqa: PT012 - what came before the Stop counts too
            for answered in company.drain(
                company.pages(90), both=False, about_to_send=about_to_send
            ):
                answers += [answered]

        assert len(answers) == len(told) == 4
        assert len(company.numbers()) == 4
        assert len(company.lanes.unsent()) == 26
        assert company.throttle.in_flight == 0

    def test_when_asked_to_leaves_the_rest_unsent(self, company: Office) -> None:
        asked = threading.Event()
        done: list[Answered] = []

        for answered in company.drain(company.pages(90), both=False, stop=asked.is_set):
            asked.set()
            done.append(answered)

        assert len(done) + len(company.lanes.unsent()) == 30
        assert len(company.numbers()) == len(done)

    def test_when_the_heartbeat_says_so(self, company: Office) -> None:
        def lost() -> None:
            raise LeaseLost(epoch=3)

        with pytest.raises(LeaseLost):
            list(
                company.lanes.drain(
                    company.pages(30),
                    both=True,
                    about_to_send=company.told.append,
                    every=lost,
                    stop=lambda: False,
                )
            )

        assert company.told == []

    def test_when_a_page_cannot_be_made(self, company: Office) -> None:
        def pages() -> Iterator[list[Sending]]:
            yield [company.sending(1)]
            raise MisUnavailable(detail="gone")

        with pytest.raises(MisUnavailable):
            list(company.drain(pages(), both=False))

        assert company.numbers() == ["MIS-1"]

    def test_with_a_fault_of_ours_says_so(self, company: Office) -> None:
        def broken(_work: Work) -> None:
            raise KeyError

        with pytest.raises(KeyError):
            list(company.drain(company.pages(1), both=False, about_to_send=broken))

    def test_with_nothing_to_send_is_at_once(self, company: Office) -> None:
        assert list(company.drain(iter([[], []]))) == []


class TestNested:
    def test_drains_create_customers_before_their_invoices(self, company: Office) -> None:
        def customers() -> Iterator[list[Sending]]:
            yield [
                Sending(
                    intent_id=n,
                    kind=Kind.CUSTOMER,
                    key=f"25/0042{n}/BBA",
                    request_id=request_id(
                        company.realm, key=f"25/0042{n}/BBA", operation="c", generation=1
                    ),
                    payload=wire.customer_bytes(
                        CustomerDraft(f"25/0042{n}/BBA", "Aline", None, "Uwase", None, None, None)
                    ),
                )
                for n in range(3)
            ]

        def pages() -> Iterator[list[Sending]]:
            made = outcomes(list(company.drain(customers())))
            assert {type(outcome) for outcome in made.values()} == {Ok}
            yield from company.pages(60)

        found = outcomes(list(company.drain(pages())))

        assert len(found) == 60
        assert {type(outcome) for outcome in found.values()} == {Ok}


class TestOneThread:
    def test_is_enough(self, company: Office) -> None:
        class AtOnce:
            def submit(self, job: Callable[[], None], /) -> object:
                job()
                return None

        company.lanes = Lanes(
            client=company.client,
            throttle=company.throttle,
            world=company.world,
            fan_out=AtOnce(),
        )

        found = outcomes(list(company.drain(company.pages(65))))

        assert len(found) == 65
        assert {type(outcome) for outcome in found.values()} == {Ok}


class TestReads:
    def test_find_invoices_by_number_to_the_letter(self, company: Office) -> None:
        list(company.drain(company.pages(3), both=False))

        found = company.client.documents_by_number(["MIS-1", "mis-2", "MIS-3", "MIS-4"])

        assert isinstance(found, LookUp)
        assert sorted(str(each.doc_number) for each in found.documents) == ["MIS-1", "MIS-3"]
        assert found.documents[0].total == Decimal("150000.00")
        assert found.server_date is not None

    def test_find_one_invoice_by_id(self, company: Office) -> None:
        (answered,) = company.drain(company.pages(1), both=False)
        (outcome,) = answered.outcomes
        assert isinstance(outcome, Ok)

        again = company.client.document_by_id(outcome.found.quickbooks_id)

        assert isinstance(again, Document)
        assert again.facts.doc_number == "MIS-1"
        assert company.client.document_by_id("999999") == wire.Missing()

    @pytest.mark.parametrize("status", ["610", "404"])
    def test_miss_what_is_not_there(self, company: Office, status: str) -> None:
        company.simulator.knob(unknown_id=status)

        missing = company.client.party_by_id("999999")

        company.simulator.knob(unknown_id="610")
        assert missing == wire.Missing()

    def test_find_names_with_quotes_and_the_inactive(self, company: Office) -> None:
        made = company.simulator.create("Vendor", {"DisplayName": "O'Neil & Sons 100%"})

        found = company.client.parties_named("O'Neil & Sons 100%")

        assert isinstance(found, Parties)
        assert found.parties == (
            Party(
                quickbooks_id=made["Id"],
                sync_token=made["SyncToken"],
                display_name="O'Neil & Sons 100%",
                active=True,
                kind="Vendor",
            ),
        )
        nobody = company.client.parties_named("nobody")
        assert isinstance(nobody, Parties)
        assert nobody.parties == ()

    def test_know_the_company_its_switches_and_its_products(self, company: Office) -> None:
        about = company.client.company()
        switches = company.client.preferences()
        items = company.client.items()
        accounts = company.client.accounts()

        assert isinstance(about, Company)
        assert isinstance(switches, Preferences)
        assert isinstance(items, tuple)
        assert isinstance(accounts, tuple)
        assert company.item in {item.id for item in items}
        assert accounts

    def test_create_a_product(self, company: Office) -> None:
        accounts = company.client.accounts()
        assert isinstance(accounts, tuple)
        income = next(each.id for each in accounts if each.kind == "Income")

        made = [
            company.client.create_item(
                "Sports fee", income_account_id=income, request_id="fb-item-1"
            )
            for _ in range(2)
        ]

        assert isinstance(made[0], Item)
        assert made[0] == made[1]
        assert made[0].income_account_id == income


class TestSingleSend:
    def test_takes_its_own_permit(self, company: Office) -> None:
        answered = company.client.send(
            Single(company.sending(1)), about_to_send=company.told.append
        )

        assert isinstance(answered.outcomes[0], Ok)
        assert company.throttle.in_flight == 0
