"""The batch address: up to thirty items, each kept or refused alone."""

from dataclasses import dataclass
from typing import Final

from qbo_simulator import refusals
from qbo_simulator.codec import Thing, encode, thing
from qbo_simulator.entities import KINDS, Kind
from qbo_simulator.refusals import Refusal
from qbo_simulator.replays import Kept

ITEMS_MAX: Final = 30
B_ID_MAX: Final = 10
REQUEST_ID_MAX: Final = 36


@dataclass(frozen=True, slots=True)
class Item:
    """One checked item of a batch."""

    b_id: str
    operation: str
    kind: Kind | None
    body: Thing
    query: str
    include: frozenset[str]


def items_of(body: object, *, notes: list[str]) -> list[tuple[str, Item | Refusal]]:
    """Return the items of a bundle under their bId, each readable or refused.

    Raises:
        Refusal: The bundle as a whole is refused.
    """
    if not isinstance(body, dict):
        raise refusals.malformed("BatchRequest")
    for name in body:
        if name != "BatchItemRequest":
            known = ["BatchItemRequest"]
            raise refusals.bad_property(name, entity="IntuitBatchRequest", known=known)
    listed = body.get("BatchItemRequest")
    if not isinstance(listed, list) or not listed:
        raise refusals.missing("BatchItemRequest")
    if len(listed) > ITEMS_MAX:
        text = f"Batch size exceeds allowed limit. Maximum allowed is {ITEMS_MAX}"
        raise Refusal("1040", "Batch size exceeds allowed limit", text)
    _check_ids(listed, notes=notes)
    return [(one["bId"], _item(one)) for one in listed]


def _check_ids(listed: list[object], *, notes: list[str]) -> None:
    ids = [one.get("bId") if isinstance(one, dict) else None for one in listed]
    if any(not isinstance(b_id, str) or not b_id for b_id in ids):
        raise refusals.missing("bId")
    if len(set(ids)) != len(ids):
        raise refusals.malformed("bId is used twice and")
    if any(len(str(b_id)) > B_ID_MAX for b_id in ids):
        notes.append("long_bid")


def _item(one: Thing) -> Item | Refusal:
    b_id = one["bId"]
    options = frozenset(str(one.get("optionsData", "")).split(",")) - {""}
    operation = str(one.get("operation", ""))
    if "Query" in one:
        return Item(b_id, "query", None, {}, str(one["Query"]), options)
    names = [name for name in one if name not in {"bId", "operation", "optionsData"}]
    if len(names) != 1 or names[0] not in KINDS or not isinstance(one[names[0]], dict):
        text = "Invalid or unsupported object name"
        return Refusal("2000", text, f"{text} : {', '.join(names)}", element="")
    if operation not in {"create", "update", "delete"}:
        return refusals.missing("operation")
    if "void" in options:
        operation = "void"
    return Item(b_id, operation, KINDS[names[0]], one[names[0]], "", options)


def answer_item(kept: Kept, *, b_id: str) -> bytes:
    """Return the item's answer from a remembered one: without its time, with its bId."""
    tail = b',"bId":' + encode(b_id) + b"}"
    if len(kept.parts) > 1:
        return kept.parts[0] + kept.parts[1] + tail
    whole = thing(kept.body)
    whole.pop("time", None)
    return encode(whole)[:-1] + tail


def answer_fault(refusal: Refusal, *, b_id: str) -> bytes:
    """Return a refused item's answer."""
    return encode({"Fault": refusal.fault(), "bId": b_id})
