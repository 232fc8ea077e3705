"""Asks an installation in one process, and tells what each question took; prints JSON.

questions.py counts       analyze and status, several times
questions.py places ID…   a page that waits, preview and one invoice behind each of these ids
"""

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import sqlalchemy as sql

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from application import wiring
from application.services.searching import PREVIEW, Place, cursor_of
from application.store.slices import WAITING
from application.wiring import Services

TIMES = 5
PAGE = 30


def counts(services: Services) -> dict[str, float]:
    """Return the seconds of the questions behind `analyze` and `status`."""
    services.progress.counts()
    return {
        "analyze": _seconds(services.progress.counts),
        "status": _seconds(lambda: (services.progress.counts(), services.progress.runs(limit=20))),
    }


def places(services: Services, ids: list[int]) -> dict[str, dict[str, int]]:
    """Return how many rows the MIS touched for each question, by the row it was about."""
    found: dict[str, dict[str, int]] = {"page": {}, "preview": {}, "single": {}}
    for one in ids:
        cursor = cursor_of(Place(WAITING, one), of=PREVIEW)
        questions: dict[str, Callable[[], object]] = {
            "page": partial(services.reader.waiting, after=one, limit=PAGE),
            "preview": partial(services.listing.preview, limit=PAGE, cursor=cursor),
            "single": partial(services.progress.history, one, realm_tag=None),
        }
        for name, ask in questions.items():
            ask()  # what is read once in a process's life is read now
            found[name][str(one)] = _rows_touched(services, ask)
    return found


def _seconds(ask: Callable[[], object]) -> float:
    took: list[float] = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        ask()
        took.append(time.perf_counter() - begun)
    return min(took)  # what the machine does besides only adds


def _rows_touched(services: Services, ask: Callable[[], object]) -> int:
    before = _handled(services)
    nothing = _handled(services) - before  # what counting itself counts
    before = _handled(services)
    ask()
    return _handled(services) - before - nothing


def _handled(services: Services) -> int:
    """Return how many rows the server read so far, whoever asked: nobody else does."""
    asked = sql.text("SHOW GLOBAL STATUS LIKE 'Handler_read%'")
    return services.mis.reading(lambda link: sum(int(row[1]) for row in link.execute(asked)))


def main() -> None:
    """Ask, and print."""
    what, *ids = sys.argv[1:]
    with wiring.build() as services:
        found = counts(services) if what == "counts" else places(services, [int(n) for n in ids])
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
