"""A request id that depended on time, attempt or payload would create a second invoice.

The arguments of the two pure functions are pinned, and so is one value of each: a change of the
formula after the first live day forgets every id QuickBooks remembers. It cannot see a caller
that passes a clock in as `key`.
"""

import inspect

from application.invoices import model

REALM = model.Realm(environment=model.Environment.SIMULATOR, company_id="1001")


class TestRequestId:
    def test_takes_realm_key_operation_and_generation_and_nothing_else(self) -> None:
        assert list(inspect.signature(model.request_id).parameters) == [
            "realm",
            "key",
            "operation",
            "generation",
        ]

    def test_keeps_the_value_it_had_on_the_first_day(self) -> None:
        number = model.request_id(REALM, key="MIS-12345", operation="create-invoice", generation=1)

        assert number == "fba7c1bee9fe093c6e17f9d5d877780df2"

    def test_differs_with_each_of_its_arguments(self) -> None:
        other = model.Realm(environment=model.Environment.SIMULATOR, company_id="1002")
        made = {
            model.request_id(realm, key=key, operation=operation, generation=generation)
            for realm in (REALM, other)
            for key in ("MIS-1", "MIS-2")
            for operation in ("create-invoice", "create-customer")
            for generation in (1, 2)
        }

        assert len(made) == 16


class TestDocNumber:
    def test_is_the_guide_s_prefix_and_the_id(self) -> None:
        assert model.doc_number(12345) == "MIS-12345"
