"""Help: the documentation inside the frame, without the net; and every cause by its anchor."""

from fastapi import APIRouter, Response

from application.catalogue import CAUSES, NotFound
from application.web.manual import contents_of, found_at, index, tree_of
from application.web.rendering import page
from application.web.visit import Here, Visit

router = APIRouter(include_in_schema=False)


@router.get("/help")
def start(visit: Here) -> Response:
    """Show what there is to read."""
    return page(visit, "help.html", sections=list(index()))


@router.get("/help/errors")
def errors(visit: Here) -> Response:
    """Show every cause: why, what to do, who."""
    return page(visit, "help_errors.html", causes=list(CAUSES.values()))


@router.get("/help/api")
def reference(visit: Here) -> Response:
    """Show the REST interface."""
    return _shown(visit)


@router.get("/help/{section}/{name}")
def leaf(visit: Here, section: str, name: str) -> Response:
    """Show one page."""
    del section, name
    return _shown(visit)


@router.get("/help/{section}/{part}/{name}")
def deep_leaf(visit: Here, section: str, part: str, name: str) -> Response:
    """Show one page of a part of a section."""
    del section, part, name
    return _shown(visit)


def _shown(visit: Visit) -> Response:
    found = found_at(visit.path)
    if found is None:
        raise NotFound(what="page")
    nodes = tree_of(found.path)
    return page(visit, "help_page.html", leaf=found, nodes=nodes, contents=contents_of(nodes))
