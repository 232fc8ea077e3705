"""The checker's own reading of QuickBooks: pages, exact amounts, tokens, patience, no guess."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from application.verify.quickbooks_book import QuickBooksBook, Road
from application.verify.values import Unreadable
from tests.rooms.simulator_support import RunningSimulator

MANY = 1_100


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with RunningSimulator.start() as one:
        invoices = [
            {"CustomerName": "20230001", "DocNumber": f"MIS-{number}", "Total": "12500.55"}
            for number in range(1, MANY + 1)
        ]
        one.control("POST", "seed", {"invoices": invoices})
        one.control("POST", "seed", {"invoices": [{**invoices[0], "DocNumber": "1001"}]})
        yield one


class Reader:
    """The checker's book, with what it asked for on the way."""

    def __init__(self, simulator: RunningSimulator) -> None:
        self._simulator = simulator
        self.refused: list[str | None] = []
        self.waited_ms: list[int] = []
        self.book = QuickBooksBook(
            Road(
                base=simulator.url,
                company=simulator.realm_id,
                token=self._token,
                wait_ms=self.waited_ms.append,
            )
        )

    def _token(self, refused: str | None) -> str:
        self.refused.append(refused)
        if len(self.refused) == 1:
            return "stale"
        return str(self._simulator.token()["access_token"])


@pytest.fixture
def reader(simulator: RunningSimulator) -> Iterator[Reader]:
    yield Reader(simulator)
    simulator.control("DELETE", "faults")


class TestReading:
    def test_counts_first_and_takes_every_page(self, reader: Reader) -> None:
        invoices, customers = reader.book.count()
        pages = list(reader.book.documents())

        found = [one for page in pages for one in page]
        assert (invoices, customers) == (MANY, 1)
        assert [len(page) for page in pages] == [1000, 100]
        assert {one.invoice_id for one in found} == set(range(1, MANY + 1))
        assert {one.total for one in found} == {Decimal("12500.55")}

    def test_takes_one_new_token_for_a_refused_one(self, reader: Reader) -> None:
        reader.book.count()

        assert reader.refused[:2] == [None, "stale"]
        assert set(reader.refused[2:]) == {None}

    def test_waits_as_long_as_it_is_told_to(
        self, reader: Reader, simulator: RunningSimulator
    ) -> None:
        reader.book.count()
        simulator.fault("throttle_429", count=1)

        assert len(reader.book.numbered(["MIS-7"])) == 1
        assert max(reader.waited_ms) >= 1000

    def test_finds_by_number_and_by_id(self, reader: Reader) -> None:
        [found] = reader.book.numbered(["MIS-7", "MIS-99999"])

        assert reader.book.by_id(found.id) == found
        assert reader.book.by_id("9999999") is None

    @pytest.mark.parametrize(
        "kind",
        [
            "html_404",
            "html_502",
            "stream_timeout",
            "bad_json_200",
            "nan",
            "doubled_keys",
            "wrong_length",
            "drop_half_answer",
            "drop_after_commit",
            "gzip_bomb",
            "server_error_10000",
        ],
    )
    def test_takes_no_broken_answer_for_an_empty_one(
        self, reader: Reader, simulator: RunningSimulator, kind: str
    ) -> None:
        reader.book.count()
        simulator.fault(kind, count=1)

        with pytest.raises(Unreadable) as refused:
            reader.book.numbered(["MIS-7"])

        assert refused.value.book == "quickbooks"
