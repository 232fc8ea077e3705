"""How much one answer may hold, and how exactly an amount in it is kept."""

import json
from decimal import Decimal

from application.invoices.model import Document, Kind
from application.invoices.outcomes import Ok, Unknown
from application.quickbooks import answers, wire
from tests.core.test_wire_answers import sample
from tests.core.test_wire_reads import answer, invoice


class TestAnswer:
    def test_takes_as_many_values_as_are_allowed(self) -> None:
        body = '{"a":[' + "1," * (answers.VALUES_MAX - 3) + "1]}"

        outcome = wire.judge(answer(body), kind=Kind.INVOICE)

        assert outcome == Unknown(why="shape_Invoice")

    def test_takes_a_full_page_of_long_invoices(self) -> None:
        row = json.loads(sample("200_invoice.json").body)["Invoice"]
        row["Line"] *= 20
        body = json.dumps({"QueryResponse": {"Invoice": [row] * (wire.PAGE_ROWS - 1)}})

        found = wire.read_documents(answer(body))

        assert isinstance(found, tuple)
        assert len(found) == wire.PAGE_ROWS - 1

    def test_loses_no_digit_of_a_total(self) -> None:
        shown = invoice(TotalAmt=7_654_321, TxnTaxDetail={"TotalTax": 1_234_567})
        row = json.dumps(shown, default=str)
        body = row.replace("7654321", "9" * 18).replace("1234567", "0.000000000000000001")

        outcome = wire.judge(answer(f'{{"Invoice":{body}}}'), kind=Kind.INVOICE)

        assert isinstance(outcome, Ok)
        assert isinstance(outcome.found, Document)
        assert outcome.found.total == Decimal("999999999999999998.999999999999999999")
