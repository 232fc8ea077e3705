"""Which answers to a sign-in are taken, and why others are not; nothing is asked or kept here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal
from urllib.parse import parse_qs, urlsplit

from application.catalogue import Stop
from application.store.audit import Actor
from application.store.sign_ins import Begun as Noted
from application.store.sign_ins import Gone

Door = Literal["callback", "paste", "cli"]

COOKIE: Final = "feebridge_signin"  # which browser began; both doors share it
COOKIE_PATH: Final = "/"
SIGN_IN_S: Final = 600

_CODE = re.compile(r"[!-~]{1,512}")
_COMPANY_ID = re.compile(r"[0-9]{1,25}")


class Why(StrEnum):
    """Why an answer is not taken."""

    ADDRESS = "address"
    DOUBLED = "doubled"
    UNKNOWN = "unknown"
    USED = "used"
    OLD = "old"
    ANOTHER_BROWSER = "another_browser"
    ANOTHER_PERSON = "another_person"
    ANOTHER_PROGRAM = "another_program"
    CANCELLED = "cancelled"
    SCOPE = "scope"
    DECLINED = "declined"
    INCOMPLETE = "incomplete"


# Ends of a sentence for a person; none of them repeats what the address carried.
PROBLEMS: Mapping[Why, str] = {
    Why.ADDRESS: "the address does not begin with our redirect address",
    Why.DOUBLED: "the address carries something twice",
    Why.UNKNOWN: "this sign-in was not begun here",
    Why.USED: "this sign-in was used before; begin again",
    Why.OLD: "this sign-in was begun more than ten minutes ago; begin again",
    Why.ANOTHER_BROWSER: "this sign-in was begun in another browser or on the command line; "
    "paste the address there",
    Why.ANOTHER_PERSON: "this sign-in was begun by somebody else",
    Why.ANOTHER_PROGRAM: "this sign-in was begun by another program",
    Why.CANCELLED: "somebody pressed Cancel in QuickBooks; nothing was changed",
    Why.SCOPE: "QuickBooks does not let this app use accounting; look at the app at Intuit",
    Why.DECLINED: "QuickBooks did not approve the sign-in",
    Why.INCOMPLETE: "the address carries no code or no company",
}


class SignInRefused(Stop):
    """The answer to a sign-in is not taken; no token was asked for. Facts: problem.

    Args:
        why: The machine word.
    """

    cause = "sign_in_refused"

    def __init__(self, why: Why) -> None:
        super().__init__(problem=PROBLEMS[why])
        self.why = why


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in on its way."""

    address: str = field(repr=False)  # where a company administrator approves
    browser_secret: str | None = field(repr=False)  # for a cookie of its own; None without browser
    until: datetime


@dataclass(frozen=True, slots=True)
class Returned:
    """What QuickBooks put behind our redirect address, each name once."""

    values: Mapping[str, str] = field(repr=False)

    @classmethod
    def read(cls, address: str, *, redirect_uri: str) -> "Returned":
        """Return the parts of an address.

        Raises:
            SignInRefused: It is not our redirect address, or says something twice.
        """
        try:
            where = urlsplit(address.strip())
        except ValueError:
            raise SignInRefused(Why.ADDRESS) from None
        if where._replace(query="", fragment="").geturl() != redirect_uri:
            raise SignInRefused(Why.ADDRESS)
        found = parse_qs(where.query, keep_blank_values=True)
        if any(len(values) > 1 for values in found.values()):
            raise SignInRefused(Why.DOUBLED)
        return cls({name: values[0] for name, values in found.items()})

    @property
    def state(self) -> str:
        """What the sign-in is known by."""
        return self.values.get("state", "")

    def approval(self) -> tuple[str, str]:
        """Return the code and the company it is for.

        Raises:
            SignInRefused: QuickBooks says no, or something is missing.
        """
        error = self.values.get("error")
        if error is not None:
            # QuickBooks' own word may hold anything, so it leads to one of ours.
            known = {"access_denied": Why.CANCELLED, "invalid_scope": Why.SCOPE}
            raise SignInRefused(known.get(error, Why.DECLINED))
        code, company_id = self.values.get("code", ""), self.values.get("realmId", "")
        if not _CODE.fullmatch(code) or not _COMPANY_ID.fullmatch(company_id):
            raise SignInRefused(Why.INCOMPLETE)
        return code, company_id


def checked(noted: Noted | Gone, *, browser: str | None, door: Door, by: Actor | None) -> Noted:
    """Return the sign-in an answer belongs to.

    A callback proves by its cookie that it is the browser the sign-in was begun in. A paste has
    no cookie to rely on, so the administrator who pastes must be the one who began: an address
    slipped to somebody else opens nothing. On the command line it must be the very program that
    began.

    Raises:
        SignInRefused: There is none, or it was begun elsewhere; it is not used up by that.
    """
    if isinstance(noted, Gone):
        raise SignInRefused(Why(noted.value))
    match door:
        case "callback":
            if not noted.is_of(browser):
                raise SignInRefused(Why.ANOTHER_BROWSER)
        case "paste":
            if not noted.is_of(browser) and (by is None or by.name != noted.by.name):
                raise SignInRefused(Why.ANOTHER_PERSON)
        case "cli":
            if noted.in_browser or by is None or by.process != noted.by.process:
                raise SignInRefused(Why.ANOTHER_PROGRAM)
    return noted
