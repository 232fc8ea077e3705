"""Hunts the planted bugs: each in the world whose other fences are down, seed after seed.

    python -m tests.simulation.planted [--only M07] [--most 2000] [--sound 200]

Redundancy hides a bug that has only one fence against it, so each mutant runs where QuickBooks
keeps none of the others: it takes doubled numbers (F1 down), forgets request ids (F2 down), or
commits later than we assume (F3 down). The same worlds without the bug must be clean.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from tests.proof.figures import told
from tests.simulation.mutants import Mutant
from tests.simulation.mutants_sending import MUTANTS
from tests.simulation.planting import Reached, growing
from tests.simulation.profiles import HOUR, Profile, Weather
from tests.simulation.running import run_seed

MOST = 2_000
F1_DOWN: dict[str, object] = {"duplicate_warning": False}
F2_DOWN: dict[str, object] = {"requestid_ttl_s": 0, "batch_key": "none"}
F2_ALONE: dict[str, object] = {"requestid_ttl_s": None, "requestid_cache_faults": False}
Bend = Callable[[Weather, Random], None]


@dataclass(frozen=True, slots=True)
class Caught:
    """What became of one hunt."""

    mutant: Mutant
    seeds: int  # worlds it lived in
    most: int  # worlds it was given
    invariant: str | None  # None: nothing saw it
    reached: int = 0  # how often the bug was at work

    @property
    def line(self) -> str:
        """One row of the table."""
        name, words = self.mutant.name, self.mutant.told
        if self.invariant is not None:
            seen = f"caught at seed {self.seeds} of {self.most}"
            return f"{name}  {seen:<28} {self.invariant:<4} {words}"
        why = "" if self.reached else ", and it was never at work"
        return f"{name}  NOT CAUGHT in {self.most} seeds{why}: {words}"


def _settling_alone(weather: Weather, dice: Random) -> None:
    """F1 and F2 are down; every wait of F3 is used to its end."""
    weather.knobs |= F1_DOWN | F2_DOWN | {"index_lag_s": [0, dice.choice((60, 590))]}
    weather.invoices, weather.diligent = 5, True
    weather.fate, weather.aim = 0.5, "invoice"
    weather.fates = tuple(dice.sample(("answer_lost", "late_commit", "answer_late"), 2))
    weather.ends_ms = HOUR


def _crashes(weather: Weather, dice: Random) -> None:
    """Processes die with a request under way, and nothing else happens."""
    _settling_alone(weather, dice)
    weather.gates = ("send.body", "mark.committed")
    weather.crash, weather.pause, weather.nap = 0.15, 0.0, 0.0
    weather.fate, weather.troubles = 0.0, ()
    _calm_people(weather)


def _dead_senders(weather: Weather, dice: Random) -> None:
    """Senders die with a request under way, and what it made shows late."""
    _settling_alone(weather, dice)
    weather.knobs |= {"index_lag_s": [590, 590]}
    weather.processes = 2
    weather.gates = ("send.body", "answer.head", "answer.body")
    weather.crash, weather.pause, weather.nap = 0.2, 0.0, 0.0
    weather.fate, weather.troubles = 0.0, ()
    _calm_people(weather)


def _ids_alone(weather: Weather, dice: Random) -> None:
    """F1 is down and F3's bounds are broken: only the request id is left."""
    weather.knobs |= F1_DOWN | F2_ALONE
    weather.late_most_ms = HOUR  # what arrives later meets a token that ended
    weather.invoices, weather.bundles, weather.diligent = 5, False, True
    weather.fate, weather.aim, weather.fates = 0.5, "invoice", ("late_commit",)
    weather.troubles = ()
    weather.ends_ms = 3 * HOUR
    weather.crash = dice.choice((0.0, 0.02))
    _calm_people(weather)


def _claims_again(weather: Weather, dice: Random) -> None:
    """As above, and what is proved absent is often claimed anew before it goes again."""
    _ids_alone(weather, dice)
    weather.gates = ("send.permit",)
    weather.crash, weather.pause, weather.nap = 0.15, 0.0, 0.0


