"""What follows from an answer, and after how long."""

import pytest

from application import catalogue
from application.catalogue import InternalFault, NotConnected, QuickBooksUnavailable, RateLimited
from application.invoices.outcomes import Ok, Outcome, Passing, Refused, Unknown
from application.invoices.retries import Step, next_step, pause_ms, stop_for, wait_before_ms
from tests.core.rows import FOUND


def refused(passing: Passing) -> Refused:
    return Refused("quickbooks_busy", passing=passing)


class TestNextStep:
    @pytest.mark.parametrize(
        ("outcome", "attempts", "sends", "tried", "step"),
        [
            pytest.param(Ok(FOUND), 1, 1, False, Step.CONFIRM, id="done"),
            pytest.param(Unknown("reset"), 1, 1, False, Step.SETTLE, id="unclear: look first"),
            pytest.param(Unknown("time_out"), 9, 9, True, Step.SETTLE, id="unclear for ever"),
            pytest.param(refused(Passing.NO), 1, 1, False, Step.REFUSE, id="permanent: at once"),
            pytest.param(refused(Passing.TRANSIENT), 1, 1, False, Step.TRY_AGAIN, id="first of 3"),
            pytest.param(refused(Passing.TRANSIENT), 2, 2, False, Step.TRY_AGAIN, id="second of 3"),
            pytest.param(refused(Passing.TRANSIENT), 3, 3, False, Step.REFUSE, id="third of 3"),
            pytest.param(refused(Passing.TRANSIENT), 1, 5, False, Step.REFUSE, id="sends used up"),
            pytest.param(refused(Passing.NOT_SENT), 1, 5, False, Step.TRY_AGAIN, id="no byte left"),
            pytest.param(refused(Passing.NOT_SENT), 3, 0, False, Step.STOP, id="never refused"),
            pytest.param(refused(Passing.PAUSE), 3, 9, True, Step.PAUSE, id="a limit never fails"),
            pytest.param(refused(Passing.SIGN_IN), 1, 1, False, Step.SIGN_IN, id="renew once"),
            pytest.param(refused(Passing.SIGN_IN), 1, 1, True, Step.STOP, id="not twice"),
            pytest.param(refused(Passing.STOP), 1, 1, False, Step.STOP, id="a person must act"),
        ],
    )
    def test_follows_from_the_answer(
        self, *, outcome: Outcome, attempts: int, sends: int, tried: bool, step: Step
    ) -> None:
        followed = next_step(
            outcome,
            attempts=attempts,
            max_retries=3,
            sends=sends,
            sends_max=5,
            sign_in_tried=tried,
        )

        assert followed is step

    def test_with_one_attempt_allowed_is_never_a_second(self) -> None:
        followed = next_step(
            refused(Passing.TRANSIENT),
            attempts=1,
            max_retries=1,
            sends=1,
            sends_max=5,
            sign_in_tried=False,
        )

        assert followed is Step.REFUSE


class TestStep:
    def test_has_these_words(self) -> None:
        words = ["confirm", "try_again", "pause", "refuse", "settle", "sign_in", "stop"]

        assert [*Step] == words


class TestWaits:
    @pytest.mark.parametrize(("jitter_ms", "wait_ms"), [(0, 5000), (900, 5900), (-5, 5000)])
    def test_before_an_attempt_are_the_delay_and_some_chance(
        self, jitter_ms: int, wait_ms: int
    ) -> None:
        assert wait_before_ms(retry_delay_ms=5000, jitter_ms=jitter_ms) == wait_ms

    @pytest.mark.parametrize(
        ("retry_after_s", "waited_ms"),
        [
            pytest.param(None, 60_000, id="ours when QuickBooks names none"),
            pytest.param(7, 7_000, id="QuickBooks' own"),
            pytest.param(0, 1_000, id="a second at least"),
            pytest.param(-1, 1_000, id="never backwards"),
            pytest.param(86_400, 600_000, id="not for ever"),
        ],
    )
    def test_after_a_limit_are_quickbooks_own_within_bounds(
        self, retry_after_s: int | None, waited_ms: int
    ) -> None:
        limited = Refused("quickbooks_rate_limited", Passing.PAUSE, retry_after_s=retry_after_s)

        assert pause_ms(limited, default_ms=60_000, most_ms=600_000) == waited_ms

    def test_by_default_keep_to_the_bound_too(self) -> None:
        assert pause_ms(refused(Passing.PAUSE), default_ms=60_000, most_ms=50) == 50


class TestStopFor:
    @pytest.mark.parametrize(
        ("cause", "kind"),
        [
            ("authentication_failed", NotConnected),
            ("quickbooks_rate_limited", RateLimited),
            ("quickbooks_unavailable", QuickBooksUnavailable),
            ("permission_lost", catalogue.PermissionLost),
            ("company_inactive", catalogue.CompanyInactive),
            ("company_reset", catalogue.CompanyReset),
            ("wrong_environment", catalogue.WrongEnvironment),
            ("company_mismatch", catalogue.CompanyMismatch),
            ("reads_used_up", catalogue.ReadsUsedUp),
        ],
    )
    def test_is_the_condition_s_own_exception(self, cause: str, kind: type[catalogue.Stop]) -> None:
        stop = stop_for(cause, detail="why")

        assert type(stop) is kind
        assert (stop.cause, stop.facts) == (cause, {"detail": "why"})

    def test_of_a_busy_quickbooks_is_one_that_does_not_answer(self) -> None:
        assert type(stop_for("quickbooks_busy")) is QuickBooksUnavailable

    def test_of_anything_else_is_a_fault_of_ours_that_names_it(self) -> None:
        stop = stop_for("invalid_amount")

        assert type(stop) is InternalFault
        assert stop.facts == {"of": "invalid_amount"}
