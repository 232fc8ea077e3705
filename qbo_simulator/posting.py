"""Writes with a memory: the same `requestid` once, and thirty of them in a bundle."""

from collections.abc import Callable
from typing import Final

from qbo_simulator import answers, refusals
from qbo_simulator.batches import REQUEST_ID_MAX, Item, answer_fault, answer_item, items_of
from qbo_simulator.books import Row
from qbo_simulator.clock import envelope_time
from qbo_simulator.codec import NotJson, Thing, decode, encode, thing
from qbo_simulator.desk import Desk
from qbo_simulator.diary import Visit
from qbo_simulator.entities import KINDS, Kind
from qbo_simulator.refusals import Refusal
from qbo_simulator.replays import Kept, fingerprint
from qbo_simulator.world import Realm, World
from qbo_simulator.writing import written

REQUEST_KEY_MAX: Final = 50
Asked = Callable[[Realm, str], bytes]
Work = Callable[[], tuple[Row, bytes]]


class Posting:
    """Does the writes of the company addresses."""

    def __init__(self, *, world: World, asked: Asked) -> None:
        self._world = world
        self._asked = asked

    def one(self, visit: Visit, realm: Realm, kind: Kind) -> Kept:
        """Do one create, update, void or delete, or return what it answered before.

        Raises:
            Refusal: Nothing was changed.
        """
        request = visit.request
        body = read_object(request.body)
        _note_number(visit, body)
        key = self._request_key(visit)
        operation = request.options.get("operation", "").lower()
        if "void" in request.options.get("include", "").lower() and operation == "update":
            operation = "void"

        def work() -> tuple[Row, bytes]:
            return written(self._desk(visit, realm), kind, body, operation=operation)

        kept = self._once(visit, realm, key, kind=kind, raw=request.body, work=work)
        self._refuse_after_commit()
        return kept

    def sent(self, visit: Visit, realm: Realm, row: Row) -> Row:
        """Mark an invoice as sent by e-mail.

        Raises:
            Refusal: Nothing was changed.
        """
        body: Thing = {"Id": str(row.row_id), "SyncToken": str(row.token), "sparse": True}
        body["EmailStatus"] = "EmailSent"
        address = visit.request.options.get("sendTo")
        if address:
            body["BillEmail"] = {"Address": address}
        desk = self._desk(visit, realm)
        sent, _ = written(desk, KINDS["Invoice"], body, operation="update")
        visit.committed.append(f"Invoice:{sent.row_id}")
        return sent

    def bundle(self, visit: Visit, realm: Realm) -> bytes:
        """Do a batch and return its body.

        Raises:
            Refusal: The bundle as a whole is refused.
        """
        world, request = self._world, visit.request
        try:
            body = decode(checked_text(request.body))
        except NotJson as error:
            raise refusals.malformed(str(error)) from error
        key = self._request_key(visit)
        if len(key) > REQUEST_ID_MAX:
            visit.notes.append("long_batch_requestid")
        items = items_of(body, notes=visit.notes)
        whole_key = key if world.knobs.batch_key == "bundle" else ""
        mark = fingerprint(request.body) if whole_key else ""
        if whole_key:
            kept = self._remembered(visit, realm, whole_key, mark=mark)
            if kept is not None:
                visit.replayed = True
                return kept.body
        done = self._items(visit, realm, items, key=key)
        tail = b'],"time":"' + envelope_time(world.clock.now()).encode() + b'"}'
        answer = b'{"BatchItemResponse":[' + b",".join(done) + tail
        if whole_key:
            kept = Kept(world.clock.virtual_s(), 200, mark, (answer,), "", 0)
            realm.memory.keep(whole_key, kept, life_s=world.knobs.requestid_ttl_s)
        self._refuse_after_commit()
        return answer

    # --- one write ------------------------------------------------------------------------------

    def _desk(self, visit: Visit, realm: Realm) -> Desk:
        desk = self._world.desk(realm, visit=visit)
        include = visit.request.options.get("include", "")
        desk.include = frozenset(include.lower().split(",")) - {""}
        return desk

    def _refuse_after_commit(self) -> None:
        if self._world.knobs.commit_then_refuse == "6000":
            self._world.keeper.commit()
            raise refusals.unexpected()

    @staticmethod
    def _request_key(visit: Visit) -> str:
        key = visit.request.options.get("requestid")
        if not key:
            visit.notes.append("no_requestid")
            return ""
        if len(key) > REQUEST_KEY_MAX and visit.entity != "batch":
            raise refusals.long_request_id(key)
        return key

    def _once(
        self, visit: Visit, realm: Realm, key: str, *, kind: Kind, raw: bytes, work: Work
    ) -> Kept:
        """Return the remembered answer of this id, or do the work and remember it."""
        mark = fingerprint(raw) if key else ""
        kept = self._remembered(visit, realm, key, mark=mark) if key else None
        if kept is not None:
            visit.replayed = True
            return kept
        now_s = self._world.clock.virtual_s()
        now = self._world.clock.now()
        try:
            row, body = work()
        except Refusal as refusal:
            if key and self._world.knobs.requestid_cache_faults:
                fault = encode({"Fault": refusal.fault(), "time": envelope_time(now)})
                kept = Kept(now_s, refusal.status, mark, (fault,), "", 0)
                realm.memory.keep(key, kept, life_s=self._world.knobs.requestid_ttl_s)
            raise
        visit.committed.append(f"{row.entity}:{row.row_id}")
        self._watch_duplicates(visit, realm, row)
        parts = answers.enveloped(kind.entity, body, now=now)
        kept = Kept(now_s, 200, mark, parts, row.entity, row.row_id)
        if key:
            realm.memory.keep(key, kept, life_s=self._world.knobs.requestid_ttl_s)
        return kept

    def _remembered(self, visit: Visit, realm: Realm, key: str, *, mark: str) -> Kept | None:
        knobs = self._world.knobs
        now_s = self._world.clock.virtual_s()
        kept = realm.memory.find(key, now_s=now_s, life_s=knobs.requestid_ttl_s)
        if kept is None:
            return None
        left_s = realm.memory.busy_until_s.get(visit.request_id, 0.0) - now_s
        if left_s > 0 and self._runs_again(visit, left_s=left_s):
            return None
        if kept.fingerprint != mark:
            visit.notes.append("requestid_reused")
            if knobs.requestid_conflict == "600":
                raise _in_use()
        if knobs.replay_deleted == "create" and kept.entity:
            row = realm.books.row(kept.entity, kept.row_id)
            return None if row is None or row.deleted else kept
        return kept

    def _runs_again(self, visit: Visit, *, left_s: float) -> bool:
        """Decide about an id whose first request is still under way."""
        match self._world.knobs.requestid_inflight:
            case "600":
                raise _in_use()
            case "6000":
                raise refusals.unexpected()
            case "twice":
                return True
            case _:
                visit.wait_s = max(visit.wait_s, self._world.clock.real_wait_s(left_s))
                return False

    def _watch_duplicates(self, visit: Visit, realm: Realm, row: Row) -> None:
        if not row.doc_number or row.deleted or row.voided:
            return
        rows = realm.books.rows["Invoice"]
        live = [one for one in realm.books.numbered(row.doc_number) if not rows[one].voided]
        if len(live) > 1:
            detail = f"{row.doc_number}: {', '.join(str(one) for one in live)}"
            self._world.diary.violate("two_live_documents", n=visit.n, detail=detail)

    # --- batch ----------------------------------------------------------------------------------

    def _items(
        self, visit: Visit, realm: Realm, items: list[tuple[str, Item | Refusal]], *, key: str
    ) -> list[bytes]:
        world = self._world
        order = list(range(len(items)))
        if world.knobs.batch_order == "random":
            world.chance.shuffle(order)
        if visit.cut_items:
            limit = len(order) // 2 if visit.items_max is None else int(visit.items_max)
            order = order[:limit]
        item_key = key if world.knobs.batch_key == "item" else ""
        hidden: set[tuple[str, int]] = set()
        return [self._item(visit, realm, items[at], key=item_key, hidden=hidden) for at in order]

    def _item(
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
            if item.kind is None:
                found = self._asked(realm, item.query)
                return b'{"QueryResponse":' + found + b',"bId":' + encode(b_id) + b"}"
            kept = self._item_write(visit, realm, item, item.kind, key=key, hidden=hidden)
        except Refusal as refusal:
            visit.codes.append(refusal.code)
            return answer_fault(refusal, b_id=b_id)
        self._world.keeper.commit()
        return answer_item(kept, b_id=b_id)

    def _item_write(
        self,
        visit: Visit,
        realm: Realm,
        item: Item,
        kind: Kind,
        *,
        key: str,
        hidden: set[tuple[str, int]],
    ) -> Kept:
        _note_number(visit, item.body)
        item_key = key + item.b_id if key else ""
        if len(item_key) > REQUEST_KEY_MAX:
            raise refusals.long_request_id(item_key)
        desk = self._desk(visit, realm)
        desk.include |= item.include
        desk.hidden = frozenset(hidden)
        fresh = False

        def work() -> tuple[Row, bytes]:
            nonlocal fresh
            fresh = True
            return written(desk, kind, item.body, operation=item.operation)

        kept = self._once(visit, realm, item_key, kind=kind, raw=encode(item.body), work=work)
        if not fresh and self._world.knobs.batch_replay == "6000":
            raise refusals.unexpected()
        if fresh and item.operation == "create":
            hidden.add((kept.entity, kept.row_id))
        return kept


def checked_text(raw: bytes) -> bytes:
    """Return the bytes if they are UTF-8.

    Raises:
        Refusal: 2010.
    """
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = raw[error.start]
        raise refusals.malformed(f"Invalid UTF-8 middle byte 0x{byte:x}") from error
    return raw


def read_object(raw: bytes) -> Thing:
    """Return the JSON object of a body.

    Raises:
        Refusal: 2010.
    """
    try:
        return thing(checked_text(raw))
    except NotJson as error:
        raise refusals.malformed(str(error)) from error


def _note_number(visit: Visit, body: Thing) -> None:
    number = body.get("DocNumber")
    if isinstance(number, str):
        visit.doc_numbers.append(number)


def _in_use() -> Refusal:
    text = "The request ID you're trying to use already exists. Use a unique request ID."
    return Refusal("600", "Duplicate Request ID", text, element="")
