"""What one write has at hand: the books, the knobs, the moment, and the references it names."""

import random
from dataclasses import dataclass, field
from datetime import datetime

from qbo_simulator import refusals
from qbo_simulator.books import Books, Row
from qbo_simulator.clock import PACIFIC
from qbo_simulator.codec import Thing
from qbo_simulator.entities import PEOPLE
from qbo_simulator.knobs import Knobs


@dataclass(slots=True)
class Desk:
    """One write in progress."""

    books: Books
    knobs: Knobs
    chance: random.Random
    now: datetime
    virtual_s: float
    include: frozenset[str] = frozenset()
    hidden: frozenset[tuple[str, int]] = frozenset()
    notes: list[str] = field(default_factory=list)
    names_refused: list[int] = field(default_factory=lambda: [0])

    def today(self) -> str:
        """Return the date where Intuit's servers stand."""
        return self.now.astimezone(PACIFIC).date().isoformat()

    def prefers(self, group: str, name: str) -> object:
        """Return one preference, None when the company does not have it."""
        value: object = self.books.preferences.get(group, {}).get(name)
        return value

    def home_currency(self) -> str:
        """Return the code of the company's own currency."""
        return str(self.books.preferences["CurrencyPrefs"]["HomeCurrency"]["value"])

    def american(self) -> bool:
        """Return whether the company follows the rules of the United States."""
        return bool(self.books.company["Country"] == "US")

    def row_behind(
        self, entity: str, ref: Thing | None, *, element: str, kept: bool = False
    ) -> Row | None:
        """Return the row a reference names, None without a reference.

        Args:
            entity: What it must be.
            ref: The reference, already checked.
            element: Its place in the body, for the fault.
            kept: The object had this reference before; an inactive target is left alone.

        Raises:
            Refusal: There is no such object, or it is inactive.
        """
        if ref is None:
            return None
        value = ref["value"]
        row = self.books.row(entity, int(value)) if value.isdecimal() else None
        if row is None or row.deleted or (entity, row.row_id) in self.hidden:
            raise self._unknown(entity, value, element=element)
        if not row.active and not kept:
            raise self._inactive(entity, element=element)
        return row

    def next_name_text(self, holder_id: int) -> refusals.Refusal:
        """Return the 6240 refusal in the wording the knob asks for."""
        wordings = {"id": 0, "null": 1, "long": 2, "token": 3, "french": 4}
        turn = wordings.get(self.knobs.duplicate_name_text, self.names_refused[0])
        self.names_refused[0] += 1
        return refusals.duplicate_name(holder_id, turn=turn)

    @staticmethod
    def _unknown(entity: str, value: str, *, element: str) -> refusals.Refusal:
        if entity in PEOPLE:
            return refusals.invalid_reference(f"Names element id {value} not found", element="")
        words = {"Account": "Accounts", "Class": "Klasses", "Department": "Depts"}
        if entity in words:
            text = f"{words[entity]} element id {value} not found"
            return refusals.invalid_reference(text, element=element)
        return refusals.invalid_reference(element, element=element)

    def _inactive(self, entity: str, *, element: str) -> refusals.Refusal:
        match self.knobs.inactive_reference:
            case "610":
                return refusals.not_found()
            case "6250" if entity == "Customer":
                text = "Invalid Customer : the customer does not exist or is inactive."
                return refusals.Refusal("6250", "Invalid Sales Customer", text, element=element)
            case _:
                text = (
                    "Something you're trying to use has been made inactive. "
                    "Check the fields with accounts."
                )
                return refusals.invalid_reference(text, element=element)
