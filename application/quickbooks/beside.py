"""What the other processes of this machine use of one company's limits."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_STALE: Final = 10  # times a living process could have said something, and said nothing
_AHEAD_MS: Final = 1_000  # an instant further ahead was written before the machine last began


def by_name(one: "DataclassInstance") -> dict[str, object]:
    """Return a value's fields; a deep copy of every instant in them would be slower."""
    return {each.name: getattr(one, each.name) for each in fields(one)}


def known_to(kind: "type[DataclassInstance]", found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what this version knows of fields that another one wrote down."""
    return {each.name: found[each.name] for each in fields(kind) if each.name in found}


@dataclass(frozen=True, slots=True)
class Used:
    """What one process has sent and is sending; instants are milliseconds since the machine began.

    Args:
        requests: When each request of the last minute counts as arrived.
        bundles: When each bundle does.
        open_requests: Requests that are being sent and have no instant yet.
        open_bundles: Bundles among them.
        in_flight: Requests being sent or answered.
        paused_until: The end of a rest QuickBooks asked for.
        at: When this was so.
    """

    requests: Sequence[int] = ()
    bundles: Sequence[int] = ()
    open_requests: int = 0
    open_bundles: int = 0
    in_flight: int = 0
    paused_until: int = 0
    at: int = 0

    def written(self) -> dict[str, object]:
        """Return it as others read it."""
        return by_name(self)

    @classmethod
    def of(cls, says: Mapping[str, Any]) -> Self:
        """Return what another process wrote, which may be of another version."""
        return cls(**known_to(cls, says))


class Note(Protocol):
    """What another process wrote down about itself."""

    @property
    def says(self) -> Mapping[str, Any]:
        """What `Used.written` gave it."""

    @property
    def alive(self) -> bool:
        """Whether its process still runs."""


class Beside(Protocol):
    """The processes of this machine that send to the same company."""

    def turn(self) -> AbstractContextManager[None]:
        """Let nobody else decide meanwhile."""

    def put(self, note: Mapping[str, object]) -> None:
        """Say what this process uses."""

    def others(self) -> Sequence[Note]:
        """Return what others said."""

    def forget(self, other: Any) -> None:  # noqa: ANN401 - what `others` gave
        """Drop what a process said that is gone."""


class Neighbours:
    """Adds up what others use, as it was when we last had our turn.

    Args:
        beside: The others; None: there are none.
        now: The machine's clock in milliseconds since it began.
        minute_ms: The longest window.
        pause_most_ms: The longest rest somebody may have been asked for.
    """

    def __init__(
        self,
        beside: Beside | None,
        *,
        now: Callable[[], int],
        minute_ms: int,
        pause_most_ms: int,
    ) -> None:
        self._beside = beside
        self._now = now
        self._minute_ms = minute_ms
        self._pause_most_ms = pause_most_ms
        self._fresh_ms = max(1, minute_ms // 60)
        self._said_at = 0
        self.used = Used()

    @property
    def seen(self) -> bool:
        """Whether any other process sent in the last minute or is sending."""
        return bool(self.used.requests or self.used.in_flight)

    @contextmanager
    def turn(self, ours: Callable[[], Used], *, changes: bool = True) -> Iterator[None]:
        """Look at what others use, let the caller decide, and say what we use then.

        Args:
            ours: What we use once the caller is done.
            changes: Whether the caller may have changed that; else it is only kept fresh.
        """
        if self._beside is None:
            yield
            return
        with ExitStack() as turn:
            beside: Beside | None = self._beside
            try:
                turn.enter_context(self._beside.turn())
                self.used = self._added_up(self._beside)
            except OSError:
                # A full or foreign disk, or somebody who stopped in the middle of his turn: each
                # process keeps the limits by itself then, and QuickBooks says 429 where that is
                # too much for all of them together.
                beside, self.used = None, Used()
            yield
            if beside is not None and (changes or self._now() - self._said_at >= self._fresh_ms):
                self._said_at = self._now()
                with suppress(OSError):  # as above
                    beside.put(ours().written())

    def _added_up(self, beside: Beside) -> Used:
        """Add up the notes; of a process that died or froze, only what it sent counts."""
        now, each = self._now(), []
        for note in beside.others():
            used = Used.of(note.says)
            sent = Used(
                requests=self._recent(used.requests, now=now),
                bundles=self._recent(used.bundles, now=now),
                paused_until=min(used.paused_until, now + self._pause_most_ms),
            )
            if note.alive and now - used.at < _STALE * self._fresh_ms:
                each.append(replace(used, requests=sent.requests, bundles=sent.bundles))
            elif note.alive or sent.requests or sent.paused_until > now:
                each.append(sent)
            else:
                beside.forget(note)
        return Used(
            requests=sorted(at for one in each for at in one.requests),
            bundles=sorted(at for one in each for at in one.bundles),
            open_requests=sum(one.open_requests for one in each),
            open_bundles=sum(one.open_bundles for one in each),
            in_flight=sum(one.in_flight for one in each),
            paused_until=max((one.paused_until for one in each), default=0),
        )

    def _recent(self, instants: Sequence[int], *, now: int) -> list[int]:
        return [at for at in instants if now - self._minute_ms < at <= now + _AHEAD_MS]
