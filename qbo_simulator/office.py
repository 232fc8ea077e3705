"""Takes every request to whoever answers it, and writes the diary around it."""

from collections.abc import Callable
from typing import Final

from qbo_simulator.codec import encode
from qbo_simulator.control import Control
from qbo_simulator.diary import Visit
from qbo_simulator.messages import Cut, Reply, Request
from qbo_simulator.routes import CompanyRoutes
from qbo_simulator.troubles import struck
from qbo_simulator.world import World


class Office:
    """The simulator without its sockets: a request in, an answer out."""

    def __init__(self, *, world: World) -> None:
        self.world = world
        self._company = CompanyRoutes(world=world)
        self._control = Control(world=world)
        oauth = world.oauth
        self._doors: Final[dict[tuple[str, str], Callable[[Visit], Reply]]] = {
            ("GET", "/connect/oauth2"): lambda visit: oauth.authorize(visit.request),
            ("POST", "/oauth2/v1/tokens/bearer"): self._token,
            ("POST", "/v2/oauth2/tokens/revoke"): lambda visit: oauth.revoke(visit.request),
            ("GET", "/.well-known/openid_configuration"): self._discovery,
            ("GET", "/.well-known/openid_sandbox_configuration"): self._discovery,
            ("GET", "/op/v1/jwks"): lambda _visit: Reply(200, encode({"keys": []})),
        }

    def answer(self, request: Request) -> Reply:
        """Return the answer to one request."""
        self.world.run_due()
        if request.path.startswith("/_simulator/"):
            return self._control.answer(request)
        visit = self.world.diary.open(request)
        reply = self._answered(visit)
        self.world.keeper.commit()
        visit.status = None if reply.cut is not Cut.NOT else reply.status
        self.world.diary.close(visit)
        return reply

    def refuses_connections(self) -> bool:
        """Return whether a new connection is closed at once."""
        return self.world.faults.refuses_connections(now_s=self.world.clock.virtual_s())

    def _answered(self, visit: Visit) -> Reply:
        request = visit.request
        path = request.path.rstrip("/")
        if path.startswith("/v3/company/"):
            return self._company.answer(visit)
        visit.entity = "oauth"
        door = self._doors.get((request.method, path))
        if door is None:
            return Reply(404, b"<html><body>Not Found</body></html>", content_type="text/html")
        return door(visit)

    def _discovery(self, visit: Visit) -> Reply:
        return self.world.oauth.discovery(visit.request)

    def _token(self, visit: Visit) -> Reply:
        visit.entity = "token"
        now_s = self.world.clock.virtual_s()
        fault = self.world.faults.take("token", now_s=now_s)
        if fault is None:
            return self.world.oauth.token(visit.request)
        visit.fault = fault.kind
        if fault.kind == "refuse_refresh":
            text = "Incorrect or invalid refresh token"
            body = {"error": "invalid_grant", "error_description": text}
            return Reply(400, encode(body))
        done = self.world.oauth.token(visit.request) if fault.commit else None
        return struck(self.world, fault, done)
