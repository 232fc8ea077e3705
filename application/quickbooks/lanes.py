"""Batch lane (bundles of 30) and single lane from one pool; outcomes as they come."""

import queue
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from application.catalogue import Stop
from application.quickbooks.client import Answered, Bundle, Client, Sending, Single, Work
from application.quickbooks.throttle import Permit, Throttle, Use
from application.quickbooks.transport import Road
from application.world import Gate, World

_NAP_MS = 1_000
_BUNDLE_LEAST = 2


class FanOut(Protocol):
    """Runs each job it is given, in a thread of its own or at once."""

    def submit(self, job: Callable[[], None], /) -> object:
        """Take a job."""


@dataclass(frozen=True, slots=True)
class Outside:
    """Another road and other threads than the real ones; whoever hands them in ends them."""

    road: Road
    fan_out: FanOut


class Lanes:
    """Sends pages of frozen intents over both lanes, from the caller's thread.

    Args:
        client: Sends one request.
        throttle: The company's limits; every request here takes its permit first.
        world: Clock and gates.
        fan_out: Where requests run; as many threads as requests may be in flight.
        every_ms: `every` is called at least this often while a drain runs.
    """

    def __init__(
        self,
        *,
        client: Client,
        throttle: Throttle,
        world: World,
        fan_out: FanOut,
        every_ms: int = 1_000,
    ) -> None:
        self._client = client
        self._throttle = throttle
        self._world = world
        self._fan_out = fan_out
        self._every_ms = every_ms
        self._drains: list[_Drain] = []
        self._last: _Drain | None = None

    def drain(
        self,
        pages: Iterator[Sequence[Sending]],
        *,
        both: bool,
        about_to_send: Callable[[Work], None],
        every: Callable[[], None],
        stop: Callable[[], bool],
    ) -> Iterator[Answered]:
        """Yield what each request brought back, until pages and resends are used up.

        A page is pulled only when a lane is free for it. While a page is being made, another
        drain may run to its end on the same lanes (customers before their invoices).

        Args:
            pages: Up to 30 sendings each, of one kind.
            both: Whether whole pages may go as bundles.
            about_to_send: Called by the sending thread before a request's first byte.
            every: Called by this thread while it works or waits.
            stop: When it says so nothing new is sent; answers under way are still yielded.

        Raises:
            Stop: What `about_to_send`, `every` or `pages` raised, after all answers under way
                were yielded.
        """
        drain = _Drain(
            pages,
            both=both,
            about_to_send=about_to_send,
            every=every,
            stop=stop,
            lanes=self,
        )
        self._drains.append(drain)
        try:
            yield from drain.run()
        finally:
            self._drains.remove(drain)
            self._last = drain

    def again(
        self, sendings: Sequence[Sending] = (), *, wait_ms: int = 0, whole: Bundle | None = None
    ) -> None:
        """Queue resends for the drain in hand; called between two of its answers.

        Args:
            sendings: Go as singles.
            wait_ms: From now.
            whole: A bundle that was refused whole before any work: the same bytes and id.
        """
        works: list[Work] = [Single(one) for one in sendings]
        self._drains[-1].queue(works if whole is None else [*works, whole], wait_ms=wait_ms)

    def unsent(self) -> tuple[Sending, ...]:
        """Return what the drain that ended last took in and did not send."""
        return self._last.left() if self._last else ()


@dataclass(frozen=True, slots=True)
class _Later:
    due_ms: int
    work: Work


@dataclass(frozen=True, slots=True)
class _Back:
    """A request's end: an answer, or what was raised instead."""

    work: Work
    answered: Answered | None = None
    raised: BaseException | None = None


