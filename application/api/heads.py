"""Connections as the server takes them: how many, how slow a head may be, and what is no HTTP."""

from asyncio import TimerHandle, Transport
from typing import ClassVar, Final

import h11
from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol

from application.api import envelope
from application.api.guard import PLAIN, Rules

CONNECTIONS_MAX: Final = 512
HEAD_S: Final = 30
STATUS: Final = 400


class Heads(H11Protocol):
    """One connection: uvicorn's own, with an end to its patience.

    Uvicorn waits for ever for the first head of a connection, and answers what is no HTTP with a
    text of its own.
    """

    rules: ClassVar[Rules]
    head_s: ClassVar[int] = HEAD_S
    connections_max: ClassVar[int] = CONNECTIONS_MAX
    _late: TimerHandle | None = None

    @override
    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        if len(self.connections) > self.connections_max:
            transport.abort()
            return
        self._watch()

    @override
    def data_received(self, part: bytes) -> None:
        super().data_received(part)
        self._watch()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watching()
        super().connection_lost(exc)

    @override
    def send_400_response(self, msg: str) -> None:
        """Answer what is no request in the envelope, like everything else."""
        del msg
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.close()  # an answer is under way; this one would be read as part of it
            return
        rules = self.rules
        now = rules.world.clock.now()
        request_id = rules.world.chance.ulid(at=now)
        _, headers, body = envelope.failure(
            "bad_request",
            facts={"problem": "it is no HTTP request, or its head is larger than 16 kB"},
            request_id=request_id,
            now=now.astimezone(rules.office),
        )
        raw = [
            (b"content-type", f"{headers['Content-Type']}; charset=utf-8".encode()),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
            (b"x-request-id", request_id.encode()),
            *PLAIN,
        ]
        head = h11.Response(status_code=STATUS, headers=raw, reason=b"Bad Request")
        for event in (head, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
        rules.logs.event("request.answered", http_status=STATUS, request_id=request_id)

    def _watch(self) -> None:
        """Give the head that is on its way its time, once, however often a byte of it comes."""
        if self.conn.their_state is not h11.IDLE:
            self._stop_watching()
        elif self._late is None and not self.transport.is_closing():
            self._late = self.loop.call_later(self.head_s, self.timeout_keep_alive_handler)

    def _stop_watching(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


def heads_of(
    rules: Rules, *, head_s: int = HEAD_S, connections_max: int = CONNECTIONS_MAX
) -> type[Heads]:
    """Return the kind of connection a guarded server takes.

    Args:
        rules: Of the guard behind it.
        head_s: How long a head may take.
        connections_max: One more is cut at once.
    """
    kept, patience, most = rules, head_s, connections_max

    class Bound(Heads):
        rules = kept
        head_s = patience
        connections_max = most

    return Bound
