"""A request and an answer, before and after they are bytes on a connection."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from urllib.parse import parse_qsl, unquote, urlsplit

JSON = "application/json;charset=utf-8"
PLAIN_JSON = "application/json"


class Cut(Enum):
    """Where the connection is cut."""

    NOT = "not"
    BEFORE = "before any byte"
    HALF = "after half of the bytes"


@dataclass
class Request:
    """One HTTP request."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""
    arrived_s: float = 0.0

    @cached_property
    def path(self) -> str:
        """The address without the query, decoded."""
        return unquote(urlsplit(self.target).path)

    @cached_property
    def options(self) -> dict[str, str]:
        """The query parameters; of a doubled one the last counts."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))


@dataclass(slots=True)
class Reply:
    """One HTTP answer and what happens to it on the way."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: list[tuple[str, str]] = field(default_factory=list)
    wait_s: float = 0.0
    cut: Cut = Cut.NOT
    chunked: bool = False
    extra_length: int = 0
    drip_s: float = 0.0
    finished: Callable[[], None] | None = None
