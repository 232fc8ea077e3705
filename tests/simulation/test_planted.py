"""The harness is not trusted until it catches bugs we put there ourselves.

Here those that show in the first seeds of their worlds; `PROVE=1` hunts all thirty. It cannot see a
bug nobody thought of.
"""

from datetime import UTC, datetime

import pytest

from application.invoices.outcomes import clocks_agree
from tests.proof.figures import PROVING
from tests.simulation.mutants import Mutant
from tests.simulation.mutants_sending import MUTANTS
from tests.simulation.planted import WORLDS, hunted, unsound
from tests.simulation.planting import Edit, Moved, changed, function_at, growing

# They showed at one of the first two seeds when they were chosen.
QUICK = frozenset(
    {"M02", "M03", "M04", "M05", "M06", "M07", "M11", "M13", "M14", "M15", "M16", "M17", "M19"}
    | {"M21", "M24", "M26"}
)
SEEDS = 100_000 if PROVING else 2_000


def chosen() -> list[Mutant]:
    return [one for one in MUTANTS if PROVING or one.name in QUICK]


class TestPlantedBug:
    @pytest.mark.parametrize("mutant", chosen(), ids=lambda one: one.name)
    def test_is_caught(self, mutant: Mutant) -> None:
        found = hunted(mutant, most=SEEDS)

        assert found.invariant in mutant.breaks, found.line

    def test_all_thirty_are_written_down(self) -> None:
        assert [one.name for one in MUTANTS] == [f"M{n:02d}" for n in range(1, 31)]

    def test_lives_in_a_world_that_exists(self) -> None:
        assert {one.world for one in MUTANTS} == set(WORLDS)

    @pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.name)
    def test_finds_the_code_it_changes(self, mutant: Mutant) -> None:
        places = {one.place for one in mutant.edits}
        sound = {place: function_at(place).__code__ for place in places}

        with growing(mutant.edits):
            grown = {place for place in places if function_at(place).__code__ != sound[place]}

        assert grown == places
        assert {place: function_at(place).__code__ for place in places} == sound

    def test_that_is_out_leaves_its_worlds_clean(self) -> None:
        worlds = sorted(WORLDS) if PROVING else ["crashes", "ids alone", "settling alone"]

        assert [line for one in worlds for line in unsound(one, seeds=50 if PROVING else 2)] == []


class TestEdit:
    PLACE = "invoices.outcomes:verdict"

    def test_fails_where_the_code_has_moved(self) -> None:
        gone = Edit(self.PLACE, "return Verdict.NEVER_HEARD_OF", "return planted(None)")

        with pytest.raises(Moved):
            changed(self.PLACE, [gone])

    def test_fails_where_the_words_stand_twice(self) -> None:
        twice = Edit(self.PLACE, "Verdict.CONFLICT", "planted(Verdict.CONFLICT)")

        with pytest.raises(Moved):
            changed(self.PLACE, [twice])

    def test_fails_where_it_does_not_say_when_it_is_at_work(self) -> None:
        silent = Edit(self.PLACE, "return Verdict.DUPLICATE", "return Verdict.WAIT")

        with pytest.raises(Moved):
            changed(self.PLACE, [silent])

    def test_fails_where_the_function_went(self) -> None:
        with pytest.raises(Moved):
            function_at("invoices.outcomes:no_such_verdict")

    def test_counts_how_often_it_was_at_work(self) -> None:
        now = datetime(2026, 3, 2, tzinfo=UTC)
        edit = Edit("invoices.outcomes:clocks_agree", "theirs is None or", "planted(False) or")

        with growing([edit]) as reached:
            with pytest.raises(TypeError):
                clocks_agree(now, None)
            clocks_agree(now, now)

        assert reached.times == 2
        assert clocks_agree(now, None)
