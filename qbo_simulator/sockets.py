"""The two sockets: the company's, which a fault may close for a while, and one for control only."""

import asyncio
import socket
from typing import Final

from qbo_simulator.codec import encode
from qbo_simulator.control import PREFIX
from qbo_simulator.messages import Reply, Request
from qbo_simulator.office import Office
from qbo_simulator.transport import Connection
from qbo_simulator.world import World

LOOPBACK: Final = "127.0.0.1"
BACKLOG: Final = 1024


class Steering:
    """Answers control addresses only, and always: here trouble is ended, too."""

    def __init__(self, *, office: Office) -> None:
        self._office = office

    def answer(self, request: Request) -> Reply:
        """Return the answer to one request."""
        if not request.path.startswith(PREFIX):
            return Reply(404, encode({"error": "only control addresses are answered here"}))
        return self._office.answer(request)

    def refuses_connections(self) -> bool:
        """Return False."""
        return False


class Sockets:
    """Listens for clients and for whoever steers the simulator."""

    def __init__(self, *, world: World) -> None:
        self._world = world
        self._office = Office(world=world)
        self._steering_office = Steering(office=self._office)
        self._clients: set[Connection] = set()
        self._steering: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._control: asyncio.Server | None = None
        self._closed: socket.socket | None = None
        self.port = 0
        self.control_port = 0

    async def open(self, port: int, *, control_port: int) -> None:
        """Listen on both; port 0 takes a free one."""
        self._server = await self._listen(_bound(port))
        self._control = await self._listen_for_control(_bound(control_port))
        self.port = self._server.sockets[0].getsockname()[1]
        self.control_port = self._control.sockets[0].getsockname()[1]

    async def follow(self) -> None:
        """Close or open the company's socket, as the faults say."""
        listening = self._world.faults.listening(now_s=self._world.clock.virtual_s())
        if self._server is not None and not listening:
            self._server.close()
            self._server = None
            _drop(self._clients)
            # Bound and not listening: connections are refused, and nobody else takes the port.
            self._closed = _bound(self.port)
        elif self._closed is not None and listening:
            self._server = await self._listen(self._closed)
            self._closed = None

    def close(self) -> None:
        """End both, and whatever is open."""
        for server in (self._server, self._control):
            if server is not None:
                server.close()
        if self._closed is not None:
            self._closed.close()
        _drop(self._clients | self._steering)

    async def _listen(self, door: socket.socket) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(
            lambda: self._connection(self._office, open_ones=self._clients),
            sock=door,
            backlog=BACKLOG,
        )

    async def _listen_for_control(self, door: socket.socket) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(
            lambda: self._connection(self._steering_office, open_ones=self._steering), sock=door
        )

    def _connection(self, office: Office | Steering, *, open_ones: set[Connection]) -> Connection:
        return Connection(
            office=office,
            next_tid=self._tid,
            second=lambda: int(self._world.clock.real_s()),
            open_ones=open_ones,
        )

    def _tid(self) -> str:
        second = int(self._world.clock.real_s())
        return f"1-{second:08x}-{self._world.chance.getrandbits(96):024x}"


def _bound(port: int) -> socket.socket:
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            door.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)  # Windows
        else:
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((LOOPBACK, port))
    except OSError:
        door.close()
        raise
    door.setblocking(False)  # noqa: FBT003  # socket's own signature
    return door


def _drop(open_ones: set[Connection]) -> None:
    for connection in list(open_ones):
        connection.drop()
