"""Runs seeds and prints one line of figures: python -m tests.simulation --seeds 1000 --from 0."""

import argparse
import sys
import time
from collections import Counter

from tests.proof.figures import told
from tests.proof.page import commit
from tests.simulation.history import History
from tests.simulation.profiles import PROFILES, Profile
from tests.simulation.running import run_seed


def main() -> int:
    """Run seeds; return 1 when one of them breaks an invariant."""
    options = _options()
    profile = PROFILES[options.profile]
    if options.seed is not None:
        return _one(options.seed, profile, traced=options.trace)
    figures: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    classes: Counter[str] = Counter()
    run_seed(options.first, profile)  # makes the ground, fills the caches
    begun, worked = time.monotonic(), time.process_time()
    for seed in range(options.first, options.first + options.seeds):
        history = run_seed(seed, profile)
        _add(history, figures=figures, pairs=pairs, classes=classes)
        if history.violations:
            _show(history)
            if not options.go_on:
                break
    took, worked = time.monotonic() - begun, time.process_time() - worked
    figures["classes"] = len(classes)
    figures["pairs"] = len(pairs)
    figures["pairs_10"] = sum(1 for times in pairs.values() if times >= 10)
    words = " ".join(f"{name}={figures[name]}" for name in FIGURES)
    count = figures["seeds"]
    speed = f"seeds/s={count / took:.1f} seeds/cpu-s={count / worked:.1f}"
    sys.stdout.write(f"{profile.name} {words} {speed}\n")
    told(
        profile.name.upper(),
        **{name: figures[name] for name in KEPT},
        **{name: count for name, count in figures.items() if name.startswith("broke ")},
        **{f"pair {gate} {fault}": times for (gate, fault), times in pairs.items()},
        **{f"answer {name}": times for name, times in classes.items()},
    )
    return 1 if figures["violations"] else 0


FIGURES = (
    "seeds", "steps", "gates", "crashes", "requests", "created", "violations", "pairs",
    "pairs_10", "classes",
)  # fmt: skip
KEPT = ("seeds", "gates", "crashes", "requests", "created", "violations")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="td1")
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--trace", action="store_true", help="print everything that happened")
    parser.add_argument("--go-on", action="store_true", help="do not stop at a failing seed")
    return parser.parse_args()


def _one(seed: int, profile: Profile, *, traced: bool) -> int:
    history = run_seed(seed, profile, traced=traced)
    for line in history.lines:
        sys.stdout.write(line + "\n")
    _show(history)
    sys.stdout.write(
        f"{profile.name} seed={seed} digest={history.digest} requests={history.requests} "
        f"created={history.created} violations={len(history.violations)}\n"
    )
    return 1 if history.violations else 0


def _add(
    history: History,
    *,
    figures: Counter[str],
    pairs: Counter[tuple[str, str]],
    classes: Counter[str],
) -> None:
    figures["seeds"] += 1
    figures["steps"] += history.steps
    figures["gates"] += history.gates
    figures["crashes"] += history.crashes
    figures["requests"] += history.requests
    figures["created"] += history.created
    figures["violations"] += len(history.violations)
    figures.update(f"broke {one.invariant}" for one in history.violations)
    pairs.update(history.coverage)
    classes.update(history.classes)


def _show(history: History) -> None:
    for one in history.violations:
        sys.stdout.write(
            f"FAILED {history.profile} seed {history.seed} commit {commit()}: "
            f"{one.invariant} {one.text}\n"
        )


if __name__ == "__main__":
    raise SystemExit(main())
