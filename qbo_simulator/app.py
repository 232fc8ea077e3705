"""The process: arguments, the listening socket, the one line on stdout, a prompt end.

    python -m qbo_simulator --port 0 [--control-port 0] [--file F] [--clock-scale X]
        [--seed-file JSON] [--environment sandbox|production|simulator] [--knob k=v ...]
        [--exit-with-parent]

Prints `{"port", "control_port", "realm_id", "client_id", "client_secret"}` when it listens, on
127.0.0.1 only. Control addresses are answered on both ports, on the second one always.
The control interface is listed in `qbo_simulator.faults` and in docs/reference/simulator.md.
"""

import argparse
import asyncio
import gc
import os
import random
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from qbo_simulator.clock import Clock
from qbo_simulator.codec import NotJson, encode, thing
from qbo_simulator.company import REALM_ID
from qbo_simulator.knobs import NoSuchKnob, parsed
from qbo_simulator.oauth import CLIENT_ID, CLIENT_SECRET
from qbo_simulator.seeding import seed_line, seeded
from qbo_simulator.sockets import Sockets
from qbo_simulator.world import World

TICK_S: Final = 0.02
GC_THRESHOLD: Final = 100_000


def main(argv: Sequence[str] | None = None) -> int:
    """Run the simulator until it is told to stop.

    Returns:
        0 after SIGTERM, SIGINT or the parent's end; 2 when it was started wrongly.
    """
    options = _parser().parse_args(argv)
    # The ledger only grows, so the collector would walk all of it again and again.
    gc.set_threshold(GC_THRESHOLD, 50, 50)
    try:
        world = _world(options)
    except (NoSuchKnob, NotJson, OSError, KeyError, ValueError) as error:
        sys.stderr.write(f"qbo_simulator: {type(error).__name__}: {error}\n")
        return 2
    try:
        asyncio.run(_serve(world, options))
    finally:
        world.keeper.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="qbo_simulator", description="Stands in for QuickBooks.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--control-port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--file", type=Path, help="keep the books here; memory otherwise")
    parser.add_argument("--clock-scale", type=float, default=1.0)
    parser.add_argument("--seed-file", type=Path, help="JSON, or JSON lines with an entity each")
    parser.add_argument("--environment", default="simulator",
                        choices=["simulator", "sandbox", "production"])  # fmt: skip
    parser.add_argument("--knob", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--seed", type=int, help="makes chance repeatable")
    parser.add_argument("--exit-with-parent", action="store_true", help="end when stdin closes")
    return parser


def _world(options: argparse.Namespace) -> World:
    # Draws of a test double, not secrets; None takes a fresh seed from the system.
    chance = random.Random(options.seed)  # noqa: S311  # see above
    world = World(
        clock=Clock(scale=options.clock_scale),
        chance=chance,
        environment=options.environment,
        file=options.file,
    )
    for setting in options.knob:
        name, value = parsed(setting)
        world.knobs.change(name, value)
        world.first_knobs[name] = value
    if options.seed_file is not None:
        _seed(world, options.seed_file)
    return world


def _seed(world: World, path: Path) -> None:
    desk = world.desk(next(iter(world.realms.values())), instant=True)
    with path.open("rb") as file:
        first = file.readline()
        file.seek(0)
        try:
            by_line = "entity" in thing(first)
        except NotJson:
            by_line = False
        if not by_line:
            seeded(desk, thing(file.read()))
        for line in file if by_line else ():
            if line.strip():
                seed_line(desk, thing(line))
    world.keeper.commit()


async def _serve(world: World, options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    if options.exit_with_parent:
        loop.add_reader(0, _watch_parent, loop, stopped)
    sockets = Sockets(world=world)
    await sockets.open(options.port, control_port=options.control_port)
    greeting = {
        "port": sockets.port,
        "control_port": sockets.control_port,
        "realm_id": REALM_ID,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
    }
    sys.stdout.write(encode(greeting).decode() + "\n")
    sys.stdout.flush()
    ticking = asyncio.create_task(_tick(world, sockets))
    await stopped.wait()
    ticking.cancel()
    sockets.close()


def _watch_parent(loop: asyncio.AbstractEventLoop, stopped: asyncio.Event) -> None:
    if not os.read(0, 4096):
        loop.remove_reader(0)
        stopped.set()


async def _tick(world: World, sockets: Sockets) -> None:
    """Do late work even while nobody asks for anything."""
    while True:
        await asyncio.sleep(TICK_S)
        world.run_due()
        await sockets.follow()
