"""The company addresses: who may pass, what is asked, and how each answer is made."""

import gzip
from collections.abc import Callable
from datetime import datetime
from typing import Final

from qbo_simulator import answers, queries, refusals, troubles
from qbo_simulator.answers import GatewayRefusal
from qbo_simulator.batches import REQUEST_ID_MAX, Item, answer_fault, answer_item, items_of
from qbo_simulator.books import Row
from qbo_simulator.clock import PACIFIC, envelope_time
from qbo_simulator.codec import NotJson, Thing, decode, encode, thing
from qbo_simulator.desk import Desk
from qbo_simulator.diary import Visit
from qbo_simulator.entities import BY_PATH, KINDS, Kind
from qbo_simulator.faults import Fault
from qbo_simulator.messages import PLAIN_JSON, Reply, Request
from qbo_simulator.refusals import Refusal
from qbo_simulator.replays import Kept, fingerprint
from qbo_simulator.world import Realm, World
from qbo_simulator.writing import valid_id, written

REQUEST_KEY_MAX: Final = 50
TOKEN_MIN: Final = 20
TOKEN_MAX: Final = 4096
MINOR: Final = 75
READS: Final = frozenset({"query", "read", "cdc"})
PDF: Final = b"%PDF-1.4\n% simulator\n%%EOF\n"


