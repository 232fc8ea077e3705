"""Every fault the product claims to survive, and who tries it: `python -m tests.proof.faults`.

A test names the faults it tries with `@pytest.mark.covers("A1")`. What a mark cannot say is how
well it is tried: that is the test's own matter.
"""

import contextlib
import io
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from _pytest.skipping import evaluate_skip_marks, evaluate_xfail_marks

ROOT = Path(__file__).parents[2]
MARK = "covers"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, and what the product does about it."""

    happens: str
    answer: str


FAULTS: dict[str, Fault] = {
    # A: the road of one invoice, step by step.
    "A1": Fault("another program takes or edits a row we had chosen", "one UPDATE decides"),
    "A2": Fault("death with rows claimed and nothing promised", "the next start frees them"),
    "A3": Fault("death with the attempt written and no byte gone", "look before sending again"),
    "A4": Fault("kill, reset or time-out after the first byte", "unknown until looked up"),
    "A5": Fault("QuickBooks saved it and its answer was lost", "find it and keep its id"),
    "A6": Fault("QuickBooks saves after we stopped waiting", "absence counts only after the grace"),
    "A7": Fault("death with a good answer and no receipt", "find it and keep its id"),
    "A8": Fault("death between the receipt and the MIS", "mark from the receipt, ask nobody"),
    "A9": Fault("the MIS goes away while a mark commits", "read the row again and finish"),
    "A10": Fault("death between the mark and our note of it", "a row marked by us is done"),
    "A11": Fault("a sender wakes hours after its last check", "no byte leaves, no write counts"),
    "A12": Fault("an old answer repeated for a deleted document", "read by id before believing it"),
    "A13": Fault("a bundle's answer is cut or has wrong places", "those places are unknown"),
    "A14": Fault("some items of a bundle are refused", "each is judged alone"),
    # B: the two databases.
    "B1": Fault("a deadlock in the MIS", "roll back and repeat a few times"),
    "B2": Fault("a lock of somebody else outlasts our patience", "roll back, nothing half done"),
    "B3": Fault("the MIS drops a connection at a commit", "read what was done, then go on"),
    "B4": Fault("the MIS is killed or restarted in a run", "wait and go on, nothing kept in it"),
    "B5": Fault("the MIS is full or takes no more connections", "no claim: no send; mark later"),
    "B6": Fault("no room left for the store", "no attempt written: nothing sent"),
    "B7": Fault("the store is lost or an old copy of it", "look each number up before sending"),
    "B8": Fault("the MIS is an old copy: sent rows wait again", "receipts confirm, none is sent"),
    "B9": Fault("the MIS may only be read", "read on, send nothing, print the grant"),
    "B10": Fault("the MIS we read is a replica", "a read-only server is refused for sending"),
    "B11": Fault("tables without transactions", "no step needs more than one row's"),
    "B12": Fault("columns missing, retyped or not unique", "name the column and refuse"),
    "B13": Fault("money kept as floating point", "cast in the database, and a warning"),
    "B14": Fault("a collation that takes two payers for one", "compare every byte"),
    "B15": Fault("a table of three-byte characters", "we write ASCII and read any letter"),
    "B16": Fault("a status nobody defined", "counted as failed, never touched"),
    "B17": Fault("a million rows without an index", "keyset pages, one statement to count"),
    # C: processes, clocks, power.
    "C1": Fault("command line, API and schedule at once", "one holds the lease, others are told"),
    "C2": Fault("a double click or a repeated request", "the same key gets the same answer"),
    "C3": Fault("clocks that jump or disagree", "a wait ends when every clock agrees"),
    "C4": Fault("killed without a word", "the next start is the recovery"),
    "C5": Fault("asked to stop, once or twice", "finish what is in hand; then leave at once"),
    "C6": Fault("a machine that slept", "its lease has run out when it wakes"),
    "C7": Fault("two servers with one schedule", "each start is taken once"),
    "C8": Fault("power fails and the newest writes with it", "each commit is on the disk"),
    "C9": Fault("a call that never comes back", "a deadline for the whole attempt"),
    # D: the sign-in.
    "D1": Fault("many processes renew one sign-in at once", "one asks, the others take its token"),
    "D2": Fault("the answer to a renewal is lost", "the old one is tried, then a person is called"),
    "D3": Fault("death between a renewal and keeping it", "a note stands before the call"),
    "D4": Fault("no room to keep a renewed sign-in", "held in memory and tried again"),
    "D5": Fault("QuickBooks refuses the token in mid-run", "one renewal, then the same bytes"),
    "D6": Fault("another company's token, or none any more", "refused, or the run waits"),
    "D7": Fault("a sign-in left unused or near its end", "kept alive weekly, warned of early"),
    "D8": Fault("a clock that is wrong about the token", "QuickBooks' answer is believed"),
    # E: QuickBooks and the road to it.
    "E1": Fault("too many requests, again and again", "the company rests, no attempt counted"),
    "E2": Fault("hours of server errors", "hold back, then let one invoice see"),
    "E3": Fault("a connection that breaks, drips or stalls", "a deadline, then unknown"),
    "E4": Fault("a body that is cut, huge or not JSON", "unknown, with little memory"),
    "E5": Fault("doubled keys, or fields nobody knows", "doubled: unknown; new: passed over"),
    "E6": Fault("the number is taken by our own attempt", "look by id and keep it"),
    "E7": Fault("the number is taken by a stranger", "a conflict a person sees"),
    "E8": Fault("a code that may mean saved", "unknown until looked up"),
    "E9": Fault("two first invoices create one student", "one intent for each payer"),
    "E10": Fault("the name belongs to a vendor or employee", "refused by its cause, no suffix"),
    "E11": Fault("the customer is inactive, merged or gone", "look again, then name the cause"),
    "E12": Fault("the product is missing or inactive", "one cause for the product"),
    "E13": Fault("the books are closed for the day", "refused, the date stays"),
    "E14": Fault(
        "a person changes our invoice in QuickBooks", "never made again; a conflict where met"
    ),
    "E15": Fault(
        "a sent row changes or goes in the MIS", "shown while it stands, never sent again"
    ),
    "E16": Fault("a row is deleted while it is sent", "told as an orphan"),
    "E17": Fault("new shapes of answers, or an emptied company", "read on, or the run stops"),
    "E18": Fault("objects appear while pages are read", "pages in the order of their ids"),
    "E19": Fault("the month's reads are used up", "told from a limit; no look, no guess"),
    "E20": Fault("a refusal although it was saved", "the same id again, or a look-up"),
    "E21": Fault("QuickBooks numbers our invoice itself", "one is sent, then all stops"),
    "E22": Fault("an idle connection closed under us", "nothing left: again; else unknown"),
    # G: what people wrote into the MIS.
    "G1": Fault("an amount that is none", "refused, no other column is taken"),
    "G2": Fault("an invoice paid back more than it asks", "refused by the rule in force"),
    "G3": Fault("a date that is none", "refused, today is no substitute"),
    "G4": Fault("letters that forge, hide or break", "dropped, the rest is kept"),
    "G5": Fault("text that is a command somewhere", "bound or escaped for each reader"),
    "G6": Fault("a comment of megabytes", "cut with a mark"),
    "G7": Fault("no payer, or several that differ", "refused, no guess"),
    "G8": Fault("an id as long as the column", "its number fits QuickBooks"),
    "G9": Fault("many invoices alike for one student", "as many documents"),
    # H: runs on the engine.
    "H1": Fault("a worker dies while others live", "another goes on with its run"),
    "H2": Fault("a new version meets unfinished runs", "it finishes them"),
    "H3": Fault("a step of a run is done twice", "the second finds it done"),
    "H4": Fault("a second engine on one store file", "refused by the file's lock"),
    "H5": Fault("a worker freezes and thaws", "its lease is gone, its writes do not count"),
    "H6": Fault("a run nobody enqueued, or an engine reset", "open runs are enqueued again"),
}


@dataclass(slots=True)
class Coverage:
    """Which tests try which fault, as the marks tell."""

    tests: dict[str, list[str]] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)

    @property
    def missing(self) -> list[str]:
        """Faults no test tries."""
        return [fault for fault in FAULTS if not self.tests.get(fault)]

    @property
    def unknown(self) -> dict[str, list[str]]:
        """Marks of faults that are not listed."""
        return {fault: tests for fault, tests in self.tests.items() if fault not in FAULTS}

    @property
    def gaps(self) -> list[str]:
        """What is wrong, a line each; empty is whole."""
        return [
            *(f"{fault}: no test tries it" for fault in self.missing),
            *(f"{fault}: no such fault, says {tests[0]}" for fault, tests in self.unknown.items()),
            *(f"{test}: never runs here, so it tries nothing" for test in self.skipped),
        ]


class Collector:
    """Plugin that reads the marks of every test pytest is going to run."""

    def __init__(self) -> None:
        self.coverage = Coverage()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Take the marks of what is left after everything was deselected that will be."""
        self.coverage = coverage_of(session.items)


