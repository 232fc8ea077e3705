"""Mutation score of the core: python -m tests.mutation [--file F] [--most N] [--seed S]."""

import argparse
import ast
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.laws.reading import ROOT
from tests.mutation import trial
from tests.mutation.core import CORE, EQUIVALENT
from tests.mutation.mutants import Mutant, mutants_of
from tests.proof.figures import told

SCORE_LEAST = 95


@dataclass
class Score:
    """How many wrong changes of one file the tests noticed."""

    killed: int = 0
    survivors: list[Mutant] = field(default_factory=list)
    broken: int = 0
    equal: int = 0

    @property
    def percent(self) -> int:
        """Whole percents, rounded down."""
        tried = self.killed + len(self.survivors)
        return 100 * self.killed // tried if tried else 100


def say(line: str) -> None:
    """Print at once: a run takes minutes."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def chosen(arguments: argparse.Namespace) -> list[Mutant]:
    """Return the mutants to try, in a fixed order."""
    files = [file for file in CORE if arguments.file in {None, file, file.rpartition("/")[2]}]
    if not files:
        raise SystemExit("the core has these files: " + ", ".join(CORE))
    every = [
        mutant
        for file in files
        for mutant in mutants_of(file, text=(ROOT / file).read_text(encoding="utf-8"))
    ]
    if arguments.most is None or arguments.most >= len(every):
        return every
    picked = random.Random(arguments.seed).sample(range(len(every)), arguments.most)  # noqa: S311 - a repeatable choice, no secret
    return [every[number] for number in sorted(picked)]


def tried(mutants: Sequence[Mutant]) -> Iterator[tuple[Mutant, trial.Fate | None]]:
    """Yield each mutant's fate; None where it is listed as meaning the same."""
    for mutant in mutants:
        if mutant.name in EQUIVALENT.get(mutant.file, {}):
            yield mutant, None
        else:
            yield mutant, trial.fate_of(mutant.file, tree=mutant.tree(), tests=CORE[mutant.file])


def main(words: Sequence[str] | None = None) -> int:
    """Try mutants and print the score; 1 when it is under 95 percent."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("--file", help="one file of the core, with or without its folder")
    parser.add_argument("--most", type=int, help="a sample of so many mutants")
    parser.add_argument("--seed", type=int, default=1, help="which sample")
    arguments = parser.parse_args(words)
    os.environ.setdefault("CORE_EXAMPLES", "80")  # noqa: TID251 - the tests' own switch, no setting
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # noqa: TID251 - pytest's own switch
    begun, mutants = time.monotonic(), chosen(arguments)
    trial.warm_up()
    if not _green({mutant.file for mutant in mutants}):
        return 1
    scores: dict[str, Score] = {}
    for mutant, fate in tried(mutants):
        score = scores.setdefault(mutant.file, Score())
        _note(score, mutant=mutant, fate=fate)
    return _told(scores, took_s=round(time.monotonic() - begun))


def _green(files: set[str]) -> bool:
    """Return whether the tests pass as the files stand; else nothing would be proved."""
    for file in sorted(files):
        unchanged = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        if trial.fate_of(file, tree=unchanged, tests=CORE[file]) is not trial.Fate.SURVIVED:
            say(f"{file}: its tests fail before anything was changed")
            return False
    return True


def _note(score: Score, *, mutant: Mutant, fate: trial.Fate | None) -> None:
    match fate:
        case None:
            score.equal += 1
        case trial.Fate.KILLED:
            score.killed += 1
        case trial.Fate.SURVIVED:
            score.survivors.append(mutant)
            say(f"survived  {mutant.file}:{mutant.line}  {mutant.name}")
        case trial.Fate.BROKEN:
            score.broken += 1


def _told(scores: dict[str, Score], *, took_s: int) -> int:
    whole = Score()
    for file, score in scores.items():
        lived = len(score.survivors)
        say(
            f"{score.percent:>3} %  {file}  killed {score.killed}, survived {lived},"
            f" same meaning {score.equal}, not runnable {score.broken}"
        )
        whole.killed += score.killed
        whole.survivors += score.survivors
        whole.equal += score.equal
    lived = len(whole.survivors)
    say(f"{whole.percent:>3} %  the core  {whole.killed + lived} tried in {took_s} s")
    told("TQ1", score=whole.percent, killed=whole.killed, survived=lived, same=whole.equal)
    return 0 if whole.percent >= SCORE_LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
