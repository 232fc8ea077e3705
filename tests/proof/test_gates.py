"""TK1: a process dies at every gate there is; the next one leaves one document for each row."""

from collections import Counter
from collections.abc import Iterator

import pytest

from application.world import Gate
from tests.proof.children import KILLED
from tests.proof.deeds import Deed
from tests.proof.figures import PROVING, told
from tests.proof.places import Home, Town
from tests.proof.scenes import SCENES, UNPASSED, Scene, deed_of

TIMES = 10 if PROVING else 1
ENDS = {12: {1: 12}, 36: {1: 32, 2: 4}}
CASES = [
    pytest.param(gate, scene, id=f"{gate.value} in {scene.name}")
    for gate, scenes in SCENES.items()
    for scene in (scenes if PROVING else scenes[:1])
]
done: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def _figures() -> Iterator[None]:
    yield
    told("TK1", gates=done["gates"], kills=done["kills"], restarts=done["restarts"])


def finish(home: Home, scene: Scene) -> None:
    """Have another process do what is left, and assert that the books agree."""
    home.simulator.control("DELETE", "faults")
    home.simulator.knob(latency_ms=[0, 0])
    if scene.takes:
        home.sql("UPDATE tbl_imvoice SET QuickBk_Status = 0 WHERE pushed_by = 'another program'")
    for verb in scene.after:
        child = home.done(Deed(verb))
        done["restarts"] += 1
        assert child.code == 0, child.said
    assert home.problems() == []
    assert home.look().counts == ENDS[scene.size]


class TestAKillAtAGate:
    @pytest.mark.covers("A2", "A3", "A4", "A5", "A7", "A8", "A10", "C4", "D2", "D3")
    @pytest.mark.parametrize(("gate", "scene"), CASES)
    def test_costs_nothing(self, gate: Gate, scene: Scene, quickbooks: Town) -> None:
        for _ in range(TIMES):
            home = quickbooks.home(size=scene.size)
            scene.before(home)
            child = home.born(deed_of(scene, gate=gate, home=home))
            scene.meanwhile(home, child)

            assert child.wait() == KILLED, child.said
            done["kills"] += 1
            home.answering()
            left = home.problems()
            assert [one for one in left if scene.agrees or "is marked 0" not in one] == []
            finish(home, scene)
        done["gates"] += 1


class TestTheList:
    def test_names_every_gate_or_says_why_not(self) -> None:
        assert {*SCENES, *UNPASSED} == set(Gate)
        assert not {*SCENES} & {*UNPASSED}
        assert all(SCENES.values())
