"""Templates to pages: one environment, one set of headers, one way to answer with a page."""

from collections.abc import Mapping
from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from application.catalogue import explain, printable
from application.web.parts import Column, bar
from application.web.shell import shell_of
from application.web.visit import SAID, Visit

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {"Content-Security-Policy": CSP, "Referrer-Policy": "same-origin"}


@cache
def environment() -> Environment:
    """Return where templates are found: everything they are given is text, never markup."""
    made = Environment(
        loader=PackageLoader("application.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(explain=explain, bar=bar, column=Column)
    made.filters.update(printable=printable)
    return made


def page(
    visit: Visit,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: object,
) -> HTMLResponse:
    """Return a page.

    Args:
        visit: Who asks for it.
        template: Its file in `templates/`; it extends `base.html`.
        status: Of the answer.
        headers: More of them.
        values: What the template shows, by name.
    """
    answer = HTMLResponse(
        rendered(visit, template, **values), status, {**HEADERS, **(headers or {})}
    )
    if visit.said is not None:
        answer.delete_cookie(SAID, path="/")
    return answer


def rendered(visit: Visit, template: str, **values: object) -> str:
    """Return a page, or a part of one, as text."""
    return (
        environment()
        .get_template(template)
        .render(
            visit=visit,
            t=visit.text,
            f=visit.formats,
            shell=shell_of(visit),
            problems=values.pop("problems", ()),
            **values,
        )
    )
