"""The company addresses: who may pass, what is asked, and how each answer is made."""

import gzip
from collections.abc import Callable
from typing import Final

from qbo_simulator import answers, queries, refusals, troubles
from qbo_simulator.answers import GatewayRefusal
from qbo_simulator.books import Row
from qbo_simulator.clock import PACIFIC, envelope_time
from qbo_simulator.codec import encode, thing
from qbo_simulator.diary import Visit
from qbo_simulator.entities import BY_PATH, KINDS, Kind
from qbo_simulator.faults import Fault
from qbo_simulator.messages import PLAIN_JSON, Reply
from qbo_simulator.posting import Posting, checked_text
from qbo_simulator.refusals import Refusal
from qbo_simulator.world import Realm, World
from qbo_simulator.writing import valid_id

TOKEN_MIN: Final = 20
TOKEN_MAX: Final = 4096
MINOR: Final = 75
READS: Final = frozenset({"query", "read", "cdc"})
ACTIONS: Final = frozenset({("GET", "pdf"), ("POST", "send")})
PDF: Final = b"%PDF-1.4\n% simulator\n%%EOF\n"


class CompanyRoutes:
    """Answers everything below `/v3/company/{realm}/`."""

    def __init__(self, *, world: World) -> None:
        self._world = world
        self._posting = Posting(world=world, asked=self._asked)
        self._special: Final[dict[tuple[str, str], Callable[[Visit, Realm], Reply]]] = {
            ("POST", "batch"): self._batch,
            ("GET", "query"): self._query,
            ("POST", "query"): self._query,
            ("GET", "preferences"): self._preferences,
        }

    def answer(self, visit: Visit) -> Reply:
        """Return the answer to one request, whatever goes wrong on purpose."""
        world, request = self._world, visit.request
        parts = request.path.strip("/").split("/")
        visit.realm_id = parts[2] if len(parts) > 2 else ""  # noqa: PLR2004  # v3/company/realm
        tail = parts[3:]
        _name(visit, tail)
        realm = world.realms.get(visit.realm_id)
        if realm is None:
            return self._gateway(visit, self._token_fault(visit) or answers.forbidden())
        batch = visit.entity == "batch"
        realm.gate.arrive(world.clock.virtual_s(), batch=batch)
        reply = self._admitted(visit, realm, tail)
        reply.finished = realm.gate.leave
        low, high = world.knobs.latency_ms
        if high:
            reply.wait_s += world.chance.uniform(low, high) / 1000
        if visit.request_id and reply.wait_s:
            now_s = world.clock.virtual_s()
            until_s = now_s + reply.wait_s * world.clock.scale
            realm.memory.busy(visit.request_id, until_s=until_s, now_s=now_s)
        return reply

    def _admitted(self, visit: Visit, realm: Realm, tail: list[str]) -> Reply:
        world = self._world
        barred = self._token_fault(visit)
        if barred is not None:
            return self._gateway(visit, barred)
        visit.authorized = True
        if not self._within_limits(visit, realm):
            visit.codes.append("3001")
            if world.knobs.commit_then_refuse == "429":
                self._worked(visit, realm, tail)
            return troubles.throttled(world)
        fault = world.faults.take(visit.entity, now_s=world.clock.virtual_s())
        if fault is None:
            return self._worked(visit, realm, tail)
        return self._struck(visit, realm, tail, fault=fault)

    def _struck(self, visit: Visit, realm: Realm, tail: list[str], *, fault: Fault) -> Reply:
        world = self._world
        visit.fault = fault.kind
        done: Reply | None = None
        if fault.commit:
            visit.items_max = fault.details.get("items") if fault.kind == "cut_batch" else None
            visit.cut_items = fault.kind == "cut_batch"
            done = self._worked(visit, realm, tail)
        elif fault.kind == "hang" and world.knobs.late_commit_s is not None:
            self._commit_late(visit, realm, tail)
        return troubles.struck(world, fault, done)

    def _commit_late(self, visit: Visit, realm: Realm, tail: list[str]) -> None:
        world = self._world
        later_s = troubles.CUT_AFTER_S + (world.knobs.late_commit_s or 0)
        request = visit.request

        def commit() -> None:
            late = world.diary.open(request)
            _name(late, tail)
            late.realm_id, late.fault, late.authorized = visit.realm_id, "late_commit", True
            self._worked(late, realm, tail)
            world.diary.close(late)

        world.at(world.clock.virtual_s() + later_s, commit)

    def _token_fault(self, visit: Visit) -> GatewayRefusal | None:
        header = visit.request.headers.get("authorization")
        if header is None:
            return answers.token_missing()
        scheme, _, token = header.partition(" ")
        if scheme != "Bearer" or not TOKEN_MIN <= len(token) <= TOKEN_MAX:
            return answers.unauthorized("Malformed bearer token: too short or too long")
        meaning = self._world.oauth.meaning(token)
        if meaning is None:
            return answers.unauthorized(f"Token expired: {token}")
        realm = self._world.realms.get(visit.realm_id)
        if (
            realm is None
            or meaning.realm_id != visit.realm_id
            or meaning.environment != realm.books.environment
        ):
            return answers.forbidden()
        return None

    def _within_limits(self, visit: Visit, realm: Realm) -> bool:
        world = self._world
        reads = visit.operation in READS
        if not realm.gate.meter(reads=reads, quota=world.knobs.coreplus_quota):
            return False
        if not world.knobs.throttles:
            return True
        batch = visit.entity == "batch"
        items = visit.request.body.count(b'"bId"') if batch else 1
        return realm.gate.admits(
            world.clock.virtual_s(),
            batch=batch,
            cost=max(1, items) if world.knobs.batch_cost == "items" else 1,
            fixed=world.knobs.windows == "fixed",
        )

    def _gateway(self, visit: Visit, refusal: GatewayRefusal) -> Reply:
        visit.codes.append(refusal.code)
        xml = refusal.status == 401 and troubles.unauthorized_xml(self._world)  # noqa: PLR2004  # status
        return refusal.reply(now=self._world.clock.now(), xml=xml)

    def _worked(self, visit: Visit, realm: Realm, tail: list[str]) -> Reply:
        try:
            reply = self._routed(visit, realm, tail)
        except Refusal as refusal:
            visit.codes.append(refusal.code)
            reply = answers.refused(refusal, now=self._world.clock.now())
        reply.wait_s += visit.wait_s
        self._world.keeper.commit()
        return reply

    def _routed(self, visit: Visit, realm: Realm, tail: list[str]) -> Reply:
        request = visit.request
        self._check_transport(visit, tail)
        special = self._special.get((request.method, tail[0])) if len(tail) == 1 else None
        if special is not None:
            return special(visit, realm)
        match request.method, tail:
            case "GET", ["companyinfo", realm_id] if realm_id == visit.realm_id:
                return self._single("CompanyInfo", encode(realm.books.company), visit)
            case "POST", [path] if path in BY_PATH:
                return self._write(visit, realm, BY_PATH[path])
            case "GET", [path, row_id] if path in BY_PATH:
                row = self._row(visit, realm, BY_PATH[path], row_id)
                return self._single(row.entity, row.body, visit)
            case _, ["invoice", row_id, action] if (request.method, action) in ACTIONS:
                return self._act(visit, realm, row_id, action=action)
            case _:
                raise refusals.no_resource(request.path)

    def _check_transport(self, visit: Visit, tail: list[str]) -> None:
        request = visit.request
        if request.method not in {"GET", "POST"}:
            raise refusals.unsupported(f"{request.method} {request.path}")
        minor = request.options.get("minorversion", "")
        if minor != str(MINOR):
            visit.notes.append("minorversion")
        if request.method != "POST":
            return
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        allowed = {"application/json"}
        if tail == ["query"]:
            allowed = {"application/text", "text/plain"}
        elif tail[-1:] == ["send"]:
            allowed = {"application/octet-stream"}
        if kind not in allowed:
            raise refusals.unsupported(f"Content-Type {kind or 'none'}")

    def _batch(self, visit: Visit, realm: Realm) -> Reply:
        return self._success(self._posting.bundle(visit, realm), visit)

    def _preferences(self, visit: Visit, realm: Realm) -> Reply:
        return self._single("Preferences", encode(realm.books.preferences), visit)

    def _act(self, visit: Visit, realm: Realm, row_id: str, *, action: str) -> Reply:
        row = self._row(visit, realm, KINDS["Invoice"], row_id)
        if action == "pdf":
            return Reply(200, PDF, content_type="application/pdf")
        return self._single("Invoice", self._posting.sent(visit, realm, row).body, visit)

    def _write(self, visit: Visit, realm: Realm, kind: Kind) -> Reply:
        kept = self._posting.one(visit, realm, kind)
        if self._wants_xml(visit):
            whole = thing(kept.body).get(kind.entity)
            return answers.as_xml(kind.entity, whole, now=self._world.clock.now())
        if kept.status != 200:  # noqa: PLR2004  # a remembered fault keeps its own status
            return Reply(kept.status, kept.body, content_type=PLAIN_JSON)
        return self._success(kept.body, visit)

    # --- reads ----------------------------------------------------------------------------------

    def _row(self, visit: Visit, realm: Realm, kind: Kind, row_id: str) -> Row:
        row = realm.books.row(kind.entity, valid_id(row_id, notes=visit.notes))
        if row is None or row.deleted:
            if self._world.knobs.unknown_id == "404":
                refusal = refusals.not_found()
                refusal.status = 404
                raise refusal
            raise refusals.not_found()
        return row

    def _single(self, entity: str, body: bytes, visit: Visit) -> Reply:
        now = self._world.clock.now()
        if self._wants_xml(visit):
            return answers.as_xml(entity, thing(body), now=now)
        return self._success(b"".join(answers.enveloped(entity, body, now=now)), visit)

    def _success(self, body: bytes, visit: Visit) -> Reply:
        knobs = self._world.knobs
        reply = answers.success(body, chunked=knobs.framing == "chunked")
        if knobs.gzip and "gzip" in visit.request.headers.get("accept-encoding", ""):
            reply.body = gzip.compress(body, compresslevel=1, mtime=0)
            reply.headers.append(("Content-Encoding", "gzip"))
        return reply

    def _wants_xml(self, visit: Visit) -> bool:
        if "json" in visit.request.headers.get("accept", ""):
            return False
        visit.notes.append("no_json_accept")
        return True

    def _query(self, visit: Visit, realm: Realm) -> Reply:
        request = visit.request
        statement = request.options.get("query", "")
        if request.method == "POST":
            statement = checked_text(request.body).decode()
        body = self._asked(realm, statement)
        now = self._world.clock.now()
        if self._wants_xml(visit):
            return answers.as_xml("QueryResponse", None, now=now)
        tail = b',"time":"' + envelope_time(now).encode() + b'"}'
        return self._success(b'{"QueryResponse":' + body + tail, visit)

    def _asked(self, realm: Realm, statement: str) -> bytes:
        world = self._world
        special = " ".join(statement.lower().split())
        for entity, whole in (
            ("CompanyInfo", realm.books.company),
            ("Preferences", realm.books.preferences),
        ):
            if special == f"select * from {entity.lower()}":  # noqa: S608  # compared, never run
                return encode({entity: [whole], "maxResults": 1})
        found = queries.answered(
            statement,
            books=realm.books,
            now_s=world.clock.virtual_s(),
            today=world.clock.now().astimezone(PACIFIC).date().isoformat(),
            cap_results=world.knobs.max_results == "cap",
        )
        if found.total is not None:
            return encode({"totalCount": found.total})
        if not found.rows:
            return b"{}"
        rows = b",".join(row.body for row in found.rows)
        counts = f'],"startPosition":{found.start},"maxResults":{len(found.rows)}}}'
        return b'{"' + found.entity.encode() + b'":[' + rows + counts.encode()


def _name(visit: Visit, tail: list[str]) -> None:
    """Put the log's own words for the request into its entry."""
    request = visit.request
    visit.entity = tail[0] if tail else ""
    visit.request_id = request.options.get("requestid", "")
    if visit.entity == "query":
        visit.operation = "query"
    elif visit.entity == "cdc":
        visit.operation = "cdc"
    elif request.method == "GET":
        visit.operation = "read"
    elif visit.entity == "batch":
        visit.operation = "batch"
    else:
        visit.operation = request.options.get("operation", "write")
