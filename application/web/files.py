"""The style sheet, the scripts and the icon: read once, served as they are."""

from functools import cache
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Response
from fastapi import Path as InPath

from application.catalogue import NotFound

router = APIRouter(include_in_schema=False)
FOLDER: Final = Path(__file__).with_name("static")
TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@cache
def files() -> dict[str, bytes]:
    """Return every file by its name."""
    return {one.name: one.read_bytes() for one in FOLDER.iterdir() if one.suffix in TYPES}


@router.get("/static/{name}")
def file(name: Annotated[str, InPath(max_length=40)]) -> Response:
    """Return one file."""
    found = files().get(name)
    if found is None:
        raise NotFound(what="page")
    return Response(found, media_type=TYPES[Path(name).suffix])
