"""Every recorded misbehaviour of an HTTP server, on every lane, judged as section 8 says."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence

import pytest

from application.catalogue import LeaseLost
from application.invoices.outcomes import Passing, Refused, Unknown
from application.quickbooks.client import Bundle, Single, Work
from tests.proof.figures import told
from tests.rooms.bad_bodies import BODIES
from tests.rooms.floods import FLOODS
from tests.rooms.hostile_peer import HostilePeer, Script, answer, in_conversation, say
from tests.rooms.misbehaviour import FAULT, GOOD, Class, Lane, Misbehaviour
from tests.rooms.misbehaviours import TABLE
from tests.rooms.test_quickbooks_peer import Setting, sending

ROWS = (*TABLE, *BODIES)
ROWS_LEAST = 60
PEAK_MB_MOST = 200
KEEP = answer(GOOD[Lane.SINGLE].body, connection="keep-alive")
REFUSAL = answer(FAULT, status="400 Bad Request", connection="keep-alive")
_PASSING = {
    Passing.NO: Class.REFUSED,
    Passing.PAUSE: Class.PAUSE,
    Passing.STOP: Class.SIGN_IN,
    Passing.NOT_SENT: Class.NOT_SENT,
}


def class_of(outcome: object) -> Class:
    """Return the class of section 8 an outcome or a read stands for."""
    match outcome:
        case Unknown():
            return Class.UNKNOWN
        case Refused(passing=passing):
            return _PASSING[passing]
        case _:
            return Class.OK


def asked(setting: Setting, *, lane: Lane) -> Sequence[object]:
    """Ask on a lane and return what came of each invoice asked for."""
    if lane is Lane.QUERY:
        return (setting.client.documents_by_number(["MIS-1"]),)
    work: Work = Single(sending())
    if lane is Lane.BUNDLE:
        work = Bundle.of([sending(1), sending(2)])
    return setting.client.send(work, about_to_send=setting.sent.append).outcomes


def expected(row: Misbehaviour, *, lane: Lane) -> list[Class]:
    """Return the class of each invoice asked for."""
    if lane is not Lane.BUNDLE:
        return [row.means]
    return [row.means, Class.OK if row.first_place_only else row.means]


@pytest.mark.covers("E3", "E4", "E5", "E17", "E22")
class TestMisbehaviour:
    @pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
    def test_is_of_the_class_the_protocol_gives_it(self, row: Misbehaviour) -> None:
        for lane in row.lanes:
            with HostilePeer(row.does(GOOD[lane])) as peer:
                setting = Setting(peer.url, read_timeout_ms=200)
                outcomes = asked(setting, lane=lane)
                setting.client.close()

            assert [class_of(one) for one in outcomes] == expected(row, lane=lane), (lane, outcomes)
            # Nothing is ever sent again by itself; a sign-in that ended allows one more.
            assert peer.connections == (2 if row.means is Class.SIGN_IN else 1)

    def test_of_each_name_is_there_once_and_there_are_enough(self) -> None:
        names = [row.name for row in ROWS]

        assert len(set(names)) == len(names) >= ROWS_LEAST
        told("TN1", rows=len(ROWS), tried=sum(len(row.lanes) for row in ROWS))


def second_of(scripts: Sequence[Script], *, idle: bool = False) -> tuple[object, HostilePeer]:
    """Send two invoices, the second after the peer hung up if idle; return what came of it."""
    with HostilePeer(scripts) as peer:
        setting = Setting(peer.url)
        setting.outcome()
        if idle:
            _until(peer.hung_up.wait)
        answered = setting.client.send(Single(sending(2)), about_to_send=setting.sent.append)
        setting.client.close()
    return answered.outcomes[0], peer


@pytest.mark.covers("E3", "E22")
class TestConnection:
    def test_that_behaves_is_kept(self) -> None:
        outcome, peer = second_of([in_conversation(KEEP, KEEP)])

        assert (class_of(outcome), peer.connections) == (Class.OK, 1)

    @pytest.mark.parametrize("behind", [REFUSAL, KEEP, b"rubbish", b"\r\n"], ids=len)
    def test_that_said_more_than_its_answer_carries_no_other_request(self, behind: bytes) -> None:
        outcome, peer = second_of(
            [in_conversation(KEEP + behind, KEEP), say(GOOD[Lane.SINGLE].whole)]
        )

        assert (class_of(outcome), peer.connections) == (Class.OK, 2)

    def test_that_was_closed_while_idle_is_replaced(self) -> None:
        scripts = [in_conversation(KEEP), say(GOOD[Lane.SINGLE].whole)]

        outcome, peer = second_of(scripts, idle=True)

        assert (class_of(outcome), peer.connections) == (Class.OK, 2)

    def test_that_closes_on_the_second_request_leaves_it_unknown_and_unrepeated(self) -> None:
        outcome, peer = second_of([in_conversation(KEEP, b""), say(GOOD[Lane.SINGLE].whole)])

        assert (class_of(outcome), peer.connections) == (Class.UNKNOWN, 1)

    @pytest.mark.parametrize("greeting", [REFUSAL, KEEP, b"220 mail\r\n"], ids=len)
    def test_that_answers_before_it_was_asked_proves_nothing(self, greeting: bytes) -> None:
        with HostilePeer(say(GOOD[Lane.SINGLE].whole), greeting=greeting) as peer:
            setting = Setting(peer.url)
            answered = setting.client.send(
                Single(sending()), about_to_send=lambda _work: _until(peer.greeted.wait)
            )
            setting.client.close()

        assert class_of(answered.outcomes[0]) is Class.UNKNOWN
        assert peer.requests == []

    def test_that_answers_early_is_left_unsent_when_the_attempt_cannot_be_written(self) -> None:
        def lost(_work: Work) -> None:
            raise LeaseLost(epoch=7)

        with HostilePeer(say(b""), greeting=REFUSAL) as peer:
            setting = Setting(peer.url)
            with pytest.raises(LeaseLost):
                setting.client.send(Single(sending()), about_to_send=lost)
            setting.client.close()

        assert peer.requests == []


@pytest.mark.covers("E4", "E5")
class TestFlood:
    def test_is_unknown_and_never_fills_the_memory(self) -> None:
        outcomes: dict[str, str] = {}
        peaks: dict[str, int] = {}
        for row in FLOODS:
            with HostilePeer(row.does(GOOD[Lane.SINGLE])) as peer:
                weighed = subprocess.run(  # noqa: S603 - our own client, at our own peer
                    [sys.executable, "-m", "tests.rooms.weighed_client", peer.url],
                    check=True,
                    capture_output=True,
                    timeout=60,
                )
            weight = json.loads(weighed.stdout)
            outcomes[row.name], peaks[row.name] = weight["class"], weight["peak_mb"]

        told("TN1", peak_mb=max(peaks.values()), floods=len(FLOODS))
        assert outcomes == dict.fromkeys(outcomes, Class.UNKNOWN.value)
        assert {name: peak for name, peak in peaks.items() if peak >= PEAK_MB_MOST} == {}


def _until(wait: Callable[[float], bool]) -> None:
    assert wait(5)