class CompanyRoutes:
    """Answers everything below `/v3/company/{realm}/`."""

    def __init__(self, *, world: World) -> None:
        self._world = world

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
            until = world.clock.virtual_s() + reply.wait_s * world.clock.scale
            realm.memory.busy_until_s[visit.request_id] = until
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
        fault = world.faults.take(_subject(visit), now_s=world.clock.virtual_s())
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
        again = Request(request.method, request.target, request.headers, request.body)

        def commit() -> None:
            visit.request = again
            self._worked(visit, realm, tail)

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
        self._check_transport(visit, tail)
        match visit.request.method, tail:
            case "POST", ["batch"]:
                return self._batch(visit, realm)
            case "GET" | "POST", ["query"]:
                return self._query(visit, realm)
            case "GET", ["companyinfo", realm_id] if realm_id == visit.realm_id:
                return self._single("CompanyInfo", encode(realm.books.company), visit)
            case "GET", ["preferences"]:
                return self._single("Preferences", encode(realm.books.preferences), visit)
            case "GET", ["invoice", row_id, "pdf"]:
                self._row(visit, realm, KINDS["Invoice"], row_id)
                return Reply(200, PDF, content_type="application/pdf")
            case "POST", ["invoice", row_id, "send"]:
                return self._send(visit, realm, row_id)
            case "GET", [path, row_id] if path in BY_PATH:
                row = self._row(visit, realm, BY_PATH[path], row_id)
                return self._single(row.entity, row.body, visit)
            case "POST", [path] if path in BY_PATH:
                return self._write(visit, realm, BY_PATH[path])
            case _:
                raise refusals.no_resource(visit.request.path)

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
            statement = _text(request.body)
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
            if special == f"select * from {entity.lower()}":
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

    # --- writes ---------------------------------------------------------------------------------

    def _desk(self, visit: Visit, realm: Realm) -> Desk:
        desk = self._world.desk(realm, visit=visit)
        include = visit.request.options.get("include", "")
        desk.include = frozenset(include.lower().split(",")) - {""}
        return desk

    def _write(self, visit: Visit, realm: Realm, kind: Kind) -> Reply:
        request = visit.request
        body = _object(request.body)
        _note_numbers(visit, body)
        key = self._request_key(visit)
        operation = request.options.get("operation", "").lower()

        def work() -> tuple[Row, bytes]:
            return written(self._desk(visit, realm), kind, body, operation=operation)

        kept = self._once(visit, realm, key, kind=kind, raw=request.body, work=work)
        self._refuse_after_commit()
        if self._wants_xml(visit):
            return answers.as_xml(kind.entity, thing(kept.body).get(kind.entity), now=self._now())
        reply = self._success(kept.body, visit)
        if kept.status != 200:  # noqa: PLR2004  # a remembered fault keeps its own status
            reply = Reply(kept.status, kept.body, content_type=PLAIN_JSON)
        return reply

    def _now(self) -> datetime:
        return self._world.clock.now()

    def _refuse_after_commit(self) -> None:
        if self._world.knobs.commit_then_refuse == "6000":
            self._world.keeper.commit()
            raise refusals.unexpected()

    def _request_key(self, visit: Visit) -> str:
        key = visit.request.options.get("requestid")
        if not key:
            visit.notes.append("no_requestid")
            return ""
        if len(key) > REQUEST_KEY_MAX:
            raise refusals.long_request_id(key)
        return key

    def _once(
        self,
        visit: Visit,
        realm: Realm,
        key: str,
        *,
        kind: Kind,
        raw: bytes,
        work: Callable[[], tuple[Row, bytes]],
    ) -> Kept:
        """Return the remembered answer of this id, or do the work and remember it."""
        mark = fingerprint(raw) if key else ""
        kept = self._remembered(visit, realm, key, mark=mark) if key else None
        if kept is not None:
            visit.replayed = True
            return kept
        world = self._world
        try:
            row, body = work()
        except Refusal as refusal:
            if key and world.knobs.requestid_cache_faults:
                fault = encode({"Fault": refusal.fault(), "time": envelope_time(self._now())})
                now_s = world.clock.virtual_s()
                realm.memory.keep(key, Kept(now_s, refusal.status, mark, (fault,), "", 0))
            raise
        visit.committed.append(f"{row.entity}:{row.row_id}")
        self._watch_duplicates(visit, realm, row)
        parts = answers.enveloped(kind.entity, body, now=self._now())
        kept = Kept(world.clock.virtual_s(), 200, mark, parts, row.entity, row.row_id)
        if key:
            realm.memory.keep(key, kept)
        return kept

    def _remembered(self, visit: Visit, realm: Realm, key: str, *, mark: str) -> Kept | None:
        world, memory = self._world, realm.memory
        now_s = world.clock.virtual_s()
        kept = memory.find(key, now_s=now_s, life_s=world.knobs.requestid_ttl_s)
        if kept is None:
            return None
        if now_s < memory.busy_until_s.get(visit.request_id, 0.0):
            match world.knobs.requestid_inflight:
                case "600":
                    raise _in_use()
                case "6000":
                    raise refusals.unexpected()
                case "twice":
                    return None
                case _:
                    left_s = memory.busy_until_s[visit.request_id] - now_s
                    visit.wait_s = max(visit.wait_s, world.clock.real_wait_s(left_s))
        if kept.fingerprint != mark:
            visit.notes.append("requestid_reused")
            if world.knobs.requestid_conflict == "600":
                raise _in_use()
        if world.knobs.replay_deleted == "create" and kept.entity:
            row = realm.books.row(kept.entity, kept.row_id)
            if row is None or row.deleted:
                return None
        return kept

    def _watch_duplicates(self, visit: Visit, realm: Realm, row: Row) -> None:
        if not row.doc_number or row.deleted or row.voided:
            return
        live = [
            one
            for one in realm.books.numbered(row.doc_number)
            if not realm.books.rows["Invoice"][one].voided
        ]
        if len(live) > 1:
            detail = f"{row.doc_number}: {', '.join(str(one) for one in live)}"
            self._world.diary.violate("two_live_documents", n=visit.n, detail=detail)

    def _send(self, visit: Visit, realm: Realm, row_id: str) -> Reply:
        row = self._row(visit, realm, KINDS["Invoice"], row_id)
        body: Thing = {"Id": row_id, "SyncToken": str(row.token), "sparse": True}
        body["EmailStatus"] = "EmailSent"
        address = visit.request.options.get("sendTo")
        if address:
            body["BillEmail"] = {"Address": address}
        desk = self._desk(visit, realm)
        sent, _ = written(desk, KINDS["Invoice"], body, operation="update")
        visit.committed.append(f"Invoice:{sent.row_id}")
        return self._single("Invoice", sent.body, visit)

    # --- batch ----------------------------------------------------------------------------------

    def _batch(self, visit: Visit, realm: Realm) -> Reply:
        world, request = self._world, visit.request
        try:
            body = decode(_checked_text(request.body))
        except NotJson as error:
            raise refusals.malformed(str(error)) from error
        key = self._request_key(visit)
        if len(key) > REQUEST_ID_MAX:
            visit.notes.append("long_batch_requestid")
        items = items_of(body, notes=visit.notes)
        key = self._bundle_key(realm, key)
        order = list(range(len(items)))
        if world.knobs.batch_order == "random":
            world.chance.shuffle(order)
        if visit.cut_items:
            limit = len(order) // 2 if visit.items_max is None else int(visit.items_max)
            order = order[:limit]
        hidden: set[tuple[str, int]] = set()
        done = [
            self._batch_item(visit, realm, items[place], key=key, hidden=hidden) for place in order
        ]
        self._refuse_after_commit()
        tail = b'],"time":"' + envelope_time(self._now()).encode() + b'"}'
        return self._success(b'{"BatchItemResponse":[' + b",".join(done) + tail, visit)

    def _bundle_key(self, realm: Realm, key: str) -> str:
        """Return the id the items' keys start with; remember that this bundle came."""
        world = self._world
        if not key or world.knobs.batch_key == "none":
            return ""
        return key

    def _batch_item(
        self,
        visit: Visit,
        realm: Realm,
        named: tuple[str, Item | Refusal],
        *,
        key: str,
        hidden: set[tuple[str, int]],
    ) -> bytes:
        b_id, item = named
        try:
            if isinstance(item, Refusal):
                raise item
            return self._item_answer(visit, realm, item, key=key, hidden=hidden)
        except Refusal as refusal:
            visit.codes.append(refusal.code)
            return answer_fault(refusal, b_id=b_id)

    def _item_answer(
        self, visit: Visit, realm: Realm, item: Item, *, key: str, hidden: set[tuple[str, int]]
    ) -> bytes:
        if item.kind is None:
            found = self._asked(realm, item.query)
            return b'{"QueryResponse":' + found + b',"bId":' + encode(item.b_id) + b"}"
        kind = item.kind
        _note_numbers(visit, item.body)
        item_key = key + item.b_id if key else ""
        if len(item_key) > REQUEST_KEY_MAX:
            raise refusals.long_request_id(item_key)
        desk = self._desk(visit, realm)
        desk.include |= item.include
        desk.hidden = frozenset(hidden)

        def work() -> tuple[Row, bytes]:
            return written(desk, kind, item.body, operation=item.operation)

        kept = self._once(visit, realm, item_key, kind=kind, raw=encode(item.body), work=work)
        if item.operation == "create" and not visit.replayed:
            hidden.add((kept.entity, kept.row_id))
        self._world.keeper.commit()
        return answer_item(kept, b_id=item.b_id)


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


def _subject(visit: Visit) -> str:
    return visit.entity


def _note_numbers(visit: Visit, body: Thing) -> None:
    number = body.get("DocNumber")
    if isinstance(number, str):
        visit.doc_numbers.append(number)


def _in_use() -> Refusal:
    text = "The request ID you're trying to use already exists. Use a unique request ID."
    return Refusal("600", "Duplicate Request ID", text, element="")


def _checked_text(raw: bytes) -> bytes:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = raw[error.start]
        raise refusals.malformed(f"Invalid UTF-8 middle byte 0x{byte:x}") from error
    return raw


def _text(raw: bytes) -> str:
    return _checked_text(raw).decode()


def _object(raw: bytes) -> Thing:
    try:
        return thing(_checked_text(raw))
    except NotJson as error:
        raise refusals.malformed(str(error)) from error
