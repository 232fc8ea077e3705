"""The frame around every page: where one can go, who is here, which company, as of when."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from application.catalogue import Stop
from application.invoices.model import Environment
from application.services.company import ConnectionState
from application.web.visit import Visit

T = TypeVar("T")
# Key of its name, address; one that no screen answers yet is left out.
PAGES: Final = (
    ("nav.overview", "/"),
    ("nav.invoices", "/invoices"),
    ("nav.runs", "/runs"),
    ("nav.errors", "/errors"),
    ("nav.reconciliation", "/reconciliation"),
    ("nav.audit", "/audit"),
)
OWN_PAGES: Final = (
    ("nav.connection", "/connection"),
    ("nav.settings", "/settings"),
    ("nav.help", "/help"),
)
ERRORS: Final = "/errors"


@dataclass(frozen=True, slots=True)
class Place:
    """One page to go to.

    Args:
        name: Key of its name.
        path: Its address.
        here: Whether it is this one, or the list this one belongs to.
        badge: How many wait for a person there.
    """

    name: str
    path: str
    here: bool
    badge: int = 0


@dataclass(frozen=True, slots=True)
class Shell:
    """What stands around a page; whatever is not known at the moment is None."""

    places: tuple[Place, ...]
    own_places: tuple[Place, ...]
    environment: str
    demo: bool  # whether everything outside stands in for something real, and may be broken
    state: ConnectionState | None
    mis: str | None
    mis_ok: bool
    as_of: datetime
    inside: bool  # whether somebody is known who may see more than the door


def shell_of(visit: Visit) -> Shell:
    """Return the frame of a page; nothing it cannot find out stops the page."""
    services = visit.services
    inside = visit.visitor.signed_in or visit.visitor.name != "nobody"
    figures = _known(services.overview.figures) if inside else None
    attention = figures.attention if figures else 0
    return Shell(
        places=_places(visit, PAGES, attention=attention) if inside else (),
        own_places=_places(visit, OWN_PAGES) if inside else (),
        environment=services.environment.value,
        demo=services.environment is Environment.SIMULATOR and services.place.demo,
        state=_known(services.company.state) if inside else None,
        mis=_known(lambda: services.mis_name) if inside else None,
        mis_ok=figures is not None,
        as_of=figures.at if figures else visit.now,
        inside=inside,
    )


def _places(
    visit: Visit, pages: tuple[tuple[str, str], ...], *, attention: int = 0
) -> tuple[Place, ...]:
    return tuple(
        Place(
            name=name,
            path=path,
            here=visit.path == path or (path != "/" and visit.path.startswith(f"{path}/")),
            badge=attention if path == ERRORS else 0,
        )
        for name, path in pages
        if visit.has(path)
    )


def _known(ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except Stop:
        return None
