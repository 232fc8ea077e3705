"""Fees of a real MIS: a new row for every price, names of every kind; and what comments say."""

from collections.abc import Iterator
from random import Random
from typing import Final

from application.mis import demo_people as people
from application.mis.demo_people import Row, pick

_PLAIN: Final = (
    "Tuition fee", "Registration fee", "Examination fee", "Library fee", "Student card",
    "Laboratory fee", "Graduation fee", "Campus transfer", "Special exam", "Internship fee",
    "Accommodation fee", "Medical fee", "Sports & leisure", 'Fee "B"', "Retake",
    "Late registration", "Transcript", "Certificate", "Research fee", "Thesis defence",
    "Field trip", "Uniform", "Insurance", "Computer lab", "Language course",
    "Evening programme", "Weekend programme", "Master's tuition", "PhD tuition", "Application",
    "Change of programme", "Recommendation letter", "Equivalence", "Workshop materials ",
    "Student union", "Sports and culture", "sports and culture",
)  # fmt: skip
_ACTIVE_WITHOUT_PRODUCT: Final = ("Caution money", "Bank charges", "Penalty: late payment")
_INACTIVE_WITHOUT_PRODUCT: Final = (
    "Old levy", "Building fund: 2019", "Solidarity", "Anniversary",
)  # fmt: skip
LONGEST: Final = "Contribution of every student to the upkeep of buildings, roads and gardens"
MAPPED: Final = (*_PLAIN, LONGEST.ljust(100, "."))
NAMES: Final = (*MAPPED, *_ACTIVE_WITHOUT_PRODUCT, *_INACTIVE_WITHOUT_PRODUCT)
ACTIVE_TWICE: Final = 30
SHARES: Final = (
    (7_800, "active"),
    (1_400, "renamed"),
    (300, "inactive"),
    (300, "unmapped"),
    (30, "missing"),
    (30, "null"),
    (140, "everywhere"),
)
COMMENTS: Final = (
    (2_000, None),
    (1_000, ""),
    (5_710, "Semester {0}, year {1}"),
    (860, "Approved by the registry after a talk with the family. " * 5),
    (150, "Paid in parts, see the file; " * 24),
    (30, "x" * 900),
    (50, "Paid in\ntwo parts\tof {0}"),
    (10, "Murakoze \N{PARTY POPPER} {0}"),
    (20, 'He said "yes" & <b>left</b> {0}'),
    (170, "Semester {0}"),
)
MISSING_ID: Final = 99_999


class FeeBook:
    """The fee categories of one university.

    Args:
        big: 130 rows instead of 60.
    """

    def __init__(self, *, big: bool) -> None:
        self._rows = 130 if big else 60
        first = range(1, len(MAPPED) + 1)
        unmapped = range(len(MAPPED) + 1, len(MAPPED) + 1 + len(_ACTIVE_WITHOUT_PRODUCT))
        gone = range(unmapped.stop, len(NAMES) + 1)
        older = range(len(NAMES) + 1 + (ACTIVE_TWICE if big else 0), self._rows + 1)
        self._ids = {
            "active": (*first[2:], *range(len(NAMES) + 1, older.start)),
            "renamed": tuple(older),
            "inactive": tuple(gone),
            "unmapped": tuple(unmapped),
            "missing": (MISSING_ID,),
            "everywhere": tuple(first[:2]),
        }
        self._active = {*first, *unmapped, *range(len(NAMES) + 1, older.start)}

    def rows(self) -> Iterator[Row]:
        """Yield the rows; a name stands on several once its price has changed."""
        for number in range(1, self._rows + 1):
            index = number - 1 if number <= len(NAMES) else (number - len(NAMES) - 1) % len(MAPPED)
            row = people.fee(
                number,
                name=NAMES[index],
                amount=1_000 * (1 + number * 7 % 500),
                active=number in self._active,
            )
            row["camp_id"] = 0 if number in self._ids["everywhere"] else row["camp_id"]
            # Four in five repeat their name as description.
            row["description"] = NAMES[index] if number % 5 else f"{NAMES[index]}, all faculties"
            yield row

    def products(self) -> Iterator[str]:
        """Yield the names QuickBooks has a product for; letter case makes no second one there."""
        seen: set[str] = set()
        for name in MAPPED:
            clean = " ".join(name.split())
            if clean.casefold() not in seen:
                seen.add(clean.casefold())
                yield clean

    def draw(self, chance: Random) -> int | None:
        """Return the fee of an invoice."""
        ids = self._ids.get(pick(chance, SHARES))
        return chance.choice(ids) if ids else None


def text_of(chance: Random, *, traced: bool, number: int) -> str | None:
    """Return a comment; `traced` when an earlier program left its mark at the end of some."""
    said = pick(chance, COMMENTS)
    if said is None:
        return None
    comment = said.format(1 + number % 2, 2022 + number % 4)
    return f"{comment[:880]} [QB_ID:{number}]" if traced and number % 3 == 0 else comment
