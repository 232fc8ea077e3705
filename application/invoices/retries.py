"""May it be tried again, and when: a value, never a sleep."""

from enum import StrEnum
from typing import assert_never

from application.catalogue import (
    CompanyInactive,
    CompanyMismatch,
    CompanyReset,
    InternalFault,
    NotConnected,
    PermissionLost,
    QuickBooksUnavailable,
    RateLimited,
    ReadsUsedUp,
    Stop,
    WrongEnvironment,
)
from application.invoices.outcomes import Ok, Outcome, Passing, Refused, Unknown

_KINDS: tuple[type[Stop], ...] = (
    CompanyInactive,
    CompanyMismatch,
    CompanyReset,
    NotConnected,
    PermissionLost,
    QuickBooksUnavailable,
    RateLimited,
    ReadsUsedUp,
    WrongEnvironment,
)
_STOPS = {kind.cause: kind for kind in _KINDS}
_STOPS["quickbooks_busy"] = QuickBooksUnavailable  # for a run that cannot go on, busy is away


class Step(StrEnum):
    """What follows from one answer."""

    CONFIRM = "confirm"
    TRY_AGAIN = "try_again"  # the same bytes, after a wait
    PAUSE = "pause"  # the same bytes, after the company's pause; no attempt is counted
    REFUSE = "refuse"
    SETTLE = "settle"
    SIGN_IN = "sign_in"  # renew the sign-in, then the same bytes
    STOP = "stop"  # the company waits; nothing is refused


def next_step(
    outcome: Outcome,
    *,
    attempts: int,
    max_retries: int,
    sends: int,
    sends_max: int,
    sign_in_tried: bool,
) -> Step:
    """Return what follows from an answer.

    Args:
        outcome: What the answer means.
        attempts: Refusals that pass in this run, this one counted.
        max_retries: The most attempts in one run.
        sends: Sends of this generation, this one counted.
        sends_max: The most of them without a person.
        sign_in_tried: Whether the sign-in was renewed for this request already.
    """
    match outcome:
        case Ok():
            return Step.CONFIRM
        case Unknown():
            return Step.SETTLE
        case Refused(passing=passing):
            left = attempts < max_retries
            return _after_refusal(
                passing, left=left, sendable=sends < sends_max, sign_in_tried=sign_in_tried
            )
        case _:
            assert_never(outcome)


def _after_refusal(passing: Passing, *, left: bool, sendable: bool, sign_in_tried: bool) -> Step:
    match passing:
        case Passing.NO:
            return Step.REFUSE
        case Passing.TRANSIENT:
            return Step.TRY_AGAIN if left and sendable else Step.REFUSE
        case Passing.NOT_SENT:
            # No byte left us, so the invoice is not at fault and is never marked failed.
            return Step.TRY_AGAIN if left else Step.STOP
        case Passing.PAUSE:
            return Step.PAUSE
        case Passing.SIGN_IN:
            return Step.STOP if sign_in_tried else Step.SIGN_IN
        case Passing.STOP:
            return Step.STOP
        case _:
            assert_never(passing)


def wait_before_ms(*, retry_delay_ms: int, jitter_ms: int) -> int:
    """Return how long to wait before the next attempt."""
    return retry_delay_ms + max(0, jitter_ms)


def pause_ms(refused: Refused, *, default_ms: int, most_ms: int) -> int:
    """Return how long the whole company rests after QuickBooks limited us.

    Args:
        refused: The refusal; its `Retry-After` counts where it has one, but at least a second.
        default_ms: Without one.
        most_ms: The longest we wait on QuickBooks' word alone.
    """
    if refused.retry_after_s is None:
        return min(default_ms, most_ms)
    return min(max(refused.retry_after_s, 1) * 1000, most_ms)


def stop_for(cause: str, **facts: object) -> Stop:
    """Return the exception that stops a run for this cause; the caller raises it.

    A cause that should not be able to stop a run becomes an InternalFault that names it.
    """
    kind = _STOPS.get(cause)
    return InternalFault(of=cause, **facts) if kind is None else kind(**facts)
