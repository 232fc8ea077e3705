"""The ledger of one company: rows, the ways to find them, and what a query sees late."""

import heapq
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

from qbo_simulator.codec import Thing, encode, thing
from qbo_simulator.entities import KINDS, PEOPLE
from qbo_simulator.keeping import Keeper

FIRST_IDS: Final = {"classes": 5_000_000_000_000_142_240}  # real ones have 19 digits
NO_MONEY: Final = Decimal(0)


@dataclass(slots=True)
class Row:
    """One object: its JSON, and the columns a query or an index asks for."""

    entity: str
    row_id: int
    token: int
    body: bytes
    doc_number: str = ""
    name: str = ""
    customer_id: int = 0
    dated: str = ""
    due: str = ""
    total: Decimal = NO_MONEY
    balance: Decimal = NO_MONEY
    active: bool = True
    created_s: int = 0
    updated_s: int = 0
    deleted: bool = False
    voided: bool = False

    def thing(self) -> Thing:
        """Return a fresh copy of the object."""
        return thing(self.body)


def row_of(entity: str, whole: Thing, *, deleted: bool = False, voided: bool = False) -> Row:
    """Return the row of a complete object."""
    times = whole["MetaData"]
    return Row(
        entity=entity,
        row_id=int(whole["Id"]),
        token=int(whole["SyncToken"]),
        body=encode(whole),
        doc_number=whole.get("DocNumber", ""),
        name=whole.get(KINDS[entity].name_property, ""),
        customer_id=int(whole.get("CustomerRef", {}).get("value", 0)),
        dated=whole.get("TxnDate", ""),
        due=whole.get("DueDate", ""),
        total=Decimal(whole.get("TotalAmt", NO_MONEY)),
        balance=Decimal(whole.get("Balance", NO_MONEY)),
        active=whole.get("Active", True),
        created_s=int(datetime.fromisoformat(times["CreateTime"]).timestamp()),
        updated_s=int(datetime.fromisoformat(times["LastUpdatedTime"]).timestamp()),
        deleted=deleted,
        voided=voided,
    )


@dataclass(slots=True)
class Late:
    """A change that queries do not see yet."""

    visible_at_s: float
    before: Row | None


