"""What is found of a company before the first invoice goes, beside a synthetic MIS."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from application import wiring
from application.catalogue import CAUSES, NotConnected
from application.embedded import Place
from application.invoices.model import Environment, ItemPolicy, Party, Realm
from application.invoices.outcomes import Refused, Unknown
from application.mis.reader import MisReader
from application.mis.tables import open_mis
from application.quickbooks.answers import Answer
from application.quickbooks.client import Client
from application.quickbooks.namesakes import NAMES_MOST, others_named, query_named
from application.services.checks import Checks
from application.services.looks import DOCTOR, DOCTOR_MIS, Check, Looks
from application.services.plans import Rules
from application.services.preflight import Preflight
from application.store.items import ItemRow
from application.world import World
from tests.rooms.simulator_support import RunningSimulator
from tests.rooms.store_support import UWASE
from tests.walks.sign_in_desk import MIS, Desk, desk_at

LIVE_NAME = "Demo University (simulator)"


class Setting:
    """A connected company beside a MIS with twenty waiting invoices."""

    def __init__(self, desk: Desk, *, mis_file: Path) -> None:
        self.desk = desk
        self.mis_file = mis_file
        self.mis = open_mis(f"sqlite:///{mis_file}", world=World())
        self.reader = MisReader(self.mis, invoices_from=None)
        self.failing: Refused | Unknown | None = None
        self.asked: list[str] = []

    def preflight(self, rules: Rules | None = None) -> Preflight:
        return Preflight(
            reader=self.reader,
            items=self.desk.rooms.items,
            rules=rules or Rules(),
            connection=self.desk.connection,
            world=self.desk.rooms.world,
            currency="RWF",
            fees_in_use=self.fees_in_use,
            others_named=self.others_named,
        )

    def look(self, rules: Rules | None = None) -> dict[str, Check]:
        return {one.word: one for one in self.preflight(rules).look(self.desk.client())}

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.mis_file)) as mis, mis:
            return mis.execute(statement).fetchall()

    def fees_in_use(self) -> Mapping[int, int]:
        found = self.rows(
            "SELECT fee_category, COUNT(*) FROM tbl_imvoice WHERE fee_category IS NOT NULL "
            "GROUP BY fee_category"
        )
        return {int(str(fee)): int(str(count)) for fee, count in found}

    def others_named(
        self, _client: Client, names: Sequence[str]
    ) -> tuple[Party, ...] | Refused | Unknown:
        return self.failing or others_named(self.ask, names)

    def ask(self, statement: str) -> Answer:
        self.asked.append(statement)
        reply = self.desk.simulator.send("GET", "query", query=statement)
        return Answer(reply.status, reply.headers["content-type"], reply.body)

    def fee_names(self) -> list[str]:
        found = self.rows("SELECT DISTINCT id, name FROM tbl_income_category")
        names = {int(str(fee)): str(name) for fee, name in found}
        return [names[fee] for fee in self.fees_in_use()]

    def payers(self) -> list[str]:
        return [str(row[0]).strip() for row in self.rows("SELECT reg_no FROM tbl_imvoice")]


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSimulator]:
    with RunningSimulator.start() as simulator:
        yield simulator


@pytest.fixture
def setting(running: RunningSimulator, tmp_path: Path) -> Iterator[Setting]:
    running.reset()
    file = tmp_path / "mis.db"
    place = Place(folder=tmp_path / "beside", demo=False)
    wiring.make_demo_mis(f"sqlite:///{file}", profile="fresh", size=20, place=place)
    with desk_at(tmp_path, running) as desk:
        desk.connect()
        setting = Setting(desk, mis_file=file)
        yield setting
        setting.mis.close()


def prefer(setting: Setting, **groups: object) -> None:
    setting.desk.simulator.control("POST", "preferences", groups)


class TestACompany:
    def test_in_order_is_told_so(self, setting: Setting) -> None:
        found = setting.look()

        assert found["quickbooks"].text.startswith(f"connected to {LIVE_NAME} (SIMULATOR)")
        assert found["custom_transaction_numbers"] == Check(
            "Custom transaction numbers", "ok", "on"
        )
        assert found["closing_date"].text == "books closed to 2021-12-31"
        assert found["currency"] == Check("Currency", "ok", "RWF")
        assert found["sales_tax"].result == "ok"
        assert found["customer_names"].result == "ok"

    @pytest.mark.parametrize(
        ("groups", "word", "cause"),
        [
            (
                {"SalesFormsPrefs": {"CustomTxnNumbers": False}},
                "custom_transaction_numbers",
                "custom_numbers_off",
            ),
            ({"TaxPrefs": {"UsingSalesTax": True}}, "sales_tax", "tax_code_needed"),
            (
                {"CurrencyPrefs": {"HomeCurrency": {"value": "USD"}}},
                "currency",
                "currency_mismatch",
            ),
            ({"CurrencyPrefs": {"MultiCurrencyEnabled": True}}, "currency", "currency_mismatch"),
        ],
    )
    def test_with_a_switch_that_costs_invoices_is_a_warning(
        self, setting: Setting, groups: dict[str, object], word: str, cause: str
    ) -> None:
        prefer(setting, **groups)

        found = setting.look()[word]

        assert (found.result, found.cause) == ("warn", cause)
        assert found.remedy == CAUSES[cause].remedy

    def test_without_a_subscription_fails(self, setting: Setting) -> None:
        setting.desk.simulator.control("POST", "company", {"suspended": True})

        found = setting.look()["quickbooks"]

        assert (found.result, found.cause) == ("fail", "company_inactive")

    def test_we_may_not_read_fails_and_says_why(self, setting: Setting) -> None:
        setting.desk.simulator.fault(
            "refuse", on="any", status=403, code="3100", message="No", detail="No", count=9
        )

        found = setting.look()

        assert {word: one.cause for word, one in found.items()} == {
            "quickbooks": "wrong_environment"
        }

    def test_the_mis_does_not_belong_to_fails(self, setting: Setting) -> None:
        other = Realm(Environment.SIMULATOR, "9130347999")
        setting.desk.rooms.leases.bind(MIS, realm=other, company_name="Other Ltd", by=UWASE)

        found = setting.look()

        assert found["binding"].cause == "company_mismatch"
        assert "Other Ltd" in found["binding"].text
        assert found["quickbooks"].result == "ok"

    def test_nobody_connected_has_nothing_to_look_at(self, setting: Setting) -> None:
        client = setting.desk.client()
        setting.desk.connection.disconnect()

        with pytest.raises(NotConnected):
            setting.preflight().look(client)


class TestFees:
    def test_without_a_product_are_counted_and_named(self, setting: Setting) -> None:
        found = setting.look()["fee_categories"]

        names = setting.fee_names()
        assert (found.result, found.cause) == ("warn", "fee_category_unmapped")
        assert found.text.startswith(f"{len(names)} of {len(names)} fees in use have no product")
        assert "with 20 invoices: " in found.text

    def test_with_products_are_in_order(self, setting: Setting) -> None:
        items = [{"Name": name} for name in dict.fromkeys(setting.fee_names())]
        setting.desk.simulator.control("POST", "seed", {"items": items})

        assert setting.look()["fee_categories"].result == "ok"

    def test_somebody_chose_a_product_for_are_in_order(self, setting: Setting) -> None:
        setting.look()
        tag = setting.desk.realm.tag
        product = next(iter(setting.desk.rooms.items.by_key(tag).values()))
        for fee in setting.fees_in_use():
            setting.desk.rooms.items.choose(
                tag, fee, item=ItemRow(product.id, product.name), by=UWASE
            )

        assert setting.look()["fee_categories"].result == "ok"

    @pytest.mark.parametrize(
        ("default", "result"), [("Services", "ok"), ("Moon dust", "warn"), (None, "warn")]
    )
    def test_taken_by_one_product_need_that_one(
        self, setting: Setting, default: str | None, result: str
    ) -> None:
        rules = Rules(item_policy=ItemPolicy.DEFAULT, item_default=default)

        assert setting.look(rules)["fee_categories"].result == result

    def test_whose_products_are_created_are_in_order(self, setting: Setting) -> None:
        found = setting.look(Rules(item_policy=ItemPolicy.CREATE))["fee_categories"]

        assert found.result == "ok"
        assert found.text.endswith("a product is created for each when it is needed")

    def test_the_mis_does_not_know_are_named_by_number(self, setting: Setting) -> None:
        setting.rows("UPDATE tbl_imvoice SET fee_category = 999999")

        found = setting.look(Rules(item_policy=ItemPolicy.CREATE))["fee_categories"]

        assert (found.result, found.cause) == ("warn", "fee_category_unmapped")
        assert "1 of 1 fee in use have no product, with 20 invoices: 999999" in found.text


class TestNames:
    def test_that_belong_to_others_are_told(self, setting: Setting) -> None:
        taken = sorted(set(setting.payers()))[:2]
        setting.desk.simulator.create("Vendor", {"DisplayName": taken[0]}, requestid="v1")
        setting.desk.simulator.control("POST", "seed", {"employees": [{"DisplayName": taken[1]}]})

        found = setting.look()["customer_names"]

        assert (found.result, found.cause) == ("warn", "duplicate_customer_name")
        assert f"{taken[0]} (vendor)" in found.text
        assert f"{taken[1]} (employee)" in found.text

    def test_that_could_not_be_asked_for_are_no_pass(self, setting: Setting) -> None:
        setting.failing = Unknown(why="time_out")

        assert setting.look()["customer_names"].result == "warn"

    def test_are_asked_for_by_the_page(self, setting: Setting) -> None:
        names = [f"25/{number:05d}/O'Neil\\" for number in range(2 * NAMES_MOST + 1)]
        setting.desk.simulator.create("Vendor", {"DisplayName": names[-1]}, requestid="v1")

        found = others_named(setting.ask, names)

        assert isinstance(found, tuple)
        assert [(one.display_name, one.kind) for one in found] == [(names[-1], "Vendor")]
        assert len(setting.asked) == 6
        assert query_named("Vendor", names=["O'Neil"]).endswith(
            r"where DisplayName in ('O\'Neil') maxresults 1000"
        )

    def test_of_nobody_are_not_asked_for(self, setting: Setting) -> None:
        assert others_named(setting.ask, []) == ()
        assert setting.asked == []

    def test_end_at_the_first_answer_that_failed(self) -> None:
        lost = Unknown(why="reset")

        assert others_named(lambda _statement: lost, ["a"]) is lost


class TestKnown:
    def test_is_what_the_last_look_found(self, setting: Setting) -> None:
        preflight = setting.preflight()
        tag = setting.desk.realm.tag
        assert preflight.known(tag) is None

        checks = preflight.look(setting.desk.client())
        asked = len(setting.desk.simulator.log())
        seen = preflight.known(tag)

        assert seen is not None
        assert list(seen.checks) == checks
        assert seen.at <= setting.desk.clock.now()
        assert len(setting.desk.simulator.log()) == asked
        assert preflight.known(None) is None


class TestDoctor:
    def test_shows_the_same_checks_and_the_keys(self, setting: Setting) -> None:
        desk = setting.desk
        looks = Looks(desk.rooms.items, clock=desk.clock)
        checks = Checks(
            reader=setting.reader,
            connection=desk.connection,
            client=desk.client,
            audit=desk.rooms.audit,
            shown=list,
            preflight=setting.preflight(),
            looks=looks,
        )

        found = checks.all()
        words = [one.word for one in found]

        assert words[-6:] == [
            "custom_transaction_numbers",
            "closing_date",
            "sales_tax",
            "currency",
            "fee_categories",
            "customer_names",
        ]
        assert {"audit_log", "encryption_keys", "quickbooks"} <= set(words)
        kept, of_the_mis = looks.known(DOCTOR), looks.known(DOCTOR_MIS)
        assert kept is not None
        assert of_the_mis is not None
        assert list(kept.checks) == found
        assert kept.passed == all(one.result != "fail" for one in found)
        assert set(of_the_mis.checks) < set(kept.checks)
