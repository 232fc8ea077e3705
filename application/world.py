"""Clock: now, since boot, sleep, CLOCK_SCALE. Chance: jitter, tokens. gate: each outside effect."""

import queue
import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TypeVar

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID_RANDOM_BITS = 80
_ULID_CHARACTERS = 26
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

T = TypeVar("T")


@cache
def _boot_id() -> str:
    """Read it once: a process never outlives the machine's start."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return "no-boot-id"


class Gate(StrEnum):
    """Every durable step or outside effect; the gate is passed just after it happened.

    Tests stop, kill or fail the process at these names. In production passing one does nothing.
    """

    CLAIM_RECORDED = "claim.recorded"
    CLAIM_WRITTEN = "claim.written"
    CLAIM_REREAD = "claim.reread"
    PLAN_READ = "plan.read"
    PLAN_FROZEN = "plan.frozen"
    CUSTOMER_INTENDED = "customer.intended"
    CUSTOMER_SENT = "customer.sent"
    CUSTOMER_ANSWERED = "customer.answered"
    CUSTOMER_LINKED = "customer.linked"
    SEND_PERMIT = "send.permit"
    SEND_TOKEN = "send.token"  # noqa: S105 - the name of a step, not a secret
    SEND_CONNECTED = "send.connected"
    ATTEMPT_DURABLE = "attempt.durable"
    LEASE_CHECKED = "lease.checked"
    SEND_HEADERS = "send.headers"
    SEND_BODY = "send.body"
    ANSWER_HEAD = "answer.head"
    ANSWER_BODY = "answer.body"
    ANSWER_CLASSIFIED = "answer.classified"
    ANSWER_COMPARED = "answer.compared"
    REREAD_BY_ID = "reread.by_id"
    RECEIPT_DURABLE = "receipt.durable"
    MARK_SENT = "mark.sent"
    MARK_COMMITTED = "mark.committed"
    MARK_NOTED = "mark.noted"
    REFUSAL_DURABLE = "refusal.durable"
    REFUSAL_MARKED = "refusal.marked"
    UNKNOWN_DURABLE = "unknown.durable"
    SETTLE_ASKED = "settle.asked"
    SETTLE_FOUND = "settle.found"
    SETTLE_ABSENT = "settle.absent"
    RELEASE_RESTORED = "release.restored"
    RELEASE_NOTED = "release.noted"
    BUNDLE_COMPOSED = "bundle.composed"
    BUNDLE_SENT = "bundle.sent"
    BUNDLE_ANSWERED = "bundle.answered"
    BUNDLE_ITEM = "bundle.item"
    LEASE_ACQUIRED = "lease.acquired"
    LEASE_RENEWED = "lease.renewed"
    LEASE_RELEASED = "lease.released"
    REFRESH_NOTED = "refresh.noted"
    REFRESH_ANSWERED = "refresh.answered"
    REFRESH_STORED = "refresh.stored"
    RUN_RECORDED = "run.recorded"
    SLICE_OPENED = "slice.opened"
    SLICE_CLOSED = "slice.closed"
    RUN_FINISHED = "run.finished"
    SWEEP_ROW = "sweep.row"
    START_BOUND = "start.bound"
    STOP_ASKED = "stop.asked"
    STOP_DRAINED = "stop.drained"
    ANCHOR_WRITTEN = "anchor.written"
    STORE_MIGRATED = "store.migrated"


def open_gate(gate: Gate) -> None:
    """Let every step pass; what production uses."""


class Clock:
    """The real clock. A test hands in a subclass that jumps.

    Args:
        scale: How many times faster QuickBooks' limits and our waits run; 1 in production.
    """

    def __init__(self, *, scale: int = 1) -> None:
        self.scale = scale

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - this is the Clock everybody else is given

    def since_boot_ms(self) -> int:
        """Return milliseconds on a clock that nobody sets and that counts while a laptop sleeps."""
        if hasattr(time, "CLOCK_BOOTTIME"):
            return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
        return max(time.monotonic_ns(), time.time_ns()) // 1_000_000

    def boot_id(self) -> str:
        """Return a name for this start of the machine; within it `since_boot_ms` compares."""
        return _boot_id()

    def sleep_ms(self, wait_ms: int) -> None:
        """Wait that many real milliseconds."""
        if wait_ms > 0:
            time.sleep(wait_ms / 1000)

    def next_of(self, waiting: "queue.SimpleQueue[T]", *, most_ms: int) -> T | None:
        """Return what a queue brings within that many real milliseconds; None where nothing."""
        try:
            return waiting.get(timeout=most_ms / 1000)
        except queue.Empty:
            return None

    def scaled_ms(self, seconds: int) -> int:
        """Return what a wait of QuickBooks' or our own seconds lasts in real milliseconds."""
        return max(1, seconds * 1000 // self.scale)

    def later(self, *, wait_ms: int) -> datetime:
        """Return the instant that many real milliseconds from now."""
        return self.now() + timedelta(milliseconds=wait_ms)


class Chance:
    """Unpredictable values. A test hands in a seeded subclass."""

    def __init__(self) -> None:
        self._dice = random.SystemRandom()

    def jitter_ms(self, *, most_ms: int) -> int:
        """Return 0 to `most_ms` milliseconds."""
        return self._dice.randint(0, max(0, most_ms))

    def secret(self) -> str:
        """Return 256 random bits as URL-safe text."""
        return secrets.token_urlsafe(32)

    def bits(self, *, size: int) -> int:
        """Return that many random bits as a number."""
        return secrets.randbits(size)

    def ulid(self, *, at: datetime) -> str:
        """Return 26 characters that sort by time and never repeat."""
        number = (int(at.timestamp() * 1000) << _ULID_RANDOM_BITS) | self.bits(
            size=_ULID_RANDOM_BITS
        )
        letters: list[str] = []
        for _ in range(_ULID_CHARACTERS):
            letters.append(_CROCKFORD[number & 31])
            number >>= 5
        return "".join(reversed(letters))


@dataclass(frozen=True, slots=True)
class Waits:
    """Every wait the services need, in real milliseconds; CLOCK_SCALE is already in them."""

    grace_ms: int  # from a send until "not found" may be believed
    lease_ms: int
    heartbeat_ms: int
    retry_delay_ms: int
    throttle_pause_ms: int
    throttle_most_ms: int
    token_early_ms: int
    refresh_lock_ms: int
    mis_patience_ms: int
    unreachable_ms: int  # no connection for this long ends the run
    settle_looks_ms: tuple[int, ...]  # after an unclear answer, before `grace_ms`
    replay_age_ms: int  # an answer whose document is older than this may be a replay


@dataclass(frozen=True, slots=True)
class World:
    """Everything that is not a rule: time, chance, and the gate each outside effect passes."""

    clock: Clock = field(default_factory=Clock)
    chance: Chance = field(default_factory=Chance)
    gate: Callable[[Gate], None] = open_gate
