"""TK2, TK3: a server and commands on one installation die, or are told to stop, at any moment."""

import random
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing

import pytest

from tests.proof.children import KILLED, Child
from tests.proof.deeds import Deed
from tests.proof.figures import PROVING, told
from tests.proof.places import Home, Town

KILLS = 1_000 if PROVING else 100
STORMS = 300 if PROVING else 20
SIZE, STORM_SIZE = 200, 36
SEED = 20_261_127
LATENCY = {"latency_ms": [5, 40]}
STOP_WITHIN_S = 12  # READ_TIMEOUT_S at this scale, and 10
UNCLEAR = ("sending", "unknown")
PATHS = ("/api/v1/sync/all", "/api/v1/sync/batch")


def finish(home: Home) -> None:
    """Have one process end what is left, and assert that the books agree."""
    home.simulator.knob(latency_ms=[0, 0])
    for verb in ("long", "all"):
        child = home.done(Deed(verb))
        assert child.code == 0, child.said
    assert home.problems() == []
    assert not {0, 3} & set(home.look().counts)


def waiting(home: Home) -> int:
    return home.look().counts.get(0, 0)


def unclear(home: Home) -> set[int]:
    """Return the invoices of which our store says that nobody can tell."""
    with closing(sqlite3.connect(home.store_file)) as store:
        rows = store.execute(
            "SELECT invoice_id FROM intents WHERE kind = 'invoice' AND state IN (?, ?)", UNCLEAR
        ).fetchall()
    return {int(row[0]) for row in rows}


class Office:
    """A server and commands at work on one installation.

    Args:
        home: The installation.
        dice: Chance, seeded.
    """

    def __init__(self, home: Home, *, dice: random.Random) -> None:
        self.home = home
        self.dice = dice
        self.server = home.born(Deed("serve"))
        self.commands: list[Child] = []
        self.asked = False

    def go_on(self) -> None:
        """Have whatever ended begin again, and ask the server for work."""
        if self.server.code is not None:
            self.server, self.asked = self.home.born(Deed("serve")), False
        if not self.asked and "port" in self.server.said:
            self.home.ask(self.server, self.dice.choice(PATHS))
            self.asked = True
        self.commands = [one for one in self.commands if one.code is None]
        if len(self.commands) < 2:
            self.commands.append(self.home.born(self._command()))

    def _command(self) -> Deed:
        verb = self.dice.choice(["all", "batch", "long", "settle", "single", "single"])
        status = self.home.look().status
        return Deed(verb, number=self.dice.choice(list(status)))

    def alive(self) -> list[Child]:
        return [one for one in (self.server, *self.commands) if one.code is None]

    def close(self) -> int:
        """Kill everybody; return how many."""
        killed = 0
        for one in self.alive():
            one.send(signal.SIGKILL)
            killed += one.wait() == KILLED
        return killed


class TestKillsAtRandom:
    @pytest.mark.covers("A2", "A3", "A4", "A7", "A8", "A10", "C1", "C4", "H1", "H3", "H6")
    def test_under_load_cost_nothing(self, quickbooks: Town) -> None:
        dice = random.Random(SEED)
        print("seed", SEED)  # noqa: T201 - whoever repeats it needs it
        done: Counter[str] = Counter()
        while done["kills"] < KILLS:
            office = Office(quickbooks.home(size=SIZE, knobs=LATENCY), dice=dice)
            done["homes"] += 1
            while done["kills"] < KILLS:
                office.go_on()
                time.sleep(dice.uniform(0, 0.8))
                there = office.alive()
                for victim in dice.sample(there, k=min(len(there), dice.choice([1, 1, 2, 3]))):
                    victim.send(signal.SIGKILL)
                    done["kills"] += victim.wait() == KILLED
                assert office.home.problems() == []
                done["looks"] += 1
                if not waiting(office.home):
                    break
            done["kills"] += office.close()
            finish(office.home)
        told("TK2", seed=SEED, **done)


class TestSignals:
    @pytest.mark.covers("C5")
    def test_in_storms_end_every_sender_in_time_and_leave_nothing_half_done(
        self, quickbooks: Town
    ) -> None:
        dice = random.Random(SEED)
        done: Counter[str] = Counter()
        slowest = 0.0
        for number in range(STORMS):
            home = quickbooks.home(size=STORM_SIZE, knobs=LATENCY)
            child = home.born(Deed("serve") if number % 2 else Deed("cli", words=("all", "--yes")))
            self._at_work(home, child, dice=dice)
            names = dice.choice(
                [(signal.SIGTERM,), (signal.SIGINT,), (signal.SIGTERM, signal.SIGINT),
                 (signal.SIGINT, signal.SIGINT, signal.SIGTERM), (signal.SIGHUP,)]
            )  # fmt: skip
            asked = time.monotonic()
            for name in names:
                child.send(name)
                time.sleep(dice.uniform(0, 0.05))
            code = child.wait(seconds=STOP_WITHIN_S)
            slowest = max(slowest, time.monotonic() - asked)
            done["signals"] += len(names)
            done[f"ended {code}"] += 1
            assert home.problems() == []
            if len(names) == 1:
                status = home.look().status
                stuck = {one for one, flag in status.items() if flag == 3}
                assert stuck <= unclear(home), child.said
            finish(home)
        told("TK3", storms=STORMS, slowest_ms=int(slowest * 1000), **done)

    def _at_work(self, home: Home, child: Child, *, dice: random.Random) -> None:
        # Before that it is no sender yet, and what it was forked from ignores Ctrl-C.
        child.until(child.file.exists)
        if dice.random() < 0.1:
            return
        child.until(lambda: "port" in child.said or 3 in home.look().counts)
        if "port" in child.said:
            home.ask(child, PATHS[0])
        child.until(lambda: home.look().counts.get(1, 0) > 3)
        time.sleep(dice.uniform(0, 0.4))