@dataclass
class Books:
    """One company."""

    realm_id: str
    company: Thing
    preferences: Thing
    keeper: Keeper
    environment: str = "simulator"
    suspended: bool = False
    merged: set[int] = field(default_factory=set)
    strangers: dict[str, str] = field(default_factory=dict)
    rows: dict[str, dict[int, Row]] = field(
        default_factory=lambda: {entity: {} for entity in KINDS}
    )
    numbers: dict[str, dict[str, list[int]]] = field(default_factory=lambda: defaultdict(dict))
    of_customer: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    names: dict[str, dict[str, list[int]]] = field(default_factory=lambda: defaultdict(dict))
    sequences: dict[str, int] = field(default_factory=dict)
    late: dict[tuple[str, int], list[Late]] = field(default_factory=dict)
    late_ends: list[tuple[float, str, int]] = field(default_factory=list)
    next_number: int = 1001

    def next_id(self, sequence: str) -> int:
        """Return a fresh id of that sequence."""
        last = self.sequences.get(sequence, FIRST_IDS.get(sequence, 0))
        self.sequences[sequence] = last + 1
        return last + 1

    def row(self, entity: str, row_id: int) -> Row | None:
        """Return the newest state of one object, deleted ones included."""
        return self.rows[entity].get(row_id)

    def named(self, entity: str, name: str) -> tuple[str, int] | None:
        """Return who holds that name: people share one list, each other entity has its own."""
        for one in PEOPLE if entity in PEOPLE else (entity,):
            for row_id in self.names[one].get(folded(name), ()):
                if self.rows[one][row_id].active:
                    return one, row_id
        return None

    def numbered(self, doc_number: str, *, entity: str = "Invoice") -> list[int]:
        """Return the ids of undeleted documents under that number."""
        rows = self.rows[entity]
        same = self.numbers[entity].get(folded(doc_number), ())
        return [row_id for row_id in same if rows[row_id].doc_number == doc_number]

    def put(self, row: Row, *, visible_at_s: float | None = None) -> None:
        """Replace or add one row, its index entries and its place in the file.

        Args:
            row: The new state.
            visible_at_s: Simulated second from which queries see it; None is at once.
        """
        before = self.rows[row.entity].get(row.row_id)
        if before is not None:
            self._unindex(before)
        self.rows[row.entity][row.row_id] = row
        self._index(row)
        if visible_at_s is not None:
            late = self.late.setdefault((row.entity, row.row_id), [])
            late.append(Late(visible_at_s, before))
            heapq.heappush(self.late_ends, (visible_at_s, row.entity, row.row_id))
        flag = b"D" if row.deleted else b"V" if row.voided else b"-"
        self.keeper.put(
            "row", realm=self.realm_id, name=f"{row.entity}/{row.row_id}", value=flag + row.body
        )

    def restore(self, name: str, value: bytes) -> None:
        """Take one row back from the file."""
        entity, _, _ = name.partition("/")
        whole = thing(value[1:])
        row = row_of(entity, whole, deleted=value[:1] == b"D", voided=value[:1] == b"V")
        self.rows[entity][row.row_id] = row
        self._index(row)
        sequence = KINDS[entity].sequence
        self.sequences[sequence] = max(self.sequences.get(sequence, 0), row.row_id)

    def seen(self, row: Row, *, now_s: float) -> Row | None:
        """Return the state a query sees of that row at this moment, None when nothing."""
        waiting = self.late.get((row.entity, row.row_id))
        if not waiting:
            return row
        while waiting and waiting[0].visible_at_s <= now_s:
            waiting.pop(0)
        if not waiting:
            del self.late[(row.entity, row.row_id)]
            return row
        return waiting[0].before

    def unseen(self, entity: str, *, now_s: float) -> Iterator[Row]:
        """Yield rows whose newest change queries may not see yet."""
        while self.late_ends and self.late_ends[0][0] <= now_s:
            _, kept, row_id = heapq.heappop(self.late_ends)
            self.seen(self.rows[kept][row_id], now_s=now_s)
        for kept, row_id in list(self.late):
            if kept == entity:
                yield self.rows[entity][row_id]

    def save(self) -> None:
        """Note everything of the company that is no row."""
        self.keeper.put(
            "realm",
            realm=self.realm_id,
            name="company",
            value=encode(
                {
                    "company": self.company,
                    "preferences": self.preferences,
                    "environment": self.environment,
                    "suspended": self.suspended,
                    "merged": sorted(self.merged),
                    "strangers": self.strangers,
                    "next_number": self.next_number,
                }
            ),
        )

    def _index(self, row: Row) -> None:
        if row.deleted:
            return
        if row.doc_number:
            same = self.numbers[row.entity].setdefault(folded(row.doc_number), [])
            same.append(row.row_id)
        if row.customer_id:
            self.of_customer[row.customer_id].add(row.row_id)
        if row.name:
            self.names[row.entity].setdefault(folded(row.name), []).append(row.row_id)

    def _unindex(self, row: Row) -> None:
        if row.deleted:
            return
        if row.doc_number:
            _take_out(self.numbers[row.entity], folded(row.doc_number), row.row_id)
        if row.customer_id:
            self.of_customer[row.customer_id].discard(row.row_id)
        if row.name:
            _take_out(self.names[row.entity], folded(row.name), row.row_id)


def folded(text: str) -> str:
    """Return the text as names and values are compared: trimmed, without case."""
    return text.strip().casefold()


def _take_out(index: dict[str, list[int]], key: str, row_id: int) -> None:
    same = index[key]
    same.remove(row_id)
    if not same:
        del index[key]
