"""Live events: one thread reads for every stream; a stream holds no thread and no connection."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from application.catalogue import Stop, StoreUnavailable
from application.services.doorway import Event, Events, Head
from application.shown.texts import json_text
from application.world import World

__all__ = ["HEADERS", "MEDIA_TYPE", "Hub", "StreamsFull"]

MEDIA_TYPE: Final = "text/event-stream"
HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
ASK_EVERY_MS: Final = 250
ASK_ANYWAY_MS: Final = 2_000
KEEP_ALIVE_MS: Final = 15_000
STALLED_MS: Final = 60_000  # longer than a quiet stream takes to say that it is there
STREAMS_MAX: Final = 64
PAGE: Final = 200  # a stream holds at most that many events
_FINISHED: Final = "run.finished"
_NOBODY: Final = Head()
_COMMENT: Final = b": keep-alive\n\n"

Page = tuple[int, int, int]  # run, after which event, from which progress on
Show = Callable[[Sequence[Event]], bytes]  # events as a client is sent them


class StreamsFull(Stop):
    """This process has as many live views as it may, or is about to stop. Facts: most."""

    cause = "streams_full"


@dataclass(slots=True, eq=False)
class _Watch:
    """Somebody on an event loop who is woken when a run has news."""

    run_id: int
    loop: asyncio.AbstractEventLoop
    news: asyncio.Event

    def wake(self) -> None:
        """Let them look; called from any thread."""
        with suppress(RuntimeError):  # their loop is closed: nobody is there any more
            self.loop.call_soon_threadsafe(self.news.set)


@dataclass(slots=True, eq=False)
class _Waiter(_Watch):
    """A request that waits for the end of a run."""

    head: Head | None = None  # how far the run was when it was last woken


@dataclass(slots=True, eq=False)
class _Seat(_Watch):
    """One stream; the reader fills it when it is empty, its client empties it."""

    seen_id: int | None  # Last-Event-ID
    asked_ms: int  # when its client last took something or waited for it
    show: Show
    place: int | None = None  # the last event it was given; None: not begun
    progress_from: int = 0  # older progress is left out
    frames: bytes = b""
    more: bool = False  # the page was full, so the next one is there already
    done: bool = False
    task: asyncio.Task[object] | None = None  # who sends to the client


class Hub:
    """Every live view of this process.

    Args:
        events: The news of runs.
        world: Its clock tells how long a client has taken nothing.
        ask_every_ms: How often the store is asked while somebody watches.
        streams_max: One more is refused.
        keep_alive_ms: A quiet stream says that often that it is there.
        stalled_ms: A client that takes nothing for so long is dropped.
        ask_anyway_ms: Who waits for the end of a run asks that often though there is no news.
        encode: Content as one JSON document.
    """

    def __init__(
        self,
        events: Events,
        *,
        world: World,
        ask_every_ms: int = ASK_EVERY_MS,
        streams_max: int = STREAMS_MAX,
        keep_alive_ms: int = KEEP_ALIVE_MS,
        stalled_ms: int = STALLED_MS,
        ask_anyway_ms: int = ASK_ANYWAY_MS,
        encode: Callable[[object], str] = json_text,
    ) -> None:
        self._events = events
        self._clock = world.clock
        self._ask_every_ms = ask_every_ms
        self._streams_max = streams_max
        self._keep_alive_ms = keep_alive_ms
        self._stalled_ms = stalled_ms
        self._ask_anyway_ms = ask_anyway_ms
        self._encode = encode
        self._guard = threading.Lock()
        self._stir = threading.Event()
        self._seats: list[_Seat] = []
        self._waiters: list[_Waiter] = []
        self._reader: threading.Thread | None = None
        self._closed = False

    @property
    def streams(self) -> int:
        """How many live views are open."""
        return len(self._seats)

    async def stream(
        self, run_id: int, *, last_event_id: int | None, show: Show | None = None
    ) -> AsyncIterator[bytes]:
        """Return what a client is sent, from the event after the one it saw last.

        Without one it begins with all there is of the run, less the progress that newer progress
        has replaced; after an id that is none of the run's, with how the run stands. It ends when
        the run has, and when this process stops.

        Args:
            run_id: The run.
            last_event_id: The last event the client saw.
            show: Events as they are sent, called in the reader's thread; JSON where none is given.

        Raises:
            StreamsFull: Every place is taken.
        """
        seat = _Seat(
            run_id=run_id,
            loop=asyncio.get_running_loop(),
            news=asyncio.Event(),
            seen_id=last_event_id,
            asked_ms=self._clock.since_boot_ms(),
            show=show or self._frames_of,
        )
        with self._guard:
            if self._closed or len(self._seats) >= self._streams_max:
                raise StreamsFull(most=self._streams_max)
            self._seats.append(seat)
            self._start_reading()
        return self._frames(seat)

    async def wait_ended(self, run_id: int, *, wait_s: int, ended: Callable[[], bool]) -> bool:
        """Return whether a run ended within that time, without holding a thread meanwhile.

        Args:
            run_id: The run.
            wait_s: At most so many seconds; less when this process stops.
            ended: A cheap read of the store, asked in a thread whenever the run has news.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_s
        waiter = _Waiter(run_id=run_id, loop=loop, news=asyncio.Event())
        with self._guard:
            self._waiters.append(waiter)
            self._start_reading()
        try:
            while not await _says_so(ended):
                left_ms = int((until - loop.time()) * 1000)
                if left_ms <= 0 or self._closed:
                    return False
                await _happens(waiter.news, wait_ms=min(left_ms, self._ask_anyway_ms))
        finally:
            with self._guard:
                self._waiters.remove(waiter)
        return True

    def close(self) -> None:
        """End every stream and every wait; safe from any thread, but not from a signal handler."""
        self._closed = True
        self._end_all()
        self._stir.set()

    # -- on the event loop ----------------------------------------------------------------------

    async def _frames(self, seat: _Seat) -> AsyncIterator[bytes]:
        try:
            while True:
                frames = self._taken(seat)
                if frames:
                    yield frames
                elif seat.done:
                    # A server takes this once its client has taken what was sent before; until
                    # then the stream is still ours to drop.
                    yield b""
                    return
                elif not await _happens(seat.news, wait_ms=self._keep_alive_ms):
                    yield _COMMENT
        finally:
            self._leave(seat)

    def _taken(self, seat: _Seat) -> bytes:
        with self._guard:
            frames, seat.frames = seat.frames, b""
            seat.asked_ms = self._clock.since_boot_ms()
            seat.task = asyncio.current_task()
            if seat.more:
                seat.more = False
                self._stir.set()
        return frames

    def _leave(self, seat: _Seat) -> None:
        with self._guard, suppress(ValueError):  # it may have been dropped meanwhile
            self._seats.remove(seat)

    # -- in the reader's thread -----------------------------------------------------------------

    def _start_reading(self) -> None:
        if self._reader is None and not self._closed:
            self._reader = threading.Thread(target=self._read, name="live-events", daemon=True)
            self._reader.start()
        self._stir.set()

    def _read(self) -> None:
        try:
            while not self._closed:
                self._stir.clear()
                with suppress(StoreUnavailable):  # the views stay; the next look may reach it
                    self._look()
                watched = self._seats or self._waiters
                self._stir.wait(self._ask_every_ms / 1000 if watched else None)
        finally:
            self._reader = None
            self._end_all()  # a view nobody reads for must not stay open

    def _look(self) -> None:
        """Give every stream that has taken all it was given what is new."""
        with self._guard:
            self._drop_stalled()
            seats = [one for one in self._seats if not one.frames and not one.done]
            waiters = list(self._waiters)
        run_ids = {one.run_id for one in (*seats, *waiters)}
        if not run_ids:
            return
        heads = self._events.heads(run_ids)
        for waiter in waiters:
            head = heads.get(waiter.run_id, _NOBODY)
            if head != waiter.head:
                waiter.head = head
                waiter.wake()
        pages: dict[Page, list[Event]] = {}
        for seat in seats:
            self._serve(seat, head=heads.get(seat.run_id, _NOBODY), pages=pages)

    def _serve(self, seat: _Seat, *, head: Head, pages: dict[Page, list[Event]]) -> None:
        """Give a stream its next events; streams at the same place share one read."""
        place, found = seat.place, list[Event]()
        if place is None:
            place, found = self._beginning(seat, head=head)
        if not found and place < head.newest:
            page = (seat.run_id, place, seat.progress_from)
            if page not in pages:
                pages[page] = self._events.after(
                    place, run_id=seat.run_id, limit=PAGE, progress_from=seat.progress_from
                )
            found = pages[page]
            place = found[-1].id if found else head.newest
        ended = next((at for at, one in enumerate(found, start=1) if one.event == _FINISHED), None)
        frames = seat.show(found[:ended]) if found else b""
        with self._guard:
            seat.place = place
            seat.frames = b"" if seat.done else frames
            seat.more = len(found) == PAGE
            seat.done = seat.done or ended is not None or (head.over and place >= head.newest)
        if frames or seat.done:
            seat.wake()

    def _beginning(self, seat: _Seat, *, head: Head) -> tuple[int, list[Event]]:
        """Return after which event a stream begins, and what it is told before that."""
        if seat.seen_id is None:
            if not head.over:
                seat.progress_from = self._events.newest_progress(seat.run_id)
            return 0, []
        if self._events.knows(seat.seen_id, run_id=seat.run_id):
            return seat.seen_id, []
        return head.newest, self._events.present(seat.run_id, up_to=head.newest)

    def _frames_of(self, found: Sequence[Event]) -> bytes:
        return b"".join(_frame(one, text=self._encode(one.content)) for one in found)

    def _drop_stalled(self) -> None:
        """Give up on clients that neither take anything nor hang up."""
        before_ms = self._clock.since_boot_ms() - self._stalled_ms
        for seat in [one for one in self._seats if one.asked_ms < before_ms]:
            self._seats.remove(seat)
            seat.done, seat.frames = True, b""
            if seat.task is not None:
                with suppress(RuntimeError):  # its loop is closed: nobody is there any more
                    seat.loop.call_soon_threadsafe(seat.task.cancel)

    def _end_all(self) -> None:
        with self._guard:
            watches = [*self._seats, *self._waiters]
            for seat in self._seats:
                seat.done, seat.frames = True, b""
        for watch in watches:
            watch.wake()


async def _happens(news: asyncio.Event, *, wait_ms: int) -> bool:
    try:
        async with asyncio.timeout(wait_ms / 1000):
            await news.wait()
    except TimeoutError:
        return False
    news.clear()
    return True


async def _says_so(ended: Callable[[], bool]) -> bool:
    try:
        return await asyncio.to_thread(ended)
    except StoreUnavailable:  # nobody can tell now; what was begun goes on meanwhile
        return False


def _frame(event: Event, *, text: str) -> bytes:
    # Only these two end a line of a stream; others may stand inside a JSON text.
    lines = "".join(f"data: {line}\n" for line in text.replace("\r", "\n").split("\n"))
    return f"id: {event.id}\nevent: {event.event}\n{lines}\n".encode()