def _remembered_faults(weather: Weather, _: Random) -> None:
    """QuickBooks answers a mended cause with the refusal it remembers."""
    _calm_people(weather)
    weather.knobs |= {"requestid_ttl_s": None, "requestid_cache_faults": True}
    weather.closed = weather.reopened = True
    weather.fate, weather.troubles = 0.0, ()


def _edited_rows(weather: Weather, dice: Random) -> None:
    """A person changes amounts while the requests are lost."""
    weather.person_mis, weather.person_qbo = True, False
    weather.invoices, weather.diligent = 3, True
    weather.fate, weather.aim, weather.fates = 0.6, "invoice", ("lost",)
    weather.crash = dice.choice((0.0, 0.01))
    weather.ends_ms = HOUR


def _refusals(weather: Weather, dice: Random) -> None:
    """The first answer is lost after the commit, and the second attempt is refused."""
    _settling_alone(weather, dice)
    weather.troubles, weather.trouble = ("refuse",), 0.5
    weather.fates = ("answer_lost",)


def _strange_documents(weather: Weather, dice: Random) -> None:
    _calm_people(weather)
    weather.knobs |= {"duplicate_warning": True}
    weather.kinds = (50, 0, 0, 50, 0)
    weather.fate = dice.choice((0.0, 0.1))


def _replays(weather: Weather, _: Random) -> None:
    """A person deletes what we do not know to be there, and its id is remembered."""
    weather.knobs |= F1_DOWN | F2_ALONE | {"replay_deleted": "original", "index_lag_s": [590, 590]}
    weather.person_mis, weather.person_qbo, weather.deletes = False, True, True
    weather.invoices, weather.diligent = 3, True
    weather.crash, weather.pause, weather.nap = 0.0, 0.0, 0.0
    weather.fate, weather.aim, weather.fates = 0.7, "invoice", ("answer_lost",)
    weather.troubles = ()
    weather.ends_ms = 600_000


def _sleepers(weather: Weather, dice: Random) -> None:
    """Senders fall asleep for hours between the plan and the first byte, and others go on."""
    weather.knobs |= F1_DOWN | F2_DOWN
    weather.processes, weather.invoices, weather.diligent = dice.choice((2, 3)), 5, True
    weather.gates = ("plan.read", "plan.frozen", "send.permit", "send.token", "send.connected")
    weather.crash, weather.pause, weather.nap = 0.0, 0.08, 0.0
    weather.fate, weather.troubles = 0.0, ()
    weather.person_mis, weather.person_qbo = dice.random() < 0.5, False
    weather.ends_ms = 3 * HOUR


def _strangers(weather: Weather, dice: Random) -> None:
    """Senders fall asleep around their writes to the MIS, and others go on."""
    _sleepers(weather, dice)
    weather.processes = 3
    weather.gates = ("claim.recorded", "claim.written", "receipt.durable", "refusal.durable",
                     "mark.sent")  # fmt: skip
    weather.pause = 0.2


def _late_writes(weather: Weather, dice: Random) -> None:
    """Senders fall asleep between the lease check and the first byte."""
    _sleepers(weather, dice)
    weather.gates, weather.pause = ("lease.checked",), 0.3
    _calm_people(weather)


def _sign_ins(weather: Weather, _: Random) -> None:
    """Several requests at once are told that their token is no good."""
    weather.troubles, weather.trouble, weather.aim = ("unauthorized_401",), 0.7, "invoice"
    weather.invoices, weather.diligent = 5, True
    weather.crash, weather.pause, weather.fate = 0.0, 0.0, 0.0


def _strange_answers(weather: Weather, _: Random) -> None:
    _calm_people(weather)
    weather.knobs |= {"number_not_kept": True}


def _lost_after_commit(weather: Weather, dice: Random) -> None:
    """QuickBooks does the work, and a gateway says that it did not."""
    _settling_alone(weather, dice)
    weather.fate = 0.0
    weather.troubles, weather.trouble, weather.commits = ("html_502", "html_504"), 0.5, True


def _bundles_alone(weather: Weather, dice: Random) -> None:
    """A bundle's answer is lost, and nothing but settling is left."""
    _settling_alone(weather, dice)
    weather.bundles, weather.aim = True, "batch"
    weather.fates, weather.troubles = ("answer_lost",), ()


