"""What the client reads from the real simulator, over HTTP."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from application.catalogue import ReadsUsedUp
from application.invoices.model import (
    Document,
    Party,
)
from application.invoices.outcomes import Ok, Refused
from application.quickbooks import wire
from application.quickbooks.client import (
    LookUp,
    Parties,
    Single,
)
from application.quickbooks.shapes import Company, Item, Preferences
from application.world import Gate
from tests.rooms.quickbooks_office import SCALE, Office
from tests.rooms.simulator_support import RunningSimulator


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSimulator]:
    with RunningSimulator.start(clock_scale=SCALE) as simulator:
        yield simulator


@pytest.fixture
def simulator(running: RunningSimulator) -> RunningSimulator:
    running.reset()
    return running


@pytest.fixture
def company(simulator: RunningSimulator) -> Iterator[Office]:
    company = Office(simulator)
    yield company
    company.close()


class TestReadsThatAreUsedUp:
    @pytest.mark.covers("E19")
    def test_are_told_from_a_limit_and_not_asked_for_any_more(
        self, simulator: RunningSimulator, company: Office
    ) -> None:
        simulator.knob(coreplus_quota=0)

        causes = [_cause(company.client.documents_by_number(["MIS-1"])) for _ in range(4)]
        asked = len(simulator.log())
        causes.append(_cause(company.client.company()))

        assert causes == ["quickbooks_rate_limited"] * 3 + ["reads_used_up"] * 2
        assert len(simulator.log()) == asked
        with pytest.raises(ReadsUsedUp):
            company.client.require_reads()
        list(company.drain(company.pages(2), both=False))
        assert company.numbers() == ["MIS-1", "MIS-2"]

    def test_that_are_granted_again_are_read(
        self, simulator: RunningSimulator, company: Office
    ) -> None:
        simulator.knob(coreplus_quota=0)
        while _cause(company.client.preferences()) != "reads_used_up":
            pass
        simulator.knob(coreplus_quota=1_000)
        company.world.clock.sleep_ms(company.throttle.reads_rest_ms())

        assert isinstance(company.client.preferences(), Preferences)
        company.client.require_reads()


def _cause(found: object) -> str | None:
    return found.cause if isinstance(found, Refused) else None


class TestReads:
    def test_find_invoices_by_number_to_the_letter(self, company: Office) -> None:
        list(company.drain(company.pages(3), both=False))

        found = company.client.documents_by_number(["MIS-1", "mis-2", "MIS-3", "MIS-4"])

        assert isinstance(found, LookUp)
        assert sorted(str(each.doc_number) for each in found.documents) == ["MIS-1", "MIS-3"]
        assert found.documents[0].total == Decimal("150000.00")
        assert found.server_date is not None

    def test_count_our_own_invoices(self, company: Office) -> None:
        list(company.drain(company.pages(3), both=False))

        assert company.client.count_numbered() == 3

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


class TestPages:
    @pytest.mark.covers("E18")
    def test_hold_everything_once_though_more_appears_between_them(
        self, simulator: RunningSimulator
    ) -> None:
        names = {f"Fee {number:04}" for number in range(1_200)}
        simulator.control("POST", "seed", {"items": [_product(one) for one in sorted(names)]})
        between = ["A fee that sorts first", "Another one"]
        pages: list[Gate] = []

        def added(gate: Gate) -> None:
            pages.append(gate)
            if gate is Gate.ANSWER_BODY and pages.count(gate) == 1:
                simulator.control("POST", "seed", {"items": [_product(one) for one in between]})

        company = Office(simulator, gate=added)
        found = company.client.items()
        company.close()

        assert isinstance(found, tuple)
        assert len({one.id for one in found}) == len(found)
        assert {one.name for one in found} >= names | set(between)
        assert pages.count(Gate.ANSWER_BODY) > 1


def _product(name: str) -> dict[str, object]:
    return {"Name": name, "Type": "Service"}


class TestSingleSend:
    def test_takes_its_own_permit(self, company: Office) -> None:
        answered = company.client.send(
            Single(company.sending(1)), about_to_send=company.told.append
        )

        assert isinstance(answered.outcomes[0], Ok)
        assert company.throttle.in_flight == 0
