"""A POST with an `Idempotency-Key` is done once; whoever repeats it gets the first one's answer."""

import json
from collections.abc import Callable, Coroutine
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

from anyio.to_thread import run_sync
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from typing_extensions import override

from application.api import envelope
from application.api.door import Door, Here, Repeatable
from application.api.failing import condition_of, failed, wrong
from application.catalogue import Stop
from application.services.doorway import Answered, Found, New, Other, Running, request_sha

HEADER: Final = "idempotency-key"
KEY_MOST: Final = 255
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class RequestRunning(Stop):
    """The first request under this key has not been answered. Facts: none."""

    cause = "idempotency_in_flight"


class KeyOfAnother(Stop):
    """The key belongs to a request with another body. Facts: none."""

    cause = "idempotency_mismatch"


class Once(APIRoute):
    """A route whose POSTs heed `Idempotency-Key`."""

    @override
    def get_route_handler(self) -> Handler:
        """Return what takes a request in."""
        handler = super().get_route_handler()

        async def heed(request: Request) -> Response:
            key = request.headers.get(HEADER)
            if request.method != "POST" or key is None:
                return await handler(request)
            return await _once(request, key=key, handler=handler)

        return heed


async def _once(request: Request, *, key: str, handler: Handler) -> Response:
    if not (1 <= len(key) <= KEY_MOST and key.isascii() and key.isprintable()):
        raise wrong(
            field="Idempotency-Key", problem="must be 1 to 255 printable characters", got=key
        )
    here = Here(request)
    door: Door = here.door
    body = sha256(await request.body()).hexdigest()
    known_as = request_sha(here.actor_key, "POST", request.url.path, key)
    found: Found = await run_sync(lambda: door.repeats.begin(known_as, body, holder=door.start))
    if not isinstance(found, New):
        return await _repeated(here, found)
    request.state.once = Repeatable(found.id, known_as)
    try:
        answer = await _answered(request, handler=handler)
    except BaseException:
        # Nobody can tell how far it came; what it began is found by its key.
        await run_sync(door.repeats.drop, found.id)
        raise
    text = bytes(answer.body).decode()
    if _passes(text):
        # Whoever waits as they are told and asks again must not hear the same for a day.
        await run_sync(door.repeats.drop, found.id)
    else:
        await run_sync(door.repeats.answer, found.id, answer.status_code, text)
    return answer


def _passes(text: str) -> bool:
    return json.loads(text).get("retryable") is True


async def _answered(request: Request, *, handler: Handler) -> Response:
    try:
        return await handler(request)
    except Stop as stop:
        return failed(request, stop)
    except RequestValidationError as unclear:
        return failed(request, condition_of(unclear))


async def _repeated(here: Here, found: Found) -> Response:
    match found:
        case Answered(status=status, answer=answer):
            content = json.loads(answer, parse_float=Decimal)
            content["meta"]["replayed"] = True
            if "error_code" not in content:
                return Response(envelope.text_of(content), status, media_type=envelope.JSON)
            request = here.request
            media_type, text = envelope.refusal(
                content,
                status=status,
                instance=request.url.path,
                problem_json=envelope.wants_problem(request.headers.get("accept", "")),
            )
            return Response(text, status, media_type=media_type)
        case Running(run_id=int(run_id)):
            from application.api.waiting import answer_of  # noqa: PLC0415 - it starts runs, which come here

            run = await run_sync(here.services.runs.get, run_id)
            if run is not None:
                return await answer_of(here, run, replayed=True)
        case Other():
            raise KeyOfAnother
        case _:
            pass
    raise RequestRunning
