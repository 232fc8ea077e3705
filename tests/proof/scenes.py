"""The situations in which senders pass their gates: one for every gate there is."""

import shutil
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from application.world import Gate
from tests.proof.children import Child
from tests.proof.deeds import Deed
from tests.proof.places import Home
from tests.walks import observer

AWAY_S = 250  # of the simulator's; a run gives up after 60


def nothing(home: Home) -> None:
    """Leave a home as it is."""
    del home


def left_alone(home: Home, child: Child) -> None:
    """Let a process do what it does."""
    del home, child


@dataclass(frozen=True)
class Scene:
    """A situation: what happened before, what a process does, who disturbs it meanwhile."""

    name: str
    verb: str = "all"
    size: int = 12
    before: Callable[[Home], None] = nothing
    meanwhile: Callable[[Home, Child], None] = left_alone
    settings: Mapping[str, str] = field(default_factory=dict)
    pace_ms: int = 0  # how long every step takes
    agrees: bool = True  # whether the books agree before anybody does anything
    takes: bool = False  # somebody takes the first invoice before it is claimed
    after: tuple[str, ...] = ("all",)  # what the next process does


def statuses(home: Home) -> set[int]:
    """Return which flags the MIS shows, without asking QuickBooks."""
    return set(observer.look(home.folder / "mis.db", []).counts)


def _first(home: Home) -> int:
    return min(observer.look(home.folder / "mis.db", []).status)


def _connected(home: Home) -> None:
    assert home.done(Deed("use")).code == 0


def _stale(home: Home) -> None:
    _connected(home)
    home.simulator.control("POST", "expire-tokens")


def _answers_lost(home: Home) -> None:
    home.simulator.fault("drop_after_commit", on="invoice", count=2)


def _requests_lost(home: Home) -> None:
    home.simulator.fault("drop_before_commit", on="invoice", count=2)


def _away(home: Home, child: Child) -> None:
    """Have QuickBooks go away for longer than a run waits, once rows are claimed."""
    child.until(lambda: 3 in statuses(home))
    home.simulator.fault("refuse_connection", seconds=AWAY_S)


def _left_claimed(home: Home) -> None:
    assert home.done(Deed("all", gate=Gate.CLAIM_WRITTEN)).code == -signal.SIGKILL


def _all_sent(home: Home) -> None:
    assert home.done(Deed("all")).code == 0


def _restored(home: Home) -> None:
    """Everything was sent; then our store is lost and the MIS is restored from an old copy."""
    _all_sent(home)
    shutil.rmtree(home.folder / "var" / "store")
    home.sql("UPDATE tbl_imvoice SET QuickBk_Status = 0, pushed_by = NULL, pushed_date = NULL")


def _without_store(home: Home) -> None:
    shutil.rmtree(home.folder / "var" / "store")


def _slow(home: Home) -> None:
    home.simulator.knob(latency_ms=[60, 60])


def _stopped(home: Home, child: Child) -> None:
    """Ask a server for everything, and to stop while it is at work."""
    child.until(lambda: "port" in child.said)
    home.ask(child, "/api/v1/sync/all")
    child.until(lambda: home.look().counts.get(1, 0) > 1)
    child.send(signal.SIGTERM)


def _asked(home: Home, child: Child) -> None:
    child.until(lambda: "port" in child.said)
    home.ask(child, "/api/v1/sync/all")


BULK = Scene("everything")
PAIRS = Scene("bundles", size=36)
ONE = Scene("one", verb="single")
LONG = Scene("a durable run", verb="long", after=("long", "all"))
SERVED = Scene("a server's run", verb="serve", meanwhile=_asked, after=("long", "all"))
STOPPED = Scene(
    "a server that stops", verb="serve", size=36, before=_slow, meanwhile=_stopped,
    after=("long", "all"),
)  # fmt: skip
LOST = Scene("answers lost", before=_answers_lost)
ABSENT = Scene("requests lost", before=_requests_lost)
TAKEN = Scene("a row taken by somebody", takes=True)
SWEPT = Scene("rows of a dead sender", before=_left_claimed)
AWAY = Scene("quickbooks away", before=_connected, meanwhile=_away, pace_ms=10)
STALE = Scene("a stale token", verb="use", before=_stale, after=("connect", "all"))
STALE_BULK = Scene("a stale token in a run", before=_stale, after=("connect", "all"))
RESTORED = Scene("both databases restored", before=_restored, agrees=False)
EMPTY = Scene("no store yet", verb="open", before=_without_store)
SLOW = Scene("a slow quickbooks", before=_slow)
KEPT = Scene("the log is anchored", verb="anchor", before=_all_sent)

