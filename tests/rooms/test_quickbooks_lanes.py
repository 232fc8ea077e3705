"""Both lanes against the real simulator, over HTTP."""

import threading
from collections.abc import Callable, Iterator

import pytest

from application.catalogue import LeaseLost, MisUnavailable
from application.invoices.model import (
    CustomerDraft,
    Kind,
    request_id,
)
from application.invoices.outcomes import Ok, Outcome, Passing, Refused, Unknown
from application.quickbooks import wire
from application.quickbooks.client import (
    Answered,
    Bundle,
    Sending,
    Work,
)
from application.quickbooks.lanes import Lanes
from tests.rooms.quickbooks_office import SCALE, Office, body_of, outcomes
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

    @pytest.mark.covers("A14")
    def test_judge_each_item_of_a_bundle_alone(self, company: Office) -> None:
        company.simulator.create("Invoice", body_of(company, "MIS-2"))
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


class TestTrouble:
    @pytest.mark.covers("A13")
    @pytest.mark.parametrize("kind", ["missing_bid", "doubled_bid"])
    def test_with_places_leaves_those_unknown(self, company: Office, kind: str) -> None:
        company.simulator.fault(kind, on="batch", count=1)

        found = outcomes(list(company.drain(company.pages(30))))

        unknown = [outcome for outcome in found.values() if isinstance(outcome, Unknown)]
        assert unknown
        assert {outcome.why for outcome in unknown} <= {"missing_place", "doubled_place"}
        assert len(company.numbers()) == 30

    @pytest.mark.covers("A4", "E4", "E8")
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

    @pytest.mark.covers("D5")
    def test_with_the_sign_in_is_mended_once(self, company: Office) -> None:
        company.simulator.control("POST", "expire-tokens")

        found = outcomes(list(company.drain(company.pages(30))))

        assert {type(outcome) for outcome in found.values()} == {Ok}
        assert company.renewed == 1
        assert len(company.told) == 2

    @pytest.mark.covers("E1")
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
