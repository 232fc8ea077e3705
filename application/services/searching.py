"""A question put page by page: what is asked, and the cursor that tells how far it is answered."""

import base64
import hashlib
import json
from dataclasses import astuple, dataclass
from datetime import date
from typing import Final

from application.catalogue import Stop
from application.invoices.model import Status
from application.mis.reader import Wanted
from application.services.marking import UNRECORDED, Flag, Marks

SEARCH_CHARACTERS_MIN: Final = 3
CURSOR_CHARACTERS_MAX: Final = 200
SHOWN_OF_WRONG: Final = 100
ID_MOST: Final = 2**63 - 1
WAITING: Final = "waiting"
FAILED: Final = "failed"
PREVIEW: Final = "preview"
NEWER: Final = "newer"  # of a list that is turned back
_IN: Final = {
    Flag.SETTLING: Status.IN_PROGRESS,
    Flag.STUCK: Status.IN_PROGRESS,
    Flag.UNVERIFIED: Status.SYNCED,
    Flag.CHANGED: Status.SYNCED,
}


class CursorWrong(Stop):
    """A cursor that no answer to this very question gave. Facts: problem, fields."""

    cause = "validation_failed"


class SearchWrong(Stop):
    """Too little to search for, so that too much would fit. Facts: problem, fields."""

    cause = "validation_failed"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question put page by page."""

    status: Status | None
    flag: Flag | None
    cause: str | None
    text: str | None
    fee: int | None
    dated_from: date | None
    dated_to: date | None

    @property
    def mark(self) -> str:
        """What tells this question from others in a cursor."""
        told = ascii(tuple(str(one) for one in astuple(self)))
        return hashlib.sha256(told.encode()).hexdigest()[:12]

    @property
    def statuses(self) -> frozenset[Status | None]:
        """Which status the rows must have; two of them: nothing can fit."""
        implied = {
            self.status,
            Status.FAILED if self.cause is not None else None,
            _IN.get(self.flag) if self.flag is not None else None,
        }
        return frozenset(implied - {None}) or frozenset({None})

    @property
    def wanted(self) -> Wanted:
        """What the MIS is asked for, except for the search."""
        (status,) = self.statuses
        return Wanted(
            status=status, fee=self.fee, dated_from=self.dated_from, dated_to=self.dated_to
        )

    @property
    def sparse(self) -> bool:
        """Whether most rows the MIS gives may not fit."""
        return self.flag is not None or self.cause in UNRECORDED

    def fits(self, marks: Marks) -> bool:
        """Return whether a row is one of those asked for, as far as our store decides it."""
        if self.flag is not None and marks.flag is not self.flag:
            return False
        return self.cause is None or marks.cause == self.cause


@dataclass(frozen=True, slots=True)
class Place:
    """How far a question has been answered."""

    phase: str  # of a preview; of a list empty, or NEWER
    after: int
    passed: bool = False  # looked at and not shown


def cursor_of(place: Place, *, of: str) -> str:
    """Return the cursor that leads on from a place, for this question alone."""
    told = json.dumps([of, place.phase, place.after], separators=(",", ":"))
    return base64.urlsafe_b64encode(told.encode()).decode().rstrip("=")


def opened(cursor: str, *, of: str) -> Place:
    """Return the place a cursor names.

    Raises:
        CursorWrong: It was not given for this question.
    """
    try:
        match json.loads(_decoded(cursor)):
            case [str(mark), str(phase), int(after)] if mark == of and 0 <= after <= ID_MOST:
                return Place(phase, after)
    except (ValueError, RecursionError):  # also of base64, of UTF-8 and of JSON
        pass
    raise wrong(CursorWrong, "cursor", problem="was not given for this question", got=cursor)


def _decoded(cursor: str) -> bytes:
    if len(cursor) > CURSOR_CHARACTERS_MAX:
        return b""
    padded = cursor + "=" * (-len(cursor) % 4)
    return base64.b64decode(padded, altchars=b"-_", validate=True)


def preview_place(cursor: str) -> Place:
    """Return the place a cursor of a preview names; raises as `opened` does."""
    place = opened(cursor, of=PREVIEW)
    if place.phase not in {WAITING, FAILED}:
        raise wrong(CursorWrong, "cursor", problem="was not given for this question", got=cursor)
    return place


def long_enough(text: str) -> str:
    """Return the text to search for.

    Raises:
        SearchWrong: It is too short.
    """
    if len(text) < SEARCH_CHARACTERS_MIN:
        problem = f"needs at least {SEARCH_CHARACTERS_MIN} characters"
        raise wrong(SearchWrong, "q", problem=problem, got=text)
    return text


def wrong(
    kind: type[CursorWrong] | type[SearchWrong], field: str, *, problem: str, got: str
) -> CursorWrong | SearchWrong:
    """Return the refusal of one field."""
    told = {"field": field, "problem": problem, "got": got[:SHOWN_OF_WRONG]}
    return kind(problem=f"{field} {problem}", fields=[told])
