"""Vendors and employees under names we want to give to customers: one query for a page of names."""

from collections.abc import Callable, Sequence

from application.invoices.model import Party
from application.invoices.outcomes import Refused, Unknown
from application.quickbooks.answers import Answer
from application.quickbooks.wire import PAGE_ROWS, quoted, read_parties

# A statement travels in the address, and QuickBooks names no limit for it; 50 names of the
# longest kind stay below the 8 kB that gateways take.
NAMES_MOST = 50
KINDS = ("Vendor", "Employee")
_ALL_OF = "select * from"


def query_named(kind: str, *, names: Sequence[str]) -> str:
    """Return the query for the active vendors or employees with one of these names."""
    wanted = ", ".join(quoted(name) for name in names)
    return f"{_ALL_OF} {kind} where DisplayName in ({wanted}) maxresults {PAGE_ROWS}"


def others_named(
    ask: Callable[[str], Answer | Refused | Unknown], names: Sequence[str]
) -> tuple[Party, ...] | Refused | Unknown:
    """Return who else is called so; the first read that fails ends it.

    Args:
        ask: Puts a query to QuickBooks.
        names: Any number.
    """
    found: list[Party] = []
    for kind in KINDS:
        for start in range(0, len(names), NAMES_MOST):
            page = names[start : start + NAMES_MOST]
            answer = ask(query_named(kind, names=page))
            parties = read_parties(answer, kind=kind) if isinstance(answer, Answer) else answer
            if not isinstance(parties, tuple):
                return parties
            found += parties
    return tuple(found)
