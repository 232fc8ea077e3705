"""How large, how deep and how slow a request may be, and what is no JSON of ours."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any, Final, NoReturn

from application.api.failing import Unreadable
from application.catalogue import Stop

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
BODY_BYTES_MAX: Final = 65_536
HEAD_BYTES_MAX: Final = 16_384
DEPTH_MAX: Final = 32
BODY_S: Final = 30
DROP_S: Final = 1
DROP_BYTES_MAX: Final = 1_048_576
_JSON = re.compile(rb"application/json(\s*;\s*charset\s*=\s*\"?utf-8\"?)?", flags=re.IGNORECASE)


class TooLarge(Stop):
    """A body above the most. Facts: none."""

    cause = "too_large"


class NotJson(Stop):
    """A body that is not declared as JSON. Facts: none."""

    cause = "unsupported_media_type"


class NotForm(Stop):
    """A body that is not declared as a form. Facts: none."""

    cause = "unsupported_media_type"


async def body_of(receive: Receive, *, within_s: int = BODY_S) -> bytes:
    """Return the whole body.

    Args:
        receive: Where it comes from.
        within_s: How long it may take.

    Raises:
        TooLarge: It is above 64 kB.
        Unreadable: It did not come in time.
    """
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(within_s):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise Unreadable(problem="the connection ended before the body did")
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > BODY_BYTES_MAX:
                    await _drop_rest(receive)
                    raise TooLarge
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        raise Unreadable(problem=f"the body did not come within {within_s} seconds") from None


async def _drop_rest(receive: Receive) -> None:
    """Read on a little: who is cut off while sending sees a broken line and no answer."""
    dropped = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(DROP_S):
            while dropped < DROP_BYTES_MAX:
                message = await receive()
                dropped += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


def refuse_odd_body(body: bytes, *, content_type: bytes | None) -> None:
    """Refuse a body that is no JSON as we read it.

    Raises:
        NotJson: It is not declared as JSON.
        Unreadable: It is none, or means different things to different readers.
    """
    if not body:
        return
    if content_type is None or _JSON.fullmatch(content_type.strip()) is None:
        raise NotJson
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise Unreadable(problem="the body is not UTF-8") from None
    if _depth(text) > DEPTH_MAX:
        raise Unreadable(problem=f"the body is nested deeper than {DEPTH_MAX}")
    try:
        found = json.loads(text, object_pairs_hook=_once_each, parse_constant=_no_number)
        # Written again, half a character and a number above every number would show.
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    except json.JSONDecodeError as wrong:
        raise Unreadable(problem=f"line {wrong.lineno}, column {wrong.colno} is no JSON") from None
    except (ValueError, RecursionError):
        raise Unreadable(problem="a number or a name in the body is not allowed") from None


def _depth(text: str) -> int:
    """Return how deep the brackets go, not looking into texts."""
    deepest = depth = 0
    inside = escaped = False
    for sign in text:
        if inside:
            inside = escaped or sign != '"'
            escaped = sign == "\\" and not escaped
        elif sign == '"':
            inside = True
        elif sign in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif sign in "]}":
            depth -= 1
    return deepest


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError  # a name stands twice
    return found


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)
