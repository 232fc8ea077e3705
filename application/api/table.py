"""The access table: every address and method there is, and the role it takes."""

import re
from dataclasses import dataclass
from typing import Final

from application.services.roles import Role

V, O, A, NOBODY = Role.VIEWER, Role.OFFICER, Role.ADMIN, None  # noqa: E741 - the letters of the table
SYNC: Final = "/api/v1/sync"
BOOKS: Final = "/api/v1/quickbooks"
SETTINGS: Final = "/api/v1/settings"
DEMO: Final = "/api/v1/demo"
CALLBACK: Final = f"{BOOKS}/callback"  # a GET, as Intuit sends the browser there

# Forms that change nothing: whoever may only look signs in too, and verifies.
LOOKS: Final = frozenset({"/login", "/logout", "/audit/verify"})


@dataclass(frozen=True, slots=True)
class Row:
    """One address with one method."""

    method: str
    path: str  # a part in braces stands for anything without a slash
    role: Role | None  # None: anybody
    page: bool = False  # for people: signed in with a browser, forms instead of JSON

    @property
    def changes(self) -> bool:
        """Whether something is another than before once it was answered."""
        if self.path in LOOKS:
            return False
        return self.method != "GET" or self.path == CALLBACK


@dataclass(frozen=True, slots=True)
class WrongMethod:
    """The address is known, with other methods."""

    allowed: tuple[str, ...]


