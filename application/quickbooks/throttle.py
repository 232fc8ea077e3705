"""Permits a realm: 10/s, 500/min, 40 batches/min, 10 in flight, pause after 429."""

import threading
from bisect import insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any, Self

from application.catalogue import RateLimited
from application.quickbooks.beside import Beside, Neighbours, Used, by_name, known_to
from application.quickbooks.meter import AGAIN_S, ReadMeter, Traffic
from application.world import World

_RATE_BACK = 5  # bundles a minute given back after each clean while
_CLEAN_MINUTES = 5
_BUSY_LOOK_MS = 10
_SLACK_MS = 5  # two processes' clocks and a loopback's jitter, however fast the clock runs
_NAP_MS = 1_000
_ON_THE_WAY_LEAST_MS = 100  # real ones, however fast the clock runs: a busy machine delays too


class Use(Enum):
    """What a permit is for."""

    READ = "read"
    SINGLE = "single"
    BUNDLE = "bundle"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one company may be asked, and how long we hold back.

    Args:
        per_second: Requests in any second.
        per_minute: Requests in any minute; a bundle counts as one.
        bundles_per_minute: Bundles in any minute.
        in_flight_max: Requests at the same time.
        pause_s: Pause after a 429 that does not say how long.
        pause_most_s: The longest pause QuickBooks can ask for.
        breaker_after: Requests lost in a row after which we hold back.
        breaker_min_s: The first wait of the breaker; it doubles.
        breaker_most_s: Its longest wait.

    Source:
        Intuit, "Limits and throttles": 500 a minute a company, 10 a second and 40 batches a
        minute a company and app.
    """

    per_second: int = 10
    per_minute: int = 500
    bundles_per_minute: int = 40
    in_flight_max: int = 10
    pause_s: int = 60
    pause_most_s: int = 600
    breaker_after: int = 5
    breaker_min_s: int = 60
    breaker_most_s: int = 600


_USUAL = Limits()


@dataclass(frozen=True, slots=True)
class Spent:
    """What the windows held when they were last kept; instants are milliseconds since 1970."""

    requests: tuple[int, ...] = ()
    bundles: tuple[int, ...] = ()
    paused_until: int = 0
    kept_at: int = 0
    reads_refused: int = 0  # in a row, a rest apart

    def kept(self) -> dict[str, object]:
        """Return it as it is remembered."""
        return by_name(self)

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Self:
        """Return what was remembered; an older version did not keep everything."""
        known = known_to(cls, kept)
        instants = {name: tuple(known.get(name, ())) for name in ("requests", "bundles")}
        return cls(**known | instants)


class Permit:
    """The right to send one request; it counts from `take` until its window has passed.

    Until `sent` is called it counts as if it were being sent at every moment, so that connecting
    slowly cannot push two seconds' requests into one. After that it counts as arriving with its
    answer, or 200 ms later when the answer takes longer: QuickBooks counts arrivals, not sends.
    """

    def __init__(self, throttle: "Throttle", *, use: Use) -> None:
        self._throttle = throttle
        self._use = use
        self._counted_ms: int | None = None
        self._back = False

    def sent(self) -> None:
        """Note that the request is on its way."""
        if self._counted_ms is None:
            self._counted_ms = self._throttle._note_sent(self._use)  # noqa: SLF001 - two halves of one limiter

    def give_back(self) -> None:
        """Free the place in flight; a request never sent is not counted any longer."""
        if not self._back:
            self._back = True
            self._throttle._note_back(self._use, counted_ms=self._counted_ms)  # noqa: SLF001 - as above


class Throttle:
    """All of QuickBooks' limits for one company, over every thread and process of this machine.

    Windows slide and are a little longer than QuickBooks', or jitter on the way would turn exact
    pacing into refusals. Any window by arrival then never holds more than the limit.

    Args:
        world: Its clock also says how many times faster the windows run.
        limits: What is kept.
        recall: Gives what an earlier process kept, or None.
        remember: Keeps what the windows hold; called at most once a second.
        beside: The other processes of this machine; None: there are none.
        traffic: Counts what leaves; None: nobody asks.
    """

    def __init__(
        self,
        *,
        world: World,
        limits: Limits = _USUAL,
        recall: Callable[[], Spent | None] | None = None,
        remember: Callable[[Spent], None] | None = None,
        beside: Beside | None = None,
        traffic: Traffic | None = None,
    ) -> None:
        self._world = world
        self._traffic = traffic
        self._lock = threading.RLock()
        scaled = world.clock.scaled_ms
        self._second_ms = scaled(1) + max(_SLACK_MS, scaled(1) // 20)
        self._minute_ms = scaled(61)
        # How much longer one request may be on its way to QuickBooks' counter than another.
        self._on_the_way_ms = max(_ON_THE_WAY_LEAST_MS, scaled(1) // 5)
        self._limits = limits
        self._bundles_now = limits.bundles_per_minute
        self._pause_ms = scaled(limits.pause_s)
        self._pause_most_ms = scaled(limits.pause_most_s)
        self._breaker = _Breaker(
            after=limits.breaker_after,
            first_ms=scaled(limits.breaker_min_s),
            most_ms=scaled(limits.breaker_most_s),
        )
        self._meter = ReadMeter(again_ms=scaled(AGAIN_S))
        self._requests: list[int] = []
        self._bundles: list[int] = []
        self._open_requests = self._open_bundles = self._in_flight = 0
        self._paused_until_ms = self._halved_at_ms = self._kept_at_ms = 0
        self._remember = remember
        self._meanwhile: Callable[[], None] = _nothing
        self._neighbours = Neighbours(
            beside, now=self._now, minute_ms=self._minute_ms, pause_most_ms=self._pause_most_ms
        )
        if recall is not None and (spent := recall()) is not None:
            self._recall(spent)

    @property
    def in_flight(self) -> int:
        """Requests being sent or answered now."""
        return self._in_flight

    @property
    def bundle_rate(self) -> int:
        """Bundles a minute we allow ourselves now."""
        with self._lock:
            return self._bundle_rate(self._now())

    def while_waiting(self, work: Callable[[], None] | None) -> None:
        """Have this called often while `acquire` waits: a sender must keep its lease alive."""
        self._meanwhile = work or _nothing

    def paused_ms(self) -> int:
        """Return how much longer the company rests after a 429; 0 when it does not."""
        with self._lock:
            return max(0, self._paused_until_ms - self._now())

    def reads_rest_ms(self) -> int:
        """Return how long nothing should be read, the month's reads being used up; else 0."""
        with self._lock:
            return self._meter.rest_ms(self._now())

    def wait_ms(self, use: Use, *, beside_bundles: bool = False) -> int:
        """Return how long until such a request may go; 0 = now.

        Args:
            use: What the permit is for.
            beside_bundles: Leave the bundles their share of the minute.
        """
        with self._lock, self._neighbours.turn(self._used, changes=False):
            return self._wait_ms(use, beside_bundles=beside_bundles)

    def take(self, use: Use, *, beside_bundles: bool = False) -> Permit | None:
        """Return a permit when such a request may go now, else None."""
        with self._lock:
            with self._turn():
                if self._wait_ms(use, beside_bundles=beside_bundles):
                    return None
                self._in_flight += 1
                self._open_requests += 1
                self._open_bundles += use is Use.BUNDLE
            self._keep()
            return Permit(self, use=use)

    def acquire(self, use: Use, *, patience_ms: int | None = None) -> Permit:
        """Wait for a permit.

        Args:
            use: What the permit is for.
            patience_ms: Longest wait; the longest pause when None.

        Raises:
            RateLimited: It would take longer than that.
        """
        patience = self._pause_most_ms + self._minute_ms if patience_ms is None else patience_ms
        clock = self._world.clock
        begun_ms = clock.since_boot_ms()
        while (permit := self.take(use)) is None:
            wait_ms = max(1, self.wait_ms(use))
            if clock.since_boot_ms() - begun_ms + wait_ms > patience:
                raise RateLimited(until=clock.later(wait_ms=wait_ms))
            self._meanwhile()
            clock.sleep_ms(min(wait_ms, _NAP_MS))
        return permit

    def pause(self, wait_ms: int | None = None, *, use: Use = Use.SINGLE) -> None:
        """Let the company rest after a 429, and let the bundles go half as often.

        Where only reads are refused, rest after rest, nothing but reading rests.

        Args:
            wait_ms: What QuickBooks asked for, up to the longest pause; None = the usual one.
            use: What was refused.
        """
        with self._lock:
            with self._turn():
                self._rest(wait_ms, use=use)
            self._keep(at_once=True)

    def _rest(self, wait_ms: int | None, *, use: Use) -> None:
        now = self._now()
        rest = self._pause_ms if wait_ms is None else min(wait_ms, self._pause_most_ms)
        if use is not Use.READ:
            self._meter.passed()
        elif self._meter.read_refused(now, rests_until=now + rest):
            return
        if now >= self._paused_until_ms:  # ten answers of one burst are one refusal
            self._bundles_now = max(1, self._bundle_rate(now) // 2)
            self._halved_at_ms = now
        self._paused_until_ms = max(self._paused_until_ms, now + rest)

    def read(self) -> None:
        """Note that a read was answered, so reads are granted."""
        with self._lock:
            refused = self._meter.refused
            self._meter.passed()
            if refused:
                self._keep(at_once=True)

    def note(self, *, answered: bool) -> None:
        """Count towards the breaker whether a request brought an answer we can use."""
        with self._lock:
            self._breaker.note(self._now(), answered=answered)

    def _wait_ms(self, use: Use, *, beside_bundles: bool) -> int:
        now = self._now()
        self._forget(now)
        others = self._neighbours.used
        in_flight = self._in_flight + others.in_flight
        requests = _merged(self._requests, others.requests)
        waits = [
            max(self._paused_until_ms, others.paused_until) - now,
            self._breaker.wait_ms(now, in_flight=self._in_flight),
            _BUSY_LOOK_MS if in_flight >= self._limits.in_flight_max else 0,
            self._window(requests, self._second_ms, most=self._limits.per_second, now=now),
            self._minute(requests, now, use=use, beside_bundles=beside_bundles),
        ]
        if use is Use.BUNDLE:
            most = self._bundle_rate(now) - self._open_bundles - others.open_bundles
            bundles = _merged(self._bundles, others.bundles)
            waits.append(_wait_in(bundles, self._minute_ms, most=most, now=now))
        return max(0, *waits)

    def _minute(self, requests: Sequence[int], now: int, *, use: Use, beside_bundles: bool) -> int:
        most = self._limits.per_minute
        if beside_bundles and use is not Use.BUNDLE:
            used = len(self._bundles) + self._open_bundles
            most -= max(0, self._bundle_rate(now) - used)
        return self._window(requests, self._minute_ms, most=most, now=now)

    def _window(self, sent: Sequence[int], length_ms: int, *, most: int, now: int) -> int:
        most -= self._open_requests + self._neighbours.used.open_requests
        return _wait_in(sent, length_ms, most=most, now=now)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Decide, and say what we use; no thread and no other process decides meanwhile."""
        with self._lock, self._neighbours.turn(self._used):
            yield

    def _used(self) -> Used:
        return Used(
            requests=self._requests,
            bundles=self._bundles,
            open_requests=self._open_requests,
            open_bundles=self._open_bundles,
            in_flight=self._in_flight,
            paused_until=self._paused_until_ms,
            at=self._now(),
        )

    def _bundle_rate(self, now: int) -> int:
        clean = (now - self._halved_at_ms) // (_CLEAN_MINUTES * self._minute_ms)
        return min(self._limits.bundles_per_minute, self._bundles_now + clean * _RATE_BACK)

    def _forget(self, now: int) -> None:
        for sent in (self._requests, self._bundles):
            while sent and now - sent[0] >= self._minute_ms:
                del sent[0]

    def _note_sent(self, use: Use) -> int:
        with self._turn():
            counted_ms = self._now() + self._on_the_way_ms
            if self._traffic is not None:
                self._traffic.sent(read=use is Use.READ)
            self._open_requests -= 1
            insort(self._requests, counted_ms)
            if use is Use.BUNDLE:
                self._open_bundles -= 1
                insort(self._bundles, counted_ms)
            return counted_ms

    def _note_back(self, use: Use, *, counted_ms: int | None) -> None:
        with self._turn():
            self._in_flight -= 1
            if counted_ms is None:
                self._open_requests -= 1
                self._open_bundles -= use is Use.BUNDLE
                return
            now = self._now()
            if now < counted_ms:
                self._requests.remove(counted_ms)
                insort(self._requests, now)
                if use is Use.BUNDLE:
                    self._bundles.remove(counted_ms)
                    insort(self._bundles, now)

    def _now(self) -> int:
        return self._world.clock.since_boot_ms()

    def _keep(self, *, at_once: bool = False) -> None:
        now = self._now()
        if self._remember is None or (not at_once and now - self._kept_at_ms < self._second_ms):
            return
        self._kept_at_ms = now
        epoch = self._epoch_ms() - now
        self._remember(
            Spent(
                requests=tuple(epoch + at for at in self._requests),
                bundles=tuple(epoch + at for at in self._bundles),
                paused_until=epoch + self._paused_until_ms,
                kept_at=epoch + now,
                reads_refused=self._meter.refused,
            )
        )

    def _recall(self, spent: Spent) -> None:
        """Take over the windows of an earlier process.

        It kept them once a second at most, so all it may have sent after that counts as sent;
        unless processes of this machine say themselves what they sent.
        """
        now = self._now()
        away = now - self._epoch_ms()
        with self._turn():
            known = self._neighbours.seen
        later = spent.kept_at + self._second_ms
        unseen = 2 * self._limits.per_second + self._limits.in_flight_max
        requests = sorted((*spent.requests, *[later] * unseen))
        bundles = sorted((*spent.bundles, *[later] * self._limits.in_flight_max))
        self._requests = [] if known else [min(now, away + at) for at in requests]
        self._bundles = [] if known else [min(now, away + at) for at in bundles]
        self._paused_until_ms = min(away + spent.paused_until, now + self._pause_most_ms)
        # One read of this process tries whether more were granted: whoever asked for them sees it.
        self._meter = ReadMeter(
            again_ms=self._world.clock.scaled_ms(AGAIN_S), refused=spent.reads_refused
        )
        self._forget(now)

    def _epoch_ms(self) -> int:
        return int(self._world.clock.now().timestamp() * 1000)


def _merged(ours: Sequence[int], others: Sequence[int]) -> Sequence[int]:
    return sorted((*ours, *others)) if others else ours


def _nothing() -> None:
    """Do nothing while waiting."""


class _Breaker:
    """Holds back after requests lost in a row; then lets one through to see."""

    def __init__(self, *, after: int, first_ms: int, most_ms: int) -> None:
        self._after = after
        self._first_ms = first_ms
        self._most_ms = most_ms
        self._lost = 0
        self._wait_ms = first_ms
        self._until_ms = 0

    def note(self, now: int, *, answered: bool) -> None:
        if answered:
            self._lost, self._wait_ms = 0, self._first_ms
            return
        self._lost += 1
        if self._lost >= self._after and now >= self._until_ms:
            self._until_ms = now + self._wait_ms
            self._wait_ms = min(2 * self._wait_ms, self._most_ms)

    def wait_ms(self, now: int, *, in_flight: int) -> int:
        if self._lost < self._after:
            return 0
        if now < self._until_ms:
            return self._until_ms - now
        return _BUSY_LOOK_MS if in_flight else 0


def _wait_in(sent: Sequence[int], length_ms: int, *, most: int, now: int) -> int:
    """Return how long until fewer than `most` of these lie in the window."""
    if most <= 0:
        return _BUSY_LOOK_MS
    if len(sent) < most:
        return 0
    return sent[-most] + length_ms - now
