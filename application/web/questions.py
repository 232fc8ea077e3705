"""The filter of a list: read from an address, written into one, told in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final
from urllib.parse import urlencode

from application.catalogue import CAUSES, explain
from application.services.listing import Flag
from application.services.picking import Asked
from application.services.searching import SEARCH_CHARACTERS_MIN
from application.web.forms import Problem
from application.web.visit import Visit

PATH: Final = "/invoices"
STATUSES: Final = ("not_synced", "in_progress", "synced", "failed")
FLAGS: Final = tuple(one.value for one in Flag)
FIELDS: Final = ("status", "flag", "cause", "fee", "from", "to", "q")
SIZES: Final = (25, 50, 100)
SIZE: Final = 50
TEXT_MOST: Final = 100
FEE_DIGITS_MOST: Final = 18


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list is narrowed to.

    Args:
        given: Text by the name of its field, as it stands in the address; empty ones left out.
        size: Invoices on a page.
    """

    given: Mapping[str, str]
    size: int = SIZE

    @classmethod
    def of(cls, found: Mapping[str, str]) -> "Filters":
        """Return the filters in an address or a form; whatever else stands there is passed over."""
        given = {name: found.get(name, "").strip()[:TEXT_MOST] for name in FIELDS}
        size = found.get("per", "")
        return cls(
            {name: text for name, text in given.items() if text},
            int(size) if size in {str(one) for one in SIZES} else SIZE,
        )

    def __getitem__(self, name: str) -> str:
        """Return the text of one field, "" where there is none."""
        return self.given.get(name, "")

    @property
    def any(self) -> bool:
        """Whether the list is narrowed at all."""
        return bool(self.given)

    @property
    def fields(self) -> dict[str, str]:
        """What a form hands on."""
        more = {"per": str(self.size)} if self.size != SIZE else {}
        return {**self.given, **more}

    def path(self, base: str = PATH, **changed: object) -> str:
        """Return an address with these filters.

        Args:
            base: Of which page.
            changed: Fields that are different there; "" leaves one out.
        """
        fields = {**self.fields, **{name: str(value) for name, value in changed.items()}}
        query = urlencode({name: text for name, text in fields.items() if text})
        return f"{base}?{query}" if query else base

    def words(self, visit: Visit) -> list[str]:
        """Return what is asked for, each part in a few words."""
        said = {
            "status": lambda text: visit.text(f"status.{text}"),
            "flag": lambda text: visit.text(f"flag.{text}"),
            "cause": lambda text: explain(text, {}).title,
            "fee": lambda text: visit.text("invoices.fee.number", number=text),
            "from": lambda text: visit.text("invoices.from.day", day=_day(text) or text),
            "to": lambda text: visit.text("invoices.to.day", day=_day(text) or text),
        }
        return [
            said[name](text) if name in said and self._known(name) else text
            for name, text in self.given.items()
        ]

    def problems(self, visit: Visit) -> list[Problem]:
        """Return what of it cannot be asked for."""
        wrong = [name for name in self.given if not self._known(name)]
        found = [Problem(name, visit.text(f"invoices_wrong.{name}")) for name in wrong]
        since, until = _day(self["from"]), _day(self["to"])
        if since and until and since > until:
            found.append(Problem("from", visit.text("invoices_wrong.order")))
        return found

    def asked(self, visit: Visit) -> Asked:
        """Return the question; only for filters without problems."""
        return visit.services.picking.asked(
            status=self["status"] or None,
            flag=self["flag"] or None,
            cause=self["cause"] or None,
            q=self["q"] or None,
            fee=int(self["fee"]) if self["fee"] else None,
            dated_from=_day(self["from"]),
            dated_to=_day(self["to"]),
        )

    def _known(self, name: str) -> bool:
        text = self[name]
        digits = text.removeprefix("-")
        match name:
            case "status":
                return text in STATUSES
            case "flag":
                return text in FLAGS
            case "cause":
                return text in CAUSES
            case "fee":
                return digits.isascii() and digits.isdigit() and len(digits) <= FEE_DIGITS_MOST
            case "from" | "to":
                return _day(text) is not None
            case _:
                return len(text) >= SEARCH_CHARACTERS_MIN


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None
