"""doctor: each start-up, MIS, store and QuickBooks check, with the fix beside it."""

from collections.abc import Callable
from contextlib import suppress

from application.catalogue import Stop, StoreUnavailable, explain
from application.mis.reader import MisReader
from application.quickbooks.client import Client
from application.services.connection import Connection
from application.services.looks import DOCTOR, DOCTOR_MIS, Check, Looks
from application.services.preflight import Preflight
from application.store.audit import Audit

__all__ = ["Check", "Checks"]


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
        preflight: Preflight,
        looks: Looks,
    ) -> None:
        self._reader = reader
        self._connection = connection
        self._client = client
        self._audit = audit
        self._shown = shown
        self._preflight = preflight
        self._looks = looks

    def all(self) -> list[Check]:
        """Return every check; one that cannot be made is a failed one, never a passed one."""
        mis = self.mis()
        found = [
            *self._shown(),
            *mis,
            *self._guarded("Audit log", self._chain),
            *self._guarded("Encryption keys", self._keys),
            *self._guarded("QuickBooks", self._quickbooks),
        ]
        self._keep(DOCTOR, found)
        return found

    def mis(self) -> list[Check]:
        """Return the checks of the MIS alone."""
        found = self._guarded("MIS", self._mis)
        self._keep(DOCTOR_MIS, found)
        return found

    def _keep(self, name: str, found: list[Check]) -> None:
        with suppress(StoreUnavailable):  # what was found is told all the same
            self._looks.keep(name, found)

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

    def _keys(self) -> list[Check]:
        keys = self._connection.keys()
        if keys.older_in_use:
            return [
                Check(
                    "Encryption keys",
                    "warn",
                    "something rests under an older key; keep that key in ENCRYPTION_KEYS",
                    "Start `feebridge serve` again: it seals everything under the newest key.",
                )
            ]
        if keys.count > 1:
            text = "everything rests under the newest key; the older ones may go"
            return [Check("Encryption keys", "ok", text)]
        return [Check("Encryption keys", "ok", "one key, and everything rests under it")]

    def _quickbooks(self) -> list[Check]:
        return self._preflight.look(self._client())