_EVERY_SEND = (BULK, ONE, LONG, SERVED, STALE_BULK)
# Every gate, and the scenes that pass it; the short form of the proof takes the first.
SCENES: Mapping[Gate, tuple[Scene, ...]] = {
    Gate.CLAIM_RECORDED: _EVERY_SEND,
    Gate.CLAIM_WRITTEN: (*_EVERY_SEND, PAIRS),
    Gate.CLAIM_REREAD: (TAKEN,),
    Gate.PLAN_READ: _EVERY_SEND,
    Gate.PLAN_FROZEN: (*_EVERY_SEND, PAIRS),
    Gate.CUSTOMER_INTENDED: _EVERY_SEND,
    Gate.CUSTOMER_ANSWERED: _EVERY_SEND,
    Gate.CUSTOMER_LINKED: _EVERY_SEND,
    Gate.SEND_PERMIT: _EVERY_SEND,
    Gate.SEND_TOKEN: _EVERY_SEND,
    Gate.SEND_CONNECTED: _EVERY_SEND,
    Gate.ATTEMPT_DURABLE: (*_EVERY_SEND, PAIRS),
    Gate.LEASE_CHECKED: (*_EVERY_SEND, PAIRS),
    Gate.SEND_HEADERS: (*_EVERY_SEND, PAIRS),
    Gate.SEND_BODY: (*_EVERY_SEND, PAIRS),
    Gate.ANSWER_HEAD: (*_EVERY_SEND, PAIRS),
    Gate.ANSWER_BODY: (*_EVERY_SEND, PAIRS),
    Gate.ANSWER_CLASSIFIED: (*_EVERY_SEND, PAIRS),
    Gate.ANSWER_COMPARED: (RESTORED,),
    Gate.REREAD_BY_ID: (ABSENT,),
    Gate.RECEIPT_DURABLE: (*_EVERY_SEND, PAIRS, LOST),
    Gate.MARK_SENT: (*_EVERY_SEND, PAIRS, LOST),
    Gate.MARK_COMMITTED: (*_EVERY_SEND, PAIRS, LOST),
    Gate.MARK_NOTED: (*_EVERY_SEND, PAIRS, LOST),
    Gate.REFUSAL_DURABLE: (PAIRS,),
    Gate.REFUSAL_MARKED: (PAIRS,),
    Gate.UNKNOWN_DURABLE: (LOST, ABSENT),
    Gate.SETTLE_ASKED: (LOST, ABSENT, RESTORED),
    Gate.SETTLE_FOUND: (LOST,),
    Gate.SETTLE_ABSENT: (ABSENT,),
    Gate.RELEASE_RESTORED: (AWAY, SWEPT),
    Gate.RELEASE_NOTED: (AWAY, SWEPT),
    Gate.BUNDLE_COMPOSED: (PAIRS,),
    Gate.BUNDLE_SENT: (PAIRS,),
    Gate.BUNDLE_ANSWERED: (PAIRS,),
    Gate.BUNDLE_ITEM: (PAIRS, BULK),
    Gate.LEASE_ACQUIRED: _EVERY_SEND,
    Gate.LEASE_RENEWED: (SLOW,),
    Gate.LEASE_RELEASED: (BULK, ONE, LONG, SERVED),
    Gate.REFRESH_NOTED: (STALE, STALE_BULK),
    Gate.REFRESH_ANSWERED: (STALE, STALE_BULK),
    Gate.REFRESH_STORED: (STALE, STALE_BULK),
    Gate.RUN_RECORDED: _EVERY_SEND,
    Gate.SLICE_OPENED: (SERVED, LONG),
    Gate.SLICE_CLOSED: (SERVED, LONG),
    Gate.RUN_FINISHED: (BULK, ONE),
    Gate.SWEEP_ROW: (SWEPT,),
    Gate.START_BOUND: (BULK, ONE, LONG),
    Gate.STOP_ASKED: (STOPPED,),
    Gate.STOP_DRAINED: (STOPPED,),
    Gate.ANCHOR_WRITTEN: (KEPT,),
    Gate.STORE_MIGRATED: (EMPTY,),
}
# Gates nothing passes, each with the reason.
UNPASSED: Mapping[Gate, str] = {
    Gate.CUSTOMER_SENT: "a customer's send passes the gates of every send",
}


def deed_of(scene: Scene, *, gate: Gate, home: Home, times: int = 1) -> Deed:
    """Return what the process that dies does."""
    number = _first(home)
    return Deed(
        scene.verb,
        gate=gate,
        times=times,
        # A server signs in and reads the company before it listens: what it dies of is a run.
        since=Gate.RUN_RECORDED if scene is SERVED and gate is not Gate.RUN_RECORDED else None,
        number=number,
        taken=number if scene.takes else 0,
        pace_ms=scene.pace_ms,
    )