ROWS: Final = (
    Row("GET", f"{SYNC}/analyze", V),
    Row("GET", f"{SYNC}/preview", V),
    Row("GET", f"{SYNC}/status", V),
    Row("POST", f"{SYNC}/batch", O),
    Row("POST", f"{SYNC}/all", O),
    Row("POST", f"{SYNC}/single/{{invoice_id}}", O),
    Row("GET", f"{SYNC}/invoices", V),
    Row("GET", f"{SYNC}/invoices/{{invoice_id}}", V),
    Row("POST", f"{SYNC}/invoices/{{invoice_id}}/hold", O),
    Row("POST", f"{SYNC}/invoices/{{invoice_id}}/release", O),
    Row("POST", f"{SYNC}/retry", O),
    Row("POST", f"{SYNC}/reset-stuck", O),
    Row("GET", f"{SYNC}/errors", V),
    Row("GET", f"{SYNC}/errors/{{error_code}}", V),
    Row("GET", f"{SYNC}/runs", V),
    Row("GET", f"{SYNC}/runs/{{run_id}}", V),
    Row("GET", f"{SYNC}/runs/{{run_id}}/failures", V),
    Row("GET", f"{SYNC}/runs/{{run_id}}/events", V),
    Row("POST", f"{SYNC}/runs/{{run_id}}/pause", O),
    Row("POST", f"{SYNC}/runs/{{run_id}}/resume", O),
    Row("POST", f"{SYNC}/runs/{{run_id}}/cancel", O),
    Row("GET", f"{SYNC}/audit", V),
    Row("GET", f"{SYNC}/audit/verify", V),
    Row("GET", f"{SYNC}/audit/export", V),
    Row("GET", f"{BOOKS}/connection", V),
    Row("POST", f"{BOOKS}/test", O),
    Row("POST", f"{BOOKS}/connect", A),
    Row("GET", CALLBACK, NOBODY),
    Row("POST", f"{BOOKS}/connect/paste", A),
    Row("POST", f"{BOOKS}/bind", A),
    Row("POST", f"{BOOKS}/disconnect", A),
    Row("GET", f"{SETTINGS}/mapping", V),
    Row("POST", f"{SETTINGS}/mapping/refresh", O),
    Row("PUT", f"{SETTINGS}/mapping/{{fee_category}}", O),
    Row("GET", f"{SETTINGS}/schedule", V),
    Row("PUT", f"{SETTINGS}/schedule", A),
    Row("POST", f"{SETTINGS}/schedule/pause", O),
    Row("POST", f"{SETTINGS}/schedule/resume", O),
    Row("GET", DEMO, O),
    Row("POST", f"{DEMO}/{{control}}/start", O),
    Row("POST", f"{DEMO}/{{control}}/stop", O),
    Row("GET", "/health/", NOBODY),
    Row("GET", "/health/detailed", V),
    Row("GET", "/metrics", V),
    Row("GET", "/openapi.json", V),
)
PAGES: Final = (
    Row("GET", "/", V, page=True),
    Row("GET", "/login", NOBODY, page=True),
    Row("POST", "/login", NOBODY, page=True),
    Row("POST", "/logout", V, page=True),
    Row("GET", "/static/{name}", NOBODY),
    Row("GET", "/help", V, page=True),
    Row("GET", "/runs", V, page=True),
    Row("POST", "/runs", O, page=True),
    Row("GET", "/runs/{run_id}", V, page=True),
    Row("GET", "/runs/{run_id}/stream", V, page=True),
    Row("POST", "/runs/{run_id}/pause", O, page=True),
    Row("POST", "/runs/{run_id}/resume", O, page=True),
    Row("POST", "/runs/{run_id}/stop", O, page=True),
    Row("POST", "/runs/{run_id}/retry", O, page=True),
    Row("GET", "/errors", V, page=True),
    Row("GET", "/errors/{error_code}", V, page=True),
    Row("GET", "/errors/{error_code}/list.csv", V, page=True),
    Row("POST", "/errors/{error_code}/retry", O, page=True),
    Row("POST", "/errors/{error_code}/hold", O, page=True),
    Row("POST", "/errors/{error_code}/fees/{fee_category}", O, page=True),
    Row("GET", "/help/api", V, page=True),
    Row("GET", "/help/errors", V, page=True),
    Row("GET", "/help/{section}/{name}", V, page=True),
    Row("GET", "/help/{section}/{part}/{name}", V, page=True),
    Row("GET", "/audit", V, page=True),
    Row("POST", "/audit/verify", V, page=True),
    Row("GET", "/audit/export", V, page=True),
    Row("GET", "/audit/{entry_id}", V, page=True),
    Row("GET", "/demo", O, page=True),
    Row("POST", "/demo/{control}/start", O, page=True),
    Row("POST", "/demo/{control}/stop", O, page=True),
    Row("GET", "/invoices", V, page=True),
    Row("GET", "/invoices.csv", V, page=True),
    Row("GET", "/invoices.xlsx", V, page=True),
    Row("POST", "/invoices/retry", O, page=True),
    Row("POST", "/invoices/hold", O, page=True),
    Row("GET", "/invoices/{invoice_id}", V, page=True),
    Row("POST", "/invoices/{invoice_id}/retry", O, page=True),
    Row("POST", "/invoices/{invoice_id}/release", O, page=True),
    Row("POST", "/invoices/{invoice_id}/check", O, page=True),
    Row("POST", "/invoices/{invoice_id}/look", O, page=True),
    Row("GET", "/send", V, page=True),
    Row("POST", "/send", O, page=True),
    Row("GET", "/quickbooks/disconnected", NOBODY, page=True),
    Row("GET", "/connection", V, page=True),
    Row("POST", "/connection/connect", A, page=True),
    Row("POST", "/connection/paste", A, page=True),
    Row("POST", "/connection/test", O, page=True),
    Row("GET", "/connection/disconnect", A, page=True),
    Row("POST", "/connection/disconnect", A, page=True),
    Row("GET", "/connection/bind", A, page=True),
    Row("POST", "/connection/bind", A, page=True),
    Row("GET", "/settings", V, page=True),
    Row("GET", "/settings/mapping", V, page=True),
    Row("POST", "/settings/mapping/refresh", O, page=True),
    Row("GET", "/settings/mapping/{fee_category}", V, page=True),
    Row("POST", "/settings/mapping/{fee_category}", O, page=True),
    Row("GET", "/settings/schedule", V, page=True),
    Row("POST", "/settings/schedule", A, page=True),
    Row("POST", "/settings/schedule/pause", O, page=True),
    Row("POST", "/settings/schedule/resume", O, page=True),
    Row("GET", "/settings/database", V, page=True),
    Row("POST", "/settings/database/check", O, page=True),
    Row("GET", "/settings/people", A, page=True),
    Row("POST", "/settings/people", A, page=True),
    Row("GET", "/settings/people/{person_id}", A, page=True),
    Row("POST", "/settings/people/{person_id}/role", A, page=True),
    Row("POST", "/settings/people/{person_id}/password", A, page=True),
    Row("POST", "/settings/people/{person_id}/remove", A, page=True),
    Row("GET", "/settings/keys", A, page=True),
    Row("POST", "/settings/keys", A, page=True),
    Row("POST", "/settings/keys/{key_id}/revoke", A, page=True),
    Row("GET", "/settings/about", V, page=True),
    Row("POST", "/settings/about/doctor", O, page=True),
    Row("GET", "/settings/about/support-file", A, page=True),
    Row("GET", "/setup", V, page=True),
    Row("POST", "/setup/test", O, page=True),
)
_SHAPES = tuple(
    (re.compile(re.sub(r"\\{[a-z_]+\\}", "[^/]+", re.escape(row.path))), row)
    for row in (*ROWS, *PAGES)
)


def find(method: str, path: str) -> Row | WrongMethod | None:
    """Return the row of a request; None where no such address is known.

    A row without a part in braces wins over one with: `mapping/refresh` is no fee category.
    """
    rows = [row for shape, row in _SHAPES if shape.fullmatch(path)]
    if not rows:
        return None
    plain = [row for row in rows if "{" not in row.path]
    for row in plain or rows:
        if row.method == method:
            return row
    return WrongMethod(tuple(sorted({row.method for row in plain or rows})))
