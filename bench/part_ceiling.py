"""Limits on: how near the ceiling a fresh back-fill comes, and that no window is passed."""

from pathlib import Path

from bench import university
from bench.budgets import Budget, Outcome
from bench.installation import Installation
from bench.servers import Databases
from bench.university import University
from bench.windows import (
    BUNDLES_PER_MINUTE,
    CEILING_PER_MINUTE,
    IN_FLIGHT,
    MINUTE_S,
    PER_MINUTE,
    PER_SECOND,
    SECOND_S,
    Seen,
    seen_by,
)
from tests.rooms.simulator_support import RunningSimulator

INVOICES, STUDENTS = 10_000, 2_000
SCALE = 2
# Real milliseconds an answer takes; at this scale QuickBooks' own third to two thirds of a second.
LATENCY_MS = [150, 350]
SHARE_LEAST = 0.92
READS_PER_INVOICE = 0.01


def run(folder: Path, databases: Databases) -> Outcome:
    """Send everything once, as fast as the limits allow."""
    del databases
    university.build(f"sqlite:///{folder / 'mis.db'}", University(INVOICES, STUDENTS))
    seed = university.write_seed(folder / "seed.jsonl")
    knobs = {"throttles": True, "latency_ms": LATENCY_MS, "framing": "length"}
    with RunningSimulator.start(seed_file=seed, clock_scale=SCALE, knobs=knobs) as simulator:
        place = Installation(
            folder,
            f"sqlite:///{folder / 'mis.db'}",
            simulator.url,
            {"CLOCK_SCALE": str(SCALE)},
        )
        done = place.run("all", "--yes", "--json")
        seen = seen_by(simulator)
        live = len(simulator.ledger("Invoice"))
    assert live == INVOICES, (live, done.out[-500:])  # noqa: S101 - an unfinished run is no measurement
    a_minute = MINUTE_S * (INVOICES + STUDENTS) / seen.took_s
    return Outcome(
        [
            Budget("creates a minute, customers included", a_minute, "a minute"),
            Budget(
                f"share of the ceiling of {CEILING_PER_MINUTE:,}",
                a_minute / CEILING_PER_MINUTE,
                "",
                SHARE_LEAST,
                at_least=True,
            ),
            Budget("429 after the first minute", seen.late_refusals, "", 0),
            *limits(seen),
            Budget("metered reads an invoice", seen.reads / INVOICES, "", READS_PER_INVOICE),
            Budget("CPU an invoice, both lanes", 1000 * done.cpu_s / INVOICES, "ms"),
        ]
    )


def limits(seen: Seen) -> list[Budget]:
    """Return every limit of QuickBooks beside the most that arrived."""
    return [
        Budget("most requests in any second", seen.most(span_s=SECOND_S), "", PER_SECOND),
        Budget("most requests in any minute", seen.most(span_s=MINUTE_S), "", PER_MINUTE),
        Budget(
            "most bundles in any minute",
            seen.most(bundles=True, span_s=MINUTE_S),
            "",
            BUNDLES_PER_MINUTE,
        ),
        Budget("most requests in flight", seen.in_flight, "", IN_FLIGHT),
    ]