class _Drain:
    """One drain in hand; everything but `_carry` runs in the caller's thread."""

    def __init__(
        self,
        pages: Iterator[Sequence[Sending]],
        *,
        both: bool,
        about_to_send: Callable[[Work], None],
        every: Callable[[], None],
        stop: Callable[[], bool],
        lanes: Lanes,
    ) -> None:
        self._pages: Iterator[Sequence[Sending]] | None = iter(pages)
        self._both = both
        self._about_to_send = about_to_send
        self._every = every
        self._stop = stop
        self._client = lanes._client  # noqa: SLF001 - a drain is the inside of its lanes
        self._throttle = lanes._throttle  # noqa: SLF001 - as above
        self._world = lanes._world  # noqa: SLF001 - as above
        self._fan_out = lanes._fan_out  # noqa: SLF001 - as above
        self._every_ms = lanes._every_ms  # noqa: SLF001 - as above
        self._resends: list[_Later] = []
        self._page: deque[Sending] = deque()  # the single lane's
        self._whole: deque[Sending] = deque()  # the batch lane's
        self._backs: queue.SimpleQueue[_Back] = queue.SimpleQueue()
        self._under_way = 0
        self._ending: Stop | None = None
        self._stopped = False
        self._called_at_ms: int | None = None

    def run(self) -> Iterator[Answered]:
        """Yield answers until nothing is left, then raise what ended the drain early."""
        while True:
            self._call_every()
            wait_ms = self._every_ms
            if not self._ended():
                wait_ms = self._send_what_may_go()
            if self._under_way:
                back = self._next_back(wait_ms)
                if back is not None and (answered := self._taken(back)):
                    yield answered
            elif self._ended() or self._is_empty():
                break
            else:
                self._world.clock.sleep_ms(min(wait_ms, self._every_ms, _NAP_MS))
        if self._ending is not None:
            raise self._ending

    def queue(self, works: Sequence[Work], *, wait_ms: int) -> None:
        """Note resends."""
        due_ms = self._now() + wait_ms
        self._resends += [_Later(due_ms, work) for work in works]

    def left(self) -> tuple[Sending, ...]:
        """Return what was taken in and not sent."""
        again = (one for later in self._resends for one in later.work.sendings)
        return (*again, *self._whole, *self._page)

    # -- choosing -------------------------------------------------------------------------------

    def _send_what_may_go(self) -> int:
        """Send until nothing more may go now; return how long until something may."""
        while not self._ended():
            wait_ms = self._send_next()
            if wait_ms:
                return wait_ms
            if not self._backs.empty():
                return 1
            self._call_every()
        return 1

    def _send_next(self) -> int:
        """Send one request: resends before bundles before first singles.

        Returns:
            0 when one was sent, else how long until one may be.
        """
        waits = [self._send_resend(), *([self._send_bundle()] if self._both else [])]
        if 0 in waits:
            return 0
        return min(*waits, self._send_single(), self._every_ms)

    def _send_resend(self) -> int:
        if not self._resends:
            return self._every_ms
        first = min(self._resends, key=lambda later: later.due_ms)
        wait_ms = first.due_ms - self._now()
        if wait_ms > 0:
            return wait_ms
        use = Use.BUNDLE if isinstance(first.work, Bundle) else Use.SINGLE
        permit = self._throttle.take(use)
        if permit is None:
            return max(1, self._throttle.wait_ms(use))
        self._resends.remove(first)
        self._dispatch(first.work, permit=permit)
        return 0

    def _send_bundle(self) -> int:
        wait_ms = self._throttle.wait_ms(Use.BUNDLE)
        if wait_ms:
            return wait_ms
        if not self._whole:
            # At the end of the pages the single lane's rest is quicker as a bundle.
            self._whole = self._pulled() or self._rest_of_the_page()
        if self._ended() or not _is_bundle(self._whole):
            self._page.extend(self._whole)
            self._whole.clear()
            return self._every_ms
        permit = self._throttle.take(Use.BUNDLE)
        if permit is None:
            return max(1, self._throttle.wait_ms(Use.BUNDLE))
        work = Bundle.of(self._whole)
        self._whole.clear()
        self._world.gate(Gate.BUNDLE_COMPOSED)
        self._dispatch(work, permit=permit)
        return 0

    def _send_single(self) -> int:
        wait_ms = self._throttle.wait_ms(Use.SINGLE, beside_bundles=self._both)
        if wait_ms:
            return wait_ms
        if not self._page:
            self._page = self._pulled()
        if not self._page or self._ended():
            return self._every_ms
        permit = self._throttle.take(Use.SINGLE, beside_bundles=self._both)
        if permit is None:
            return max(1, self._throttle.wait_ms(Use.SINGLE, beside_bundles=self._both))
        self._dispatch(Single(self._page.popleft()), permit=permit)
        return 0

    def _pulled(self) -> deque[Sending]:
        """Return the next page that is not empty; none when the pages are used up."""
        while self._pages is not None:
            try:
                page = next(self._pages)
            except StopIteration:
                self._pages = None
            except Stop as stop:
                self._pages = None
                self._ending = self._ending or stop
            else:
                self._call_every()  # making a page may have taken long
                if page:
                    return deque(page)
        return deque()

    def _rest_of_the_page(self) -> deque[Sending]:
        rest, self._page = self._page, deque()
        return rest

    # -- carrying -------------------------------------------------------------------------------

    def _dispatch(self, work: Work, *, permit: Permit) -> None:
        self._under_way += 1
        self._fan_out.submit(lambda: self._carry(work, permit=permit))

    def _carry(self, work: Work, *, permit: Permit) -> None:
        """Send in a thread of the pool; whatever happens comes back to the caller's thread."""
        try:
            answered = self._client.send(work, about_to_send=self._about_to_send, permit=permit)
        except BaseException as raised:
            # A pool keeps what is raised to itself, and the drain would wait for ever.
            self._backs.put(_Back(work, raised=raised))
            if not isinstance(raised, Exception):
                raise
        else:
            self._backs.put(_Back(work, answered=answered))

    def _next_back(self, wait_ms: int) -> _Back | None:
        most_ms = min(wait_ms, self._every_ms, _NAP_MS)
        return self._world.clock.next_of(self._backs, most_ms=most_ms)

    def _taken(self, back: _Back) -> Answered | None:
        self._under_way -= 1
        if isinstance(back.raised, Stop):
            self._ending = self._ending or back.raised
            self._resends.append(_Later(self._now(), back.work))
        elif back.raised is not None:
            raise back.raised
        return back.answered

    # -- ending ---------------------------------------------------------------------------------

    def _ended(self) -> bool:
        return self._ending is not None or self._stopped

    def _is_empty(self) -> bool:
        return self._pages is None and not (self._resends or self._whole or self._page)

    def _call_every(self) -> None:
        self._stopped = self._stopped or self._stop()
        now = self._now()
        if self._called_at_ms is not None and now - self._called_at_ms < self._every_ms:
            return
        self._called_at_ms = now
        try:
            self._every()
        except Stop as stop:
            self._ending = self._ending or stop

    def _now(self) -> int:
        return self._world.clock.since_boot_ms()


def _is_bundle(sendings: Sequence[Sending]) -> bool:
    return len(sendings) >= _BUNDLE_LEAST and len({one.kind for one in sendings}) == 1
