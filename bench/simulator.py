"""How many invoices a second the simulator takes, throttles off; alone it prints one table.

    .venv/bin/python bench/simulator.py [--creates 20000] [--connections 4]

The load comes from raw sockets in this process, so the simulator has one core to itself where
there are two. A bundle row counts invoices, not requests.
"""

import argparse
import asyncio
import json
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.budgets import Budget, Outcome
from bench.servers import Databases
from tests.rooms.simulator_support import RunningSimulator, Thing, invoice_body

BUNDLE = 30
CREATES = 6_000


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    name: str
    file: bool
    bundled: bool
    knobs: Thing


CASES = (
    Case("singles, memory", file=False, bundled=False, knobs={}),
    Case("singles, file", file=True, bundled=False, knobs={}),
    Case("singles, memory, index lag", file=False, bundled=False, knobs={"index_lag_s": [0, 5]}),
    Case("bundles of 30, memory", file=False, bundled=True, knobs={}),
    Case("bundles of 30, file", file=True, bundled=True, knobs={}),
)


def requests_of(
    simulator: RunningSimulator, token: str, *, creates: int, bundled: bool
) -> Iterator[bytes]:
    """Yield the bytes of each request."""
    head = (
        f"Host: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nAccept: application/json\r\n"
        "Content-Type: application/json\r\n"
    )
    step = BUNDLE if bundled else 1
    for number in range(0, creates, step):
        bodies = [invoice_body("1", number=f"MIS-{number + n}") for n in range(step)]
        body: Thing = bodies[0]
        if bundled:
            items = [
                {"bId": f"i{place:02}", "operation": "create", "Invoice": one}
                for place, one in enumerate(bodies)
            ]
            body = {"BatchItemRequest": items}
        raw = json.dumps(body).encode()
        path = "batch" if bundled else "invoice"
        target = f"/v3/company/{simulator.realm_id}/{path}?minorversion=75&requestid=r{number}"
        start = f"POST {target} HTTP/1.1\r\n{head}Content-Length: {len(raw)}\r\n\r\n"
        yield start.encode() + raw


async def send_all(port: int, waiting: list[bytes]) -> None:
    """Send requests over one connection, each after the answer to the one before."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while waiting:
        writer.write(waiting.pop())
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            sys.stderr.write(head.decode())
            break
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()
    await writer.wait_closed()


async def load(port: int, waiting: list[bytes], *, connections: int) -> float:
    """Return the seconds it took."""
    start_s = time.perf_counter()
    await asyncio.gather(*[send_all(port, waiting) for _ in range(connections)])
    return time.perf_counter() - start_s


def measure(case: Case, *, creates: int, connections: int) -> float:
    """Return invoices a second."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "books.db" if case.file else None
        knobs = {"framing": "length", **case.knobs}
        with RunningSimulator.start(file=file, knobs=knobs) as simulator:
            simulator.create("Customer", {"DisplayName": "25/00411/BBA"})
            token = simulator.token()["access_token"]
            waiting = list(requests_of(simulator, token, creates=creates, bundled=case.bundled))
            took_s = asyncio.run(load(simulator.port, waiting, connections=connections))
            return len(simulator.ledger()) / took_s


def run(folder: Path, databases: Databases) -> Outcome:
    """Measure every case; a simulator too slow would bound what the other parts show."""
    del folder, databases
    return Outcome(
        [
            Budget(case.name, measure(case, creates=CREATES, connections=4), "invoices/s")
            for case in CASES
        ]
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--creates", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=4)
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, {platform.machine()}, throttles off,")
    print(f"{options.creates} creates over {options.connections} connections")
    print(f"{'case':32}{'invoices/s':>12}")
    for case in CASES:
        rate = measure(case, creates=options.creates, connections=options.connections)
        print(f"{case.name:32}{rate:>12,.0f}")


if __name__ == "__main__":
    main()
