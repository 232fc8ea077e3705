"""Two public clients that know nothing of us must work: section 16.1 of the design's page."""

from collections.abc import Iterator
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from intuitlib.client import AuthClient
from intuitlib.enums import Scopes
from intuitlib.exceptions import AuthClientError
from quickbooks import QuickBooks
from quickbooks.batch import batch_create
from quickbooks.exceptions import ValidationException
from quickbooks.objects.account import Account
from quickbooks.objects.base import PhoneNumber, Ref
from quickbooks.objects.company_info import CompanyInfo
from quickbooks.objects.customer import Customer
from quickbooks.objects.detailline import SalesItemLine, SalesItemLineDetail
from quickbooks.objects.invoice import Invoice
from quickbooks.objects.item import Item
from quickbooks.objects.preferences import Preferences

from tests.rooms.simulator_support import RunningSimulator

CALLBACK = "http://localhost:5000/callback"


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSimulator]:
    with RunningSimulator.start() as simulator:
        yield simulator


@pytest.fixture
def simulator(running: RunningSimulator) -> RunningSimulator:
    running.reset()
    return running


@pytest.fixture
def signed_in(simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[AuthClient]:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    with AuthClient(
        simulator.client_id,
        simulator.client_secret,
        CALLBACK,
        environment=f"{simulator.url}/.well-known/openid_configuration/",
    ) as client:
        address = client.get_authorization_url([Scopes.ACCOUNTING], state_token="s-1")  # noqa: S106  # not a secret, the client calls it so
        answer = requests.get(address + "&auto=approve", allow_redirects=False, timeout=20)
        values = parse_qs(urlsplit(answer.headers["Location"]).query)
        client.get_bearer_token(values["code"][0], realm_id=values["realmId"][0])
        yield client


@pytest.fixture
def books(
    simulator: RunningSimulator, signed_in: AuthClient, monkeypatch: pytest.MonkeyPatch
) -> Iterator[QuickBooks]:
    monkeypatch.setattr(QuickBooks, "api_url_v3", simulator.url + "/v3")
    monkeypatch.setattr(QuickBooks, "sandbox_api_url_v3", simulator.url + "/v3")
    client = QuickBooks(
        auth_client=signed_in,
        refresh_token=signed_in.refresh_token,
        company_id=simulator.realm_id,
        minorversion=75,
        use_decimal=True,
    )
    yield client
    client.session.close()


def product(books: QuickBooks, name: str = "Tuition") -> Item:
    item = Item()
    item.Name = name
    item.Type = "Service"
    item.IncomeAccountRef = Account.filter(AccountType="Income", qb=books)[0].to_ref()
    return item.save(qb=books)


def payer(books: QuickBooks, name: str = "25/00411/BBA") -> Customer:
    customer = Customer()
    customer.DisplayName = name
    customer.GivenName = "Aline"
    customer.FamilyName = "Uwase"
    customer.PrimaryPhone = PhoneNumber()
    customer.PrimaryPhone.FreeFormNumber = "+250 788 111 222"
    return customer.save(qb=books)


def bill(item: Item, customer: Customer, number: str = "MIS-1") -> Invoice:
    line = SalesItemLine()
    line.Amount = Decimal("150000.00")
    line.Description = "Tuition fee"
    line.SalesItemLineDetail = SalesItemLineDetail()
    line.SalesItemLineDetail.ItemRef = item.to_ref()
    invoice = Invoice()
    invoice.DocNumber = number
    invoice.TxnDate = "2026-01-15"
    invoice.CustomerRef = customer.to_ref()
    invoice.Line.append(line)
    return invoice


class TestIntuitOauth:
    def test_signs_in_refreshes_and_revokes(self, signed_in: AuthClient) -> None:
        first = signed_in.refresh_token

        signed_in.refresh()
        second = signed_in.refresh_token
        signed_in.revoke()

        assert first != second
        with pytest.raises(AuthClientError):
            signed_in.refresh()

    def test_reads_a_refusal_with_its_tid(self, signed_in: AuthClient) -> None:
        with pytest.raises(AuthClientError) as raised:
            signed_in.refresh(refresh_token="nobody's")  # noqa: S106  # as above

        assert raised.value.status_code == 400
        assert raised.value.intuit_tid


class TestPythonQuickbooks:
    def test_creates_a_customer_an_item_and_an_invoice(
        self, simulator: RunningSimulator, books: QuickBooks
    ) -> None:
        item = product(books)
        customer = payer(books)
        invoice = bill(item, customer).save(qb=books, request_id="one")

        assert invoice.Id == "1"
        assert invoice.TotalAmt == Decimal("150000.00")
        assert invoice.CustomerRef.name == "25/00411/BBA"
        entry = simulator.ledger()[0]
        assert (entry["DocNumber"], entry["TotalAmt"]) == ("MIS-1", "150000.00")
        assert entry["ItemRef"] == item.Id

    def test_posts_our_answers_back_to_us(self, books: QuickBooks) -> None:
        invoice = bill(product(books), payer(books)).save(qb=books)
        found = Invoice.get(invoice.Id, qb=books)

        found.PrivateNote = "first instalment"
        changed = found.save(qb=books)

        assert changed.SyncToken == "1"
        assert changed.PrivateNote == "first instalment"
        assert changed.TotalAmt == Decimal("150000.00")

    def test_finds_by_name_number_id_and_pages(self, books: QuickBooks) -> None:
        item, customer = product(books), payer(books)
        bill(item, customer).save(qb=books)

        assert [one.Name for one in Item.all(qb=books)] == ["Services", "Tuition"]
        assert Customer.filter(DisplayName="25/00411/BBA", Active=True, qb=books)[0].Id == "1"
        assert len(Invoice.choose(["MIS-1", "MIS-2"], field="DocNumber", qb=books)) == 1
        assert Invoice.count(qb=books) == 1
        assert Item.all(order_by="Id", start_position=2, max_results=1, qb=books)[0].Id == item.Id

    def test_reads_company_and_preferences(
        self, simulator: RunningSimulator, books: QuickBooks
    ) -> None:
        company = CompanyInfo.get(simulator.realm_id, qb=books)
        preferences = Preferences.get(qb=books)

        assert company.CompanyName == "Demo University (simulator)"
        assert preferences.SalesFormsPrefs.CustomTxnNumbers is True

    def test_sends_a_batch_with_long_bids(
        self, simulator: RunningSimulator, books: QuickBooks
    ) -> None:
        item, customer = product(books), payer(books)

        answer = batch_create(
            [bill(item, customer, "A"), bill(item, customer, "B"), bill(item, customer, "A")],
            qb=books,
        )

        assert len(answer.successes) == 2
        assert answer.faults[0].Error[0].code == "6140"
        assert simulator.violations()["long_bid"] == 1

    def test_voids_and_deletes(self, books: QuickBooks) -> None:
        item, customer = product(books), payer(books)
        first = bill(item, customer, "A").save(qb=books)
        second = bill(item, customer, "B").save(qb=books)

        first.void(qb=books)
        second.delete(qb=books)

        left = Invoice.all(qb=books)
        assert [(one.DocNumber, one.TotalAmt) for one in left] == [("A", 0)]

    def test_understands_our_refusals(self, books: QuickBooks) -> None:
        with pytest.raises(ValidationException) as raised:
            Invoice.where("Nonsense = '1'", qb=books)

        assert raised.value.error_code == 4001

    def test_makes_a_reference_of_a_number(
        self, simulator: RunningSimulator, books: QuickBooks
    ) -> None:
        customer = payer(books)
        reference = Ref()
        reference.value = 1
        invoice = bill(product(books), customer)
        invoice.CustomerRef = reference

        invoice.save(qb=books)

        assert simulator.violations()["numeric_id"] >= 1
