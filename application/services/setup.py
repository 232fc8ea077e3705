"""Setting up, step by step: each is done by a fact, so one may leave and come back."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from application.catalogue import Stop
from application.services.company import Company
from application.services.looks import DOCTOR, Looks
from application.services.mapping import Mapping
from application.store.journal import Journal


class Step(StrEnum):
    """What there is to do, in its order."""

    MIS = "mis"
    KEYS = "keys"
    CONNECT = "connect"
    FEES = "fees"
    CHECKS = "checks"
    FIRST = "first"


@dataclass(frozen=True, slots=True)
class Standing:
    """One step, and what is known of it."""

    step: Step
    done: bool
    stop: Stop | None = None  # why it cannot be judged
    mapped: int = 0  # of the fees
    total: int = 0


class Setup:
    """Tells which steps are done; it asks nobody outside and changes nothing.

    Args:
        figures: Reads the MIS; it raises where that is not possible.
        company: The connected company.
        mapping: Which product takes which fee.
        journal: Whether an invoice of ours is in QuickBooks.
        looks: What `doctor` found last.
        has_keys: Whether there are keys for the environment.
        makes_products: Whether a fee without a product gets one made.
        demo: Whether this is the sample university, which stands ready.
    """

    def __init__(
        self,
        *,
        figures: Callable[[], object],
        company: Company,
        mapping: Mapping,
        journal: Journal,
        looks: Looks,
        has_keys: bool,
        makes_products: bool,
        demo: bool,
    ) -> None:
        self._figures = figures
        self._company = company
        self._mapping = mapping
        self._journal = journal
        self._looks = looks
        self._has_keys = has_keys
        self._makes_products = makes_products
        self._demo = demo

    def steps(self) -> tuple[Standing, ...]:
        """Return every step in its order.

        Raises:
            Stop: Our own store does not answer.
        """
        state = self._company.state()
        seen = self._looks.known(DOCTOR)
        return (
            self._mis(),
            Standing(Step.KEYS, self._has_keys),
            Standing(Step.CONNECT, state.connected and state.problem is None),
            self._fees(),
            Standing(Step.CHECKS, seen is not None and seen.passed),
            Standing(Step.FIRST, self._sent()),
        )

    def left(self) -> int:
        """Return how many steps are left; none once an invoice was sent, nor in a demo.

        Whoever sends has set up: a fee that comes later without a product is a failure like others.

        Raises:
            Stop: Our own store does not answer.
        """
        if self._demo or self._sent():
            return 0
        return sum(not one.done for one in self.steps())

    def _mis(self) -> Standing:
        try:
            self._figures()
        except Stop as stop:
            return Standing(Step.MIS, done=False, stop=stop)
        return Standing(Step.MIS, done=True)

    def _fees(self) -> Standing:
        try:
            page = self._mapping.rows()
        except Stop as stop:
            return Standing(Step.FEES, done=False, stop=stop)
        done = self._makes_products or page.mapped == page.total
        return Standing(Step.FEES, done, mapped=page.mapped, total=page.total)

    def _sent(self) -> bool:
        tag = self._company.realm_tag()
        return tag is not None and self._journal.any_receipt(tag)
