"""Audit: who did what and when, newest first; the chain verified, a month taken along."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse

from application.catalogue import NotFound
from application.invoices.model import DOC_NUMBER_PREFIX
from application.services.auditing import AuditEntry, Sought
from application.shown.trail import body_told, whole
from application.web.forms import Problem
from application.web.rendering import HEADERS, page
from application.web.visit import Here, Visit

router = APIRouter(include_in_schema=False)
ROWS: Final = 50
SHORT: Final = 28
KINDS: Final = (
    "invoice.", "customer.", "run.", "signin.", "connection.", "mapping.", "settings.",
    "schedule.", "person.", "key.", "lease.", "mis.",
)  # fmt: skip
_INVOICE: Final = re.compile(rf"(?:{DOC_NUMBER_PREFIX})?([0-9]{{1,18}})", re.IGNORECASE)
_RUN: Final = re.compile(r"run\s+([0-9]{1,18})", re.IGNORECASE)
_SUBJECT: Final = re.compile(r"(invoice|run) ([0-9]{1,18})")
Text = Annotated[str, Query(max_length=120)]
Number = Annotated[int | None, Query(ge=0, le=10**18)]


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody put into the filter, as they wrote it.

    Args:
        about: An invoice, a run or a person.
        action: One action, or with a dot at its end a kind.
        since: First day.
        until: Last day.
    """

    about: str
    action: str
    since: str
    until: str

    @property
    def narrows(self) -> bool:
        """Whether anything is left out."""
        return any((self.about, self.action, self.since, self.until))

    def address(self, **more: int | str) -> str:
        """Return the address of this list, with more in it."""
        told = {"about": self.about, "action": self.action, "from": self.since, "to": self.until}
        kept = {name: value for name, value in (told | more).items() if value != ""}
        return f"/audit?{urlencode(kept)}" if kept else "/audit"


@dataclass(frozen=True, slots=True)
class Change:
    """One value an entry tells of; None: it was not there."""

    name: str
    before: str | None
    after: str | None


def asking(
    about: Text = "",
    action: Text = "",
    since: Annotated[str, Query(alias="from", max_length=20)] = "",
    until: Annotated[str, Query(alias="to", max_length=20)] = "",
) -> Asked:
    """Return the filter of a request."""
    return Asked(about.strip(), action.strip(), since.strip(), until.strip())


@router.get("/audit")
def listed(
    visit: Here,
    asked: Annotated[Asked, Depends(asking)],
    before: Number = None,
    after: Number = None,
) -> Response:
    """Show a page of entries, and how the chain stands."""
    problems: list[Problem] = []
    sought = _sought(visit, asked, problems=problems)
    auditing = visit.services.auditing
    found = None
    if not problems:
        found = auditing.entries(sought, limit=ROWS, before=before, after=after)
    return page(
        visit,
        "audit.html",
        status=422 if problems else 200,
        problems=problems,
        asked=asked,
        kinds=KINDS,
        found=found,
        head=auditing.head(),
        walked=auditing.walked(),
        months=auditing.months(),
        changes_of=changes_of,
        link_of=lambda subject: link_of(visit, subject),
    )


@router.post("/audit/verify")
def verify(visit: Here) -> Response:
    """Walk the whole chain; the page shows what came of it."""
    visit.services.auditing.verify()
    return visit.go("/audit#chain")


@router.get("/audit/export")
def export(visit: Here, month: Annotated[str, Query(max_length=20)] = "") -> StreamingResponse:
    """Hand a month's entries over, one JSON document a line; the last holds their SHA-256."""
    lines = visit.services.auditing.export(month)
    name = f"feebridge-audit-{month}.ndjson"
    return StreamingResponse(
        lines,
        media_type="application/x-ndjson",
        headers={**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.get("/audit/{entry_id}")
def one(visit: Here, entry_id: str) -> Response:
    """Show one entry with everything it leads to."""
    known = entry_id.isascii() and entry_id.isdigit() and len(entry_id) <= 18  # noqa: PLR2004 - fits every database
    found = visit.services.auditing.evidence(int(entry_id)) if known else None
    if found is None:
        raise NotFound(what=f"audit entry {entry_id[:20]}")
    return page(
        visit,
        "audit_entry.html",
        found=found,
        last=visit.services.auditing.head().id,
        changes=list(changes_of(found.entry, short=False)),
        body=body_told(found.body, hidden=visit.hidden) if found.body else "",
        link=link_of(visit, found.entry.subject),
    )


def changes_of(entry: AuditEntry, *, short: bool = True) -> Iterator[Change]:
    """Yield what an entry tells of: what was, and what is.

    Args:
        entry: Whose `before` and `after` are told.
        short: Whether long values are cut.
    """
    before, after = entry.before or {}, entry.after or {}
    for name in dict.fromkeys((*before, *after)):
        yield Change(
            name,
            _told(before[name], short=short) if name in before else None,
            _told(after[name], short=short) if name in after else None,
        )


def link_of(visit: Visit, subject: str) -> str:
    """Return where the subject of an entry is shown; "" where nothing shows it."""
    found = _SUBJECT.fullmatch(subject)
    if found is None:
        return ""
    kind, number = found.groups()
    return f"/{kind}s/{number}" if visit.has(f"/{kind}s/{{{kind}_id}}") else ""


def _told(value: object, *, short: bool) -> str:
    match value:
        case None:
            text = "\u2013"
        case list():
            text = ", ".join(_told(one, short=False) for one in value)
        case dict():
            text = ", ".join(f"{name} {_told(one, short=False)}" for name, one in value.items())
        case bool():
            text = "yes" if value else "no"
        case _:
            text = str(value)
    if short and len(text) > SHORT:
        text = f"{text[:SHORT]}\u2026"
    return whole(text)


def _sought(visit: Visit, asked: Asked, *, problems: list[Problem]) -> Sought:
    """Return what the filter means; what cannot be read becomes a problem of its field."""
    invoice, run = _INVOICE.fullmatch(asked.about), _RUN.fullmatch(asked.about)
    person = asked.about if asked.about and not (invoice or run) else None
    until = _day(visit, asked.until, field="to", problems=problems)
    return Sought(
        invoice_id=int(invoice[1]) if invoice else None,
        run_id=int(run[1]) if run else None,
        actor=person,
        action=asked.action or None,
        since=_day(visit, asked.since, field="from", problems=problems),
        until=until + timedelta(days=1) if until else None,
    )


def _day(visit: Visit, text: str, *, field: str, problems: list[Problem]) -> datetime | None:
    """Return when a day of the office begins."""
    if not text:
        return None
    try:
        return datetime.combine(date.fromisoformat(text), time(), tzinfo=visit.services.office)
    except ValueError:
        problems.append(Problem(field, visit.text("audit.day_wrong")))
        return None
