"""TK4, TM4: the store cut at any byte of its log, and disks that are full at any moment."""

import os
import random
import shutil
import signal
import sqlite3
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from application.catalogue import Stop
from application.store.audit import Audit
from application.store.tables import open_store
from application.world import Gate, World
from tests.proof.children import KILLED
from tests.proof.deeds import Deed
from tests.proof.disks import moved, small_disk
from tests.proof.figures import PROVING, told
from tests.proof.places import Home, Town
from tests.proof.test_gates import ENDS

SEED = 20_261_127
CUTS = 1_000 if PROVING else 50
ENDED = 40 if PROVING else 3  # of the cuts, how many are run to their end
FULL_TIMES = 8 if PROVING else 1
SIZE = 36


def intact(store_file: Path) -> str:
    """Return how a store opens: `right`, or the cause it refuses with."""
    with closing(sqlite3.connect(store_file)) as plain:
        sound = plain.execute("PRAGMA integrity_check").fetchone()[0]
    world = World()
    try:
        store = open_store(f"sqlite:///{store_file}", world=world, create=False)
    except Stop as stop:
        return stop.cause
    try:
        found = Audit(store, world=world).verify()
    finally:
        store.close()
    return "right" if sound == "ok" and found.intact else f"{sound}, {found}"


class TestACutStore:
    @pytest.mark.covers("C4", "C8", "B7")
    def test_opens_right_wherever_its_log_ends(self, quickbooks: Town) -> None:
        dice = random.Random(SEED)
        done: Counter[str] = Counter()
        while done["cuts"] < CUTS:
            home = quickbooks.home(size=SIZE, knobs={"latency_ms": [0, 20]})
            child = home.born(Deed("all"))
            child.until(home.store_file.with_name("store.db-wal").exists)
            time.sleep(dice.uniform(0.1, 1.5))
            child.send(signal.SIGSTOP)  # nothing moves while the files are copied
            time.sleep(0.02)
            kept = home.folder / "kept"
            shutil.copytree(home.store_file.parent, kept)
            child.send(signal.SIGKILL)
            if child.wait() != KILLED:
                continue
            for _ in range(min(10, CUTS - done["cuts"])):
                cut = home.folder / "cut"
                _cut(kept, cut, dice=dice)
                assert intact(cut / "store.db") == "right"
                done["cuts"] += 1
            if done["ended"] < ENDED:
                self._end(home, cut=home.folder / "cut")
                done["ended"] += 1
        told("TK4", seed=SEED, **done)

    def _end(self, home: Home, *, cut: Path) -> None:
        """Have a process go on from a store that lost its last commits, to the end of all.

        Rows whose claim the store forgot are looked for until absence is proved, and then sent.
        """
        shutil.rmtree(home.store_file.parent)
        shutil.copytree(cut, home.store_file.parent)
        child = home.done(Deed("all"))
        assert child.code == 0, child.said
        assert home.problems() == []
        assert home.look().counts == ENDS[SIZE]


def _cut(kept: Path, cut: Path, *, dice: random.Random) -> None:
    """Copy a store, its log cut off at any byte a power cut may leave.

    What SQLite had begun to move from the log into the file was safe in the log before that.
    """
    shutil.rmtree(cut, ignore_errors=True)
    shutil.copytree(kept, cut)
    (cut / "store.db-shm").unlink(missing_ok=True)  # a power cut leaves none
    log = cut / "store.db-wal"
    if log.exists():
        size = log.stat().st_size
        os.truncate(log, dice.randint(min(_moved(kept), size), size))


def _moved(kept: Path) -> int:
    """Return how much of the log may be in the file already, in bytes.

    Source: SQLite, "WAL-mode File Format": nBackfillAttempted stands at byte 128 of the index, a
    frame is a page behind 24 bytes, and the log begins with 32 bytes that tell a page's size.
    """
    index, head = kept / "store.db-shm", (kept / "store.db-wal").read_bytes()[:32]
    if not index.exists() or len(head) < 32:
        return 0
    frames = int.from_bytes(index.read_bytes()[128:132], sys.byteorder)
    return 32 + frames * (24 + int.from_bytes(head[8:12], "big"))


def attempted(home: Home) -> set[str]:
    """Return the numbers of which our store knows an attempt."""
    with closing(sqlite3.connect(home.store_file)) as store:
        rows = store.execute(
            "SELECT key FROM intents WHERE kind = 'invoice'"
            " AND id IN (SELECT intent_id FROM attempts)"
        ).fetchall()
    return {str(row[0]) for row in rows}


# The gates just before a write of each kind; the disk is full from there on.
FULL_AT = [
    pytest.param("store", gate, id=f"store {gate.value}")
    for gate in (
        Gate.RUN_RECORDED,
        Gate.CLAIM_WRITTEN,
        Gate.PLAN_READ,
        Gate.CUSTOMER_INTENDED,
        Gate.PLAN_FROZEN,
        Gate.SEND_CONNECTED,  # then the attempt itself is what no longer fits
        Gate.ANSWER_CLASSIFIED,
        Gate.MARK_COMMITTED,
    )
] + [
    pytest.param("mis", Gate.CLAIM_RECORDED, id="mis claim.recorded"),
    pytest.param("mis", Gate.RECEIPT_DURABLE, id="mis receipt.durable"),
    pytest.param("logs", Gate.RUN_RECORDED, id="logs run.recorded"),
]


class TestAFullDisk:
    @pytest.mark.covers("B5", "B6", "D4")
    @pytest.mark.parametrize(("what", "gate"), FULL_AT)
    def test_sends_nothing_without_its_record_and_recovers_alone(
        self, what: str, gate: Gate, quickbooks: Town, tmp_path: Path
    ) -> None:
        done: Counter[str] = Counter()
        with small_disk(tmp_path / "disk") as disk:
            for times in range(1, FULL_TIMES + 1):
                home = quickbooks.home(size=SIZE)
                assert home.done(Deed("use")).code == 0
                moved(home, what=what, disk=disk)
                filler = disk / "filler"
                since = Gate.PLAN_FROZEN if gate is Gate.SEND_CONNECTED else None
                deed = Deed("all", gate=gate, times=times, since=since, filler=str(filler))
                child = home.done(deed, MIS_PATIENCE_S="1")
                done[f"ended {child.code}"] += 1
                sent = {one["DocNumber"] for one in home.simulator.ledger("Invoice")}
                assert "full" in child.said or times > 1
                assert sent <= attempted(home)
                filler.unlink(missing_ok=True)
                again = home.done(Deed("all"))
                assert again.code == 0, again.said
                assert home.problems() == []
                assert home.look().counts == ENDS[SIZE]
                done["disks"] += 1
                _cleared(home, disk=disk)
        told("TM4", what=what, gate=gate.value, **done)


def _cleared(home: Home, *, disk: Path) -> None:
    shutil.rmtree(home.folder)
    for one in disk.iterdir():
        if one.is_dir():
            shutil.rmtree(one)
        else:
            one.unlink()
