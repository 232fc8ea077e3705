"""The control addresses under `/_simulator/`: state, knobs, faults, tokens, log, ledger."""

from collections.abc import Callable
from typing import Any, Final

from qbo_simulator.codec import NotJson, Thing, decode, encode
from qbo_simulator.entities import KINDS
from qbo_simulator.faults import NoSuchFault
from qbo_simulator.knobs import NoSuchKnob
from qbo_simulator.ledger import ledger_lines, ledger_of, newest_of
from qbo_simulator.messages import Reply, Request
from qbo_simulator.refusals import Refusal
from qbo_simulator.seeding import NotSeedable, edited, seeded
from qbo_simulator.world import Realm, World

PREFIX: Final = "/_simulator/"


class Control:
    """Answers the control addresses."""

    def __init__(self, *, world: World) -> None:
        self._world = world
        self._routes: Final[dict[tuple[str, str], Callable[[Request], object]]] = {
            ("GET", "state"): self._state,
            ("POST", "reset"): self._reset,
            ("GET", "knobs"): lambda _request: world.knobs.shown(),
            ("POST", "knobs"): self._turn,
            ("GET", "preferences"): lambda request: self._realm(request).books.preferences,
            ("POST", "preferences"): self._prefer,
            ("POST", "company"): self._company,
            ("POST", "realms"): self._open,
            ("GET", "faults"): lambda _request: self._troubles(),
            ("POST", "faults"): self._trouble,
            ("DELETE", "faults"): self._calm,
            ("POST", "expire-tokens"): self._expire,
            ("POST", "revoke"): self._revoke,
            ("POST", "token"): self._token,
            ("POST", "clock"): self._skip,
            ("POST", "seed"): self._seed,
            ("POST", "edit"): self._edit,
            ("GET", "violations"): lambda _request: world.diary.violations(),
        }

    def answer(self, request: Request) -> Reply:
        """Return the answer; a wrong use is told in a sentence under 400."""
        name = request.path.removeprefix(PREFIX).strip("/")
        try:
            if (request.method, name) == ("GET", "log"):
                return self._log(request)
            if (request.method, name) == ("GET", "ledger"):
                return self._ledger(request)
            route = self._routes.get((request.method, name))
            if route is None:
                return Reply(404, encode({"error": f"no {request.method} {request.path}"}))
            answer = route(request)
        except Refusal as refusal:  # a person in QuickBooks would be told the same
            return Reply(400, encode({"error": f"{refusal.code}: {refusal.message}"}))
        except (NoSuchKnob, NoSuchFault, NotSeedable, NotJson, ValueError, KeyError) as error:
            return Reply(400, encode({"error": f"{type(error).__name__}: {error}"}))
        self._world.keeper.commit()
        return Reply(200, encode(answer))

    def _given(self, request: Request) -> Thing:
        value = decode(request.body) if request.body else {}
        if not isinstance(value, dict):
            raise NotJson(type(value).__name__)
        return value

    def _realm(self, request: Request, *, given: Thing | None = None) -> Realm:
        realms = self._world.realms
        asked = request.options.get("realm") or (given or {}).get("realm")
        return realms[asked] if asked else next(iter(realms.values()))

    def _state(self, _request: Request) -> Thing:
        world = self._world
        return {
            "now": world.clock.now().isoformat(timespec="milliseconds"),
            "virtual_s": world.clock.virtual_s(),
            "clock_scale": world.clock.scale,
            "environment": world.environment,
            "requests": world.diary.count,
            "knobs": world.knobs.shown(),
            "faults": self._troubles(),
            "grants": world.oauth.grants(),
            "fault_hits": world.faults.hits,
            "violations": dict(world.diary.kinds),
            "realms": {realm_id: _company_state(one) for realm_id, one in world.realms.items()},
        }

    def _reset(self, _request: Request) -> Thing:
        self._world.reset()
        return {"reset": True}

    def _turn(self, request: Request) -> Thing:
        for name, value in self._given(request).items():
            if name == "suspended":
                self._suspend(self._realm(request), suspended=bool(value))
            elif name == "book_close_date":
                books = self._realm(request).books
                books.preferences["AccountingInfoPrefs"]["BookCloseDate"] = value
                books.save()
            else:
                self._world.knobs.change(name, value)
        return self._world.knobs.shown()

    def _prefer(self, request: Request) -> Thing:
        books = self._realm(request).books
        _lay_over(books.preferences, self._given(request))
        books.save()
        return books.preferences

    def _company(self, request: Request) -> Thing:
        given = self._given(request)
        realm = self._realm(request, given=given)
        given.pop("realm", None)
        if "suspended" in given:
            self._suspend(realm, suspended=bool(given.pop("suspended")))
        _lay_over(realm.books.company, given)
        realm.books.save()
        return realm.books.company

    @staticmethod
    def _suspend(realm: Realm, *, suspended: bool) -> None:
        realm.books.suspended = suspended
        for pair in realm.books.company["NameValue"]:
            if pair["Name"] == "SubscriptionStatus":
                pair["Value"] = "SUSPENDED" if suspended else "SUBSCRIBED"
        realm.books.save()

    def _open(self, request: Request) -> Thing:
        given = self._given(request)
        realm_id = str(given["realm_id"])
        name = str(given.get("name", f"Company {realm_id}"))
        self._world.open_company(realm_id, name=name, environment=given.get("environment"))
        return {"realm_id": realm_id}

    def _trouble(self, request: Request) -> list[Thing]:
        value = decode(request.body)
        asked: list[Thing] = value if isinstance(value, list) else [self._given(request)]
        now_s = self._world.clock.virtual_s()
        return [self._world.faults.add(one, now_s=now_s).shown() for one in asked]

    def _troubles(self) -> list[Thing]:
        return self._world.faults.shown(now_s=self._world.clock.virtual_s())

    def _calm(self, request: Request) -> Thing:
        self._world.faults.clear(label=request.options.get("label"))
        return {"cleared": True}

    def _expire(self, request: Request) -> Thing:
        return {"expired": self._world.oauth.expire(self._given(request).get("realm"))}

    def _revoke(self, request: Request) -> Thing:
        self._world.oauth.end(self._given(request).get("realm"))
        return {"revoked": True}

    def _token(self, request: Request) -> Thing:
        given = self._given(request)
        realm = self._realm(request, given=given)
        place = given.get("environment", realm.books.environment)
        return self._world.oauth.issue(realm.books.realm_id, environment=place)

    def _skip(self, request: Request) -> Thing:
        self._world.skip(float(self._given(request)["advance_s"]))
        return {"virtual_s": self._world.clock.virtual_s()}

    def _seed(self, request: Request) -> Thing:
        given = self._given(request)
        realm = self._realm(request, given=given)
        given.pop("realm", None)
        desk = self._world.desk(realm, instant=True)
        return seeded(desk, given)

    def _edit(self, request: Request) -> Thing:
        given = self._given(request)
        realm = self._realm(request, given=given)
        return edited(self._world.desk(realm, instant=True), given)

    def _log(self, request: Request) -> Reply:
        after = int(request.options.get("after", "0"))
        limit = int(request.options.get("limit", "10000"))
        lines = self._world.diary.lines(after=after, limit=limit)
        return Reply(200, lines, content_type="application/x-ndjson")

    def _ledger(self, request: Request) -> Reply:
        entity = request.options.get("entity", "Invoice")
        if entity not in KINDS:
            raise NotSeedable(entity)
        books = self._realm(request).books
        if "newest" in request.options:
            return Reply(200, encode(newest_of(books, entity, int(request.options["newest"]))))
        if request.options.get("format") == "json":
            return Reply(200, encode(list(ledger_of(books, entity))))
        return Reply(200, ledger_lines(books, entity), content_type="application/x-ndjson")


def _company_state(realm: Realm) -> Thing:
    books = realm.books
    counts = {
        entity: {
            "all": len(rows),
            "live": sum(1 for row in rows.values() if not row.deleted and not row.voided),
        }
        for entity, rows in books.rows.items()
    }
    return {
        "company_name": books.company["CompanyName"],
        "environment": books.environment,
        "suspended": books.suspended,
        "counts": counts,
        "remembered_request_ids": len(realm.memory),
        "meters": realm.gate.shown(),
    }


def _lay_over(old: dict[str, Any], new: Thing) -> None:
    for name, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(name), dict):
            _lay_over(old[name], value)
        else:
            old[name] = value