def _shuffled_bundles(weather: Weather, _: Random) -> None:
    """Some items of a bundle are refused, and the answers come in any order."""
    _calm_people(weather)
    weather.knobs |= {"batch_order": "random"}
    weather.bundles, weather.invoices = True, 6
    weather.closed = True
    weather.fate, weather.troubles = 0.0, ()


def _cents(weather: Weather, dice: Random) -> None:
    """Amounts that no binary fraction can hold."""
    _calm_people(weather)
    weather.amounts = ("19.99", "150000.29", "1.15", "4.35")
    weather.fate = dice.choice((0.0, 0.1))


def _limits(weather: Weather, _: Random) -> None:
    """Most requests meet the limit."""
    _calm_people(weather)
    weather.troubles, weather.trouble, weather.aim = ("throttle_429",), 0.8, "invoice"


def _calm_people(weather: Weather) -> None:
    weather.person_mis = weather.person_qbo = False


def _as_drawn(_: Weather, __: Random) -> None:
    """Leave the weather as it is."""


WORLDS: dict[str, Bend] = {
    "hard": _as_drawn,
    "settling alone": _settling_alone,
    "crashes": _crashes,
    "dead senders": _dead_senders,
    "ids alone": _ids_alone,
    "claims again": _claims_again,
    "remembered faults": _remembered_faults,
    "edited rows": _edited_rows,
    "refusals": _refusals,
    "strange documents": _strange_documents,
    "replays": _replays,
    "sleepers": _sleepers,
    "strangers": _strangers,
    "late writes": _late_writes,
    "sign-ins": _sign_ins,
    "strange answers": _strange_answers,
    "lost after commit": _lost_after_commit,
    "bundles alone": _bundles_alone,
    "shuffled bundles": _shuffled_bundles,
    "cents": _cents,
    "limits": _limits,
}


def hunted(mutant: Mutant, *, most: int) -> Caught:
    """Return in which world a bug was seen first; it must break an invariant it is known for."""
    profile = profile_of(mutant.world)
    with growing(mutant.edits) as reached:
        for number in range(most):
            broken = _broken(mutant, seed=number, profile=profile, reached=reached)
            if broken is not None:
                return Caught(mutant, number + 1, most, invariant=broken, reached=reached.times)
        return Caught(mutant, most, most, invariant=None, reached=reached.times)


def _broken(mutant: Mutant, *, seed: int, profile: Profile, reached: Reached) -> str | None:
    """Return the invariant a bug broke in the world of a seed, if it was at work there."""
    before = reached.times
    found = [one.invariant for one in run_seed(seed, profile).violations]
    broken = [one for one in mutant.breaks if one in found]
    return broken[0] if broken and reached.times > before else None


def unsound(world: str, *, seeds: int) -> list[str]:
    """Return what is violated in a world without any bug: the world asks too much, or we err."""
    profile = profile_of(world)
    return [
        f"{world} seed {seed}: {one.invariant} {one.text}"
        for seed in range(seeds)
        for one in run_seed(seed, profile).violations
    ]


def profile_of(world: str) -> Profile:
    """Return the profile of a world."""
    return Profile(name=world, bend=WORLDS[world])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 where a bug got away or a sound world is not clean."""
    parser = argparse.ArgumentParser(prog="tests.simulation.planted")
    parser.add_argument("--only", action="append", help="this mutant; may be said again")
    parser.add_argument("--most", type=int, default=MOST, help="seeds each, at most")
    parser.add_argument("--sound", type=int, default=0, help="seeds of each world without a bug")
    chosen = parser.parse_args(arguments)
    wanted = [one for one in MUTANTS if not chosen.only or one.name in chosen.only]
    caught = wrong = 0
    for mutant in wanted:
        found = hunted(mutant, most=chosen.most)
        caught += found.invariant is not None
        _say(found.line)
    for world in dict.fromkeys(one.world for one in wanted):
        for line in unsound(world, seeds=chosen.sound):
            wrong += 1
            _say(f"NOT SOUND  {line}")
    told("TD7", caught=caught, planted=len(wanted))
    _say(f"caught {caught} of {len(wanted)}, violations without a bug {wrong}")
    return 0 if wanted and caught == len(wanted) and not wrong else 1


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
