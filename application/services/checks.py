"""doctor: each start-up, MIS, store and QuickBooks check, with the fix beside it."""

from collections.abc import Callable
from dataclasses import dataclass

from application.catalogue import Stop, explain
from application.mis.reader import MisReader
from application.quickbooks.client import Client
from application.services.connection import Connection
from application.store.audit import Audit


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    result: str  # ok, warn or fail
    text: str
    remedy: str | None = None
    cause: str | None = None


class Checks:
    """Looks at everything a run needs, and says how to mend what is wrong."""

    def __init__(
        self,
        *,
        reader: MisReader,
        connection: Connection,
        client: Callable[[], Client],
        audit: Audit,
        shown: Callable[[], list[Check]],
    ) -> None:
        self._reader = reader
        self._connection = connection
        self._client = client
        self._audit = audit
        self._shown = shown

    def all(self) -> list[Check]:
        """Return every check; one that cannot be made is a failed one, never a passed one."""
        return [
            *self._shown(),
            *self._guarded("MIS", self._mis),
            *self._guarded("Audit log", self._chain),
            *self._guarded("QuickBooks", self._quickbooks),
        ]

    def _guarded(self, name: str, look: Callable[[], list[Check]]) -> list[Check]:
        try:
            return look()
        except Stop as stop:
            told = explain(stop.cause, stop.facts)
            return [Check(name, "fail", f"{told.title}: {told.why}", told.remedy, stop.cause)]

    def _mis(self) -> list[Check]:
        return [
            Check(line.name, line.result, line.text, line.remedy, line.cause)
            for line in self._reader.check()
        ]

    def _chain(self) -> list[Check]:
        seen = self._audit.verify()
        if seen.intact:
            return [Check("Audit log", "ok", f"chain intact, {seen.entries:,} entries")]
        return [
            Check(
                "Audit log",
                "fail",
                f"entry {seen.first_bad} is not as it was written: {seen.problem}",
                "Keep this file, restore the last backup beside it and compare.",
            )
        ]

    def _quickbooks(self) -> list[Check]:
        realm = self._connection.realm()
        profile = self._connection.read_company(self._client())
        checks = [
            Check(
                "QuickBooks",
                "ok",
                f"connected to {profile.name} ({realm.environment.value.upper()})",
            )
        ]
        if not profile.custom_numbers:
            told = explain("custom_numbers_off", {})
            checks.append(Check("Transaction numbers", "warn", told.why, told.remedy, told.code))
        if profile.books_closed_until:
            checks.append(
                Check("Closing date", "ok", f"books closed to {profile.books_closed_until}")
            )
        return checks
