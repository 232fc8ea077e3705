"""Payers become customers: through the real client, a simulated QuickBooks and a real store."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from application.invoices.model import IntentState, Kind, PayerKind, Student
from application.quickbooks.client import Bundle, Work
from application.services.customers import Customers
from application.services.payers import Blocked, Errand, Linked, Parked, Payers
from application.store.journal import Send
from tests.rooms.desk_support import WAITS as USUAL
from tests.rooms.quickbooks_office import Office
from tests.rooms.simulator_support import RunningSimulator
from tests.rooms.store_support import UWASE, Rooms, rooms_on

SENDS_MAX = 5
CODES = [f"25/{number:05}/BBA" for number in range(30)]
WAITS = replace(USUAL, grace_ms=0, retry_delay_ms=1)


class Desk:
    """Everything that creates customers, and the simulator's own account of it."""

    def __init__(self, simulator: RunningSimulator, rooms: Rooms) -> None:
        self.simulator = simulator
        self.rooms = rooms
        self.office = Office(simulator)
        self.lease = rooms.lease()
        self._customers = Customers(
            journal=rooms.journal,
            links=rooms.customers,
            payers=Payers(
                journal=rooms.journal,
                links=rooms.customers,
                client=self.office.client,
                world=self.office.world,
            ),
            lanes=self.office.lanes,
            world=self.office.world,
            waits=WAITS,
        )
        self._errand = Errand(
            realm=self.office.realm,
            lease=replace(self.lease, realm_tag=self.office.realm.tag),
            by=UWASE,
            about_to_send=self._note,
            every=lambda: None,
            stop=lambda: False,
            both=False,
            max_retries=3,
            sends_max=SENDS_MAX,
        )

    def _note(self, work: Work) -> None:
        lane = "batch" if isinstance(work, Bundle) else "single"
        sends = [Send(intent_id=one.intent_id, lane=lane) for one in work.sendings]
        self.rooms.journal.attempt(sends, lease=self._errand.lease, by=UWASE)

    def answers(self, *codes: str) -> dict[str, object]:
        students = {code: _student(code) for code in codes}
        return dict(self._customers.ids_for(students, errand=self._errand))

    def there(self, code: str, *, kind: str = "customers", active: bool = True) -> str:
        one = {"DisplayName": code, "Active": active}
        made = self.simulator.control("POST", "seed", {kind: [one]})
        return str(made[kind][0])

    def reads_of(self, *codes: str) -> tuple[dict[str, object], int]:
        """Return the answers, and how many reads they cost."""
        before = len(self.simulator.log())
        answers = self.answers(*codes)
        asked = self.simulator.log()[before:]
        return answers, sum(one["method"] == "GET" for one in asked)

    def state(self, code: str) -> tuple[IntentState, int]:
        kept = self.rooms.journal.intents_of(
            self.office.realm.tag, kind=Kind.CUSTOMER, keys=[code]
        )[code]
        return kept.state, kept.sends


def _student(code: str) -> Student:
    return Student(code, PayerKind.STUDENT, "Test", None, "Person", (), ())


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with RunningSimulator.start() as running:
        yield running


@pytest.fixture
def desk(simulator: RunningSimulator, tmp_path: Path) -> Iterator[Desk]:
    simulator.reset()
    url = f"sqlite:///{tmp_path}/own/store.db"
    with rooms_on(url, locks=tmp_path / "locks") as rooms:
        made = Desk(simulator, rooms)
        yield made
        made.office.close()
        assert rooms.audit.verify().intact


class TestCustomersThatAreThere:
    def test_are_taken_over_with_one_read_for_a_page(self, desk: Desk) -> None:
        ids = {code: desk.there(code) for code in CODES}

        answers, reads = desk.reads_of(*CODES)

        assert answers == {code: Linked(one) for code, one in ids.items()}
        assert reads == 1
        assert {desk.state(code) for code in CODES} == {(IntentState.CONFIRMED, 1)}
        assert len(desk.simulator.ledger("Customer")) == len(CODES) + 1

    def test_are_taken_over_beside_others_that_cannot_be(self, desk: Desk) -> None:
        mine, new, vendor, away, cased = "25/1/BBA", "25/2/BBA", "25/3/BBA", "25/4/BBA", "25/5/BBA"
        linked = desk.there(mine)
        desk.there(vendor, kind="vendors")
        desk.there(away, active=False)
        desk.there(cased.lower())

        answers = desk.answers(mine, new, vendor, away, cased)

        causes = {
            code: one.refused.cause for code, one in answers.items() if isinstance(one, Blocked)
        }
        assert answers[mine] == Linked(linked)
        assert isinstance(answers[new], Linked)
        assert isinstance(answers[away], Linked)  # QuickBooks renames who is made inactive
        assert causes == {
            vendor: "duplicate_customer_name",
            cased: "duplicate_customer_name",
        }

    def test_wait_while_quickbooks_cannot_be_asked(self, desk: Desk) -> None:
        codes = CODES[:3]
        for code in codes:
            desk.there(code)
        desk.simulator.fault("html_503", on="query", count=1)

        parked = desk.answers(*codes)
        later = desk.answers(*codes)

        assert {type(one) for one in parked.values()} == {Parked}
        assert {type(one) for one in later.values()} == {Linked}
        assert {desk.state(code)[1] for code in codes} == {1}

    def test_are_no_second_payers(self, desk: Desk) -> None:
        taken, own = "25/1/BBA", "25/2/BBA"
        ids = {code: desk.there(code) for code in (taken, own)}
        desk.rooms.customers.link(
            desk.office.realm.tag, "25/9/BBA", ids[taken], adopted=True, by=UWASE, lease=desk.lease
        )

        answers = desk.answers(taken, own)

        assert answers[own] == Linked(ids[own])
        assert isinstance(answers[taken], Blocked)


class TestACustomerThatIsNeverKept:
    def test_is_sent_so_often_and_then_waits_for_a_person(self, desk: Desk) -> None:
        code = CODES[0]
        desk.simulator.fault("server_error_10000", on="customer", rate=1)

        answers = [desk.answers(code)[code] for _ in range(SENDS_MAX * 2 + 1)]

        answer = answers[-1]
        assert {type(one) for one in answers[:-1]} == {Parked}
        assert isinstance(answer, Blocked)
        assert answer.refused.cause == "quickbooks_rejected"
        assert desk.state(code) == (IntentState.REFUSED, SENDS_MAX)
        sent = [one for one in desk.simulator.log() if one["status"] == 500]
        assert len(sent) == SENDS_MAX
        assert len({one["requestid"] for one in sent}) == 1
