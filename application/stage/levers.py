"""The simulator's control interface, asked over HTTP: trouble made, ended and looked at."""

import http.client
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlsplit

from application.catalogue import QuickBooksUnavailable
from application.stage.table import NotNow

PATIENCE_S: Final = 10
NUMBERS_CUSTOM: Final = "CustomTxnNumbers"
Trouble = Mapping[str, object]


class Levers:
    """Makes trouble in the simulator. No real company has such addresses, so none can be reached.

    Args:
        address: Where the simulator's control interface answers.
    """

    def __init__(self, address: Callable[[], str]) -> None:
        self._address = address

    def state(self) -> Mapping[str, Any]:
        """Return what the simulator says of itself: `faults`, `grants` and more.

        Raises:
            QuickBooksUnavailable: It does not answer.
        """
        state: Mapping[str, Any] = self._ask("GET", "state")
        return state

    def preferences(self) -> Mapping[str, Any]:
        """Return the company's preferences. Raises as `state`."""
        found: Mapping[str, Any] = self._ask("GET", "preferences")
        return found

    def make(self, troubles: Sequence[Trouble], *, label: str) -> None:
        """Queue trouble under a label, in place of what was left of it. Raises as `state`."""
        self.end(label)
        self._ask("POST", "faults", [{**one, "label": label} for one in troubles])

    def end(self, label: str) -> None:
        """End the trouble of a label. Raises as `state`."""
        self._ask("DELETE", f"faults?label={quote(label)}")

    def end_sign_in(self) -> None:
        """End the grant, as if a person disconnected the app in QuickBooks. Raises as `state`."""
        self._ask("POST", "revoke", {})

    def number_by_hand(self, *, on: bool) -> None:
        """Turn custom transaction numbers on or off. Raises as `state`."""
        self._ask("POST", "preferences", {"SalesFormsPrefs": {NUMBERS_CUSTOM: on}})

    def close_books(self, until: str) -> None:
        """Close the books up to a day. Raises as `state`."""
        self._ask("POST", "knobs", {"book_close_date": until})

    def newest(self, most: int) -> Sequence[Mapping[str, Any]]:
        """Return the newest live invoices, newest first. Raises as `state`."""
        found: Sequence[Mapping[str, Any]] = self._ask("GET", f"ledger?newest={most}")
        return found

    def edit(self, quickbooks_id: str, change: Trouble) -> None:
        """Change an invoice as a person in QuickBooks would.

        Raises:
            QuickBooksUnavailable: The simulator does not answer.
            NotNow: QuickBooks would not let a person do it.
        """
        self._ask("POST", "edit", {"entity": "Invoice", "id": quickbooks_id, "change": change})

    def enter(self, *, invoices: Sequence[Trouble] = (), items: Sequence[Trouble] = ()) -> None:
        """Enter invoices or products as a person in QuickBooks would. Raises as `edit`."""
        self._ask("POST", "seed", {"invoices": invoices, "items": items})

    def _ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - any JSON
        where = urlsplit(self._address())
        link = http.client.HTTPConnection(
            where.hostname or "127.0.0.1", where.port, timeout=PATIENCE_S
        )
        try:
            text = None if body is None else json.dumps(body)
            link.request(method, f"/_simulator/{path}", body=text)
            answer = link.getresponse()
            told = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as away:
            raise QuickBooksUnavailable(detail="the simulator does not answer") from away
        finally:
            link.close()
        if answer.status != http.client.OK:
            raise NotNow(problem=f"QuickBooks would not take it ({told.get('error', '')})")
        return told