def coverage_of(items: Iterable[pytest.Item]) -> Coverage:
    """Return which faults these tests try; the cases of one test count once."""
    marked: dict[str, set[str]] = {}
    runs: set[str] = set()
    for item in items:
        test = item.nodeid.partition("[")[0]
        for mark in item.iter_markers(MARK):
            marked.setdefault(test, set()).update(map(str, mark.args))
            runs.update(() if _never_runs(item) else {test})
    found = Coverage(skipped=sorted(set(marked) - runs))
    for test in sorted(runs):
        for fault in sorted(marked[test]):
            found.tests.setdefault(fault, []).append(test)
    return found


def _never_runs(item: pytest.Item) -> bool:
    """Return whether a mark keeps this case from running on this machine, as pytest judges it."""
    if evaluate_skip_marks(item) is not None:
        return True
    expected = evaluate_xfail_marks(item)
    return expected is not None and not expected.run


def collect(paths: Iterable[str] = ("tests",)) -> Coverage:
    """Return the coverage of the tests below these paths, without running one.

    Raises:
        CannotCollect: A test file does not load; pytest's own words are in the message.
    """
    collector, said = Collector(), io.StringIO()
    with contextlib.redirect_stdout(said):
        code = pytest.main(
            ["--collect-only", "-q", "-p", "no:cacheprovider", f"--rootdir={ROOT}", *paths],
            plugins=[collector],
        )
    if code != pytest.ExitCode.OK:
        raise CannotCollect(code=int(code), said=said.getvalue())
    return collector.coverage


class CannotCollect(Exception):
    """The tests could not be listed."""

    def __init__(self, *, code: int, said: str) -> None:
        super().__init__(f"pytest ended with {code}:\n{said[-2000:]}")


def table(coverage: Coverage, *, faults: Mapping[str, Fault] = FAULTS) -> list[str]:
    """Return one line a fault: its id, what happens, and who tries it."""
    lines = []
    for fault, words in faults.items():
        tests = coverage.tests.get(fault, [])
        more = f" +{len(tests) - 1} more" if len(tests) > 1 else ""
        first = tests[0].removeprefix("tests/") + more if tests else "NONE"
        lines.append(f"{fault:<4} {words.happens:<50} {first}")
    return lines


def main() -> int:
    """Print the table; the exit code is 1 where a fault has no test."""
    coverage = collect()
    tried = len(FAULTS) - len(coverage.missing)
    report = [*table(coverage), "", f"fault ids with tests: {tried} of {len(FAULTS)}"]
    sys.stdout.write("\n".join([*report, *coverage.gaps]) + "\n")
    return 1 if coverage.gaps else 0


if __name__ == "__main__":
    sys.exit(main())
