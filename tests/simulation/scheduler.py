"""One thread, one virtual clock: who goes on next, and who never does."""

import heapq
from collections.abc import Callable
from random import Random

from greenlet import greenlet

STEPS_MOST = 400_000
Work = Callable[[], None]


class Crash(BaseException):
    """The process is dead: nothing it does from here on has an effect."""


class Stuck(Exception):
    """A world that does not come to an end within the steps any honest one needs.

    Args:
        where: Who goes round, or when.
    """

    def __init__(self, *, where: str) -> None:
        super().__init__(where)


class Misused(Exception):
    """The simulation itself is wrong.

    Args:
        how: In which way.
    """

    def __init__(self, *, how: str) -> None:
        super().__init__(how)


class Actor:
    """One thread of one simulated process."""

    __slots__ = ("greenlet", "process", "ticket")

    def __init__(self, process: "Process", strand: greenlet) -> None:
        self.process = process
        self.greenlet = strand
        self.ticket = 0  # only the newest wake-up counts


class Process:
    """What dies as a whole.

    Args:
        name: As leases and claim tokens know it.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.frozen_until_ms = 0
        self.actors: list[Actor] = []
        self.listening: list[Actor] = []  # wait for another thread of their own process


class Scheduler:
    """Runs actors and events in the order of virtual time.

    Args:
        dice: Every choice of this world comes from here.
    """

    def __init__(self, dice: Random) -> None:
        self.dice = dice
        self.now_ms = 0
        self.steps = 0
        self.current: Actor | None = None
        self._due: list[tuple[int, int, Actor | Work, int]] = []
        self._count = 0
        self._hub: greenlet | None = None
        self._condemned: list[Process] = []
        self.buried: Callable[[Process], None] = lambda _process: None

    # -- what actors call ------------------------------------------------------------------------

    def advance(self, wait_ms: int) -> None:
        """Let time pass for the actor at work; others go first where they are due before."""
        until_ms = self.now_ms + wait_ms
        if self._due and self._due[0][0] <= until_ms:
            self.wait(until_ms)
        else:
            self.now_ms = until_ms

    def wait(self, until_ms: int) -> None:
        """Leave the floor until then, or until somebody wakes us."""
        actor = self.current
        if actor is None:
            raise Misused(how="only an actor can wait")
        self._push(max(until_ms, self.now_ms), actor)
        self._leave(actor)

    def wait_to_be_woken(self) -> None:
        """Leave the floor until somebody wakes us."""
        actor = self.current
        if actor is None:
            raise Misused(how="only an actor can wait")
        actor.ticket += 1
        self._leave(actor)

    def die(self) -> None:
        """End the process at work, now."""
        actor = self.current
        if actor is None:
            raise Misused(how="only an actor can die")
        self._condemned.append(actor.process)
        self._leave(actor)

    # -- what anybody calls ----------------------------------------------------------------------

    def at(self, at_ms: int, work: Work) -> None:
        """Have something happen at an instant."""
        self._count += 1
        heapq.heappush(self._due, (max(at_ms, self.now_ms), self._count, work, 0))

    def after(self, wait_ms: int, work: Work) -> None:
        """Have something happen later."""
        self.at(self.now_ms + wait_ms, work)

    def wake(self, actor: Actor) -> None:
        """Let an actor go on at this instant."""
        self._push(self.now_ms, actor)

    def spawn(self, process: Process, work: Work, *, after_ms: int = 0) -> Actor:
        """Start another thread of a process."""

        def strand() -> None:
            if process.dead:
                return
            try:
                work()
            except Crash:
                if not process.dead:
                    raise
            finally:
                for one in process.listening:
                    self.wake(one)
                process.listening.clear()

        actor = Actor(process, greenlet(strand, parent=self._hub))
        process.actors.append(actor)
        self._push(self.now_ms + after_ms, actor)
        return actor

    def condemn(self, process: Process) -> None:
        """End a process from outside, before anybody goes on."""
        self._condemned.append(process)

    # -- the loop --------------------------------------------------------------------------------

    def run(self, over: Callable[[], bool]) -> None:
        """Go on until nothing is due or `over` says so.

        Raises:
            Stuck: It took more steps than any world needs.
        """
        self._hub = greenlet.getcurrent()
        for process in {id(one[2].process): one[2].process for one in self._due
                        if isinstance(one[2], Actor)}.values():  # fmt: skip
            for actor in process.actors:
                if not actor.greenlet:
                    actor.greenlet.parent = self._hub
        while self._due and not over():
            at_ms, _, thing, ticket = heapq.heappop(self._due)
            self.steps += 1
            if self.steps > STEPS_MOST:
                raise Stuck(where=f"at {self.now_ms}")
            if isinstance(thing, Actor):
                self._resume(thing, at_ms=at_ms, ticket=ticket)
            else:
                self.now_ms = max(self.now_ms, at_ms)
                thing()
            while self._condemned:
                self._bury(self._condemned.pop())

    def _resume(self, actor: Actor, *, at_ms: int, ticket: int) -> None:
        process = actor.process
        if actor.ticket != ticket or process.dead or actor.greenlet.dead:
            return
        if process.frozen_until_ms > max(at_ms, self.now_ms):
            self._push(process.frozen_until_ms, actor)
            return
        self.now_ms = max(self.now_ms, at_ms)
        self.current = actor
        actor.greenlet.switch()
        self.current = None
        if actor.greenlet.dead:
            process.actors.remove(actor)

    def _bury(self, process: Process) -> None:
        """Throw a process away; what its frames still do on the way out has no effect."""
        if process.dead:
            return
        process.dead = True
        for actor in [*process.actors]:
            if actor.greenlet and not actor.greenlet.dead:
                actor.greenlet.throw(Crash())
                if not actor.greenlet.dead:
                    raise Misused(how=f"{process.name} outlived its own death")
        process.actors.clear()
        self.buried(process)

    def _push(self, at_ms: int, actor: Actor) -> None:
        self._count += 1
        actor.ticket = self._count
        heapq.heappush(self._due, (at_ms, self._count, actor, self._count))

    def _leave(self, actor: Actor) -> None:
        if actor.process.dead:
            raise Crash
        if self._hub is None:
            raise Misused(how="nobody runs this world")
        self.current = None
        self._hub.switch()
        if actor.process.dead:
            raise Crash
        self.current = actor
