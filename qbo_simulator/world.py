"""Everything one simulator holds: clock, chance, knobs, companies, tokens, faults, diary."""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from qbo_simulator.books import Books
from qbo_simulator.clock import Clock
from qbo_simulator.codec import Thing, encode, thing
from qbo_simulator.company import FIRST_ACCOUNTS, REALM_ID, opened
from qbo_simulator.desk import Desk
from qbo_simulator.diary import Diary, Visit
from qbo_simulator.entities import KINDS
from qbo_simulator.faults import Faults
from qbo_simulator.keeping import Keeper
from qbo_simulator.knobs import Knobs
from qbo_simulator.lists import CLASSIFICATIONS
from qbo_simulator.oauth import OAuth
from qbo_simulator.replays import Memory
from qbo_simulator.throttle import Gate
from qbo_simulator.writing import kept


@dataclass(slots=True)
class Realm:
    """One company with what surrounds its books."""

    books: Books
    memory: Memory
    gate: Gate = field(default_factory=Gate)


class World:
    """The state of one simulator process."""

    def __init__(
        self,
        *,
        clock: Clock,
        chance: random.Random,
        environment: str = "simulator",
        file: Path | None = None,
    ) -> None:
        self.clock = clock
        self.chance = chance
        self.environment = environment
        self.keeper = Keeper(path=file)
        self.knobs = Knobs()
        self.first_knobs: Thing = {}
        self.faults = Faults(chance=chance)
        self.diary = Diary(clock=clock)
        self.names_refused = [0]
        self.turns = count()
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._resume_clock()
        self._start_another_draw()
        self.oauth = OAuth(
            clock=clock,
            chance=chance,
            knobs=self.knobs,
            keeper=self.keeper,
            environment=environment,
        )
        self.realms: dict[str, Realm] = {}
        self._restore()
        if not self.realms:
            self.open_company(REALM_ID, name="Demo University (simulator)")
        self.keeper.commit()

    def open_company(self, realm_id: str, *, name: str, environment: str | None = None) -> Realm:
        """Open a company with its first accounts, product and term."""
        books = opened(
            realm_id, keeper=self.keeper, name=name, environment=environment or self.environment
        )
        realm = self._surround(books)
        desk = self.desk(realm, instant=True)
        for account, kind, subtype, classification in FIRST_ACCOUNTS:
            _ = classification
            self._first(
                desk,
                "Account",
                {
                    "Name": account,
                    "FullyQualifiedName": account,
                    "AccountType": kind,
                    "AccountSubType": subtype,
                    "Classification": CLASSIFICATIONS[kind][0],
                    "SubAccount": False,
                    "CurrentBalance": 0,
                    "CurrentBalanceWithSubAccounts": 0,
                    "CurrencyRef": {"value": desk.home_currency()},
                },
            )
        item: Thing = {"Name": "Services", "FullyQualifiedName": "Services", "Taxable": False}
        item |= {"UnitPrice": 0, "Type": "Service", "PurchaseCost": 0, "TrackQtyOnHand": False}
        item |= {"IncomeAccountRef": {"value": "1", "name": "Tuition Income"}}
        self._first(desk, "Item", item)
        term = {"Name": "Net 30", "FullyQualifiedName": "Net 30", "Type": "STANDARD", "DueDays": 30}
        self._first(desk, "Term", term)
        books.save()
        return realm

    def desk(self, realm: Realm, *, visit: Visit | None = None, instant: bool = False) -> Desk:
        """Return what a write needs; an instant one is seen by queries at once."""
        knobs = self.knobs
        if instant:
            knobs = Knobs(**self.knobs.shown())
            knobs.index_lag_s = [0.0, 0.0]
            knobs.auto_apply_credit = knobs.number_not_kept = False
        return Desk(
            books=realm.books,
            knobs=knobs,
            chance=self.chance,
            now=self.clock.now(),
            virtual_s=self.clock.virtual_s(),
            notes=visit.notes if visit is not None else [],
            names_refused=self.names_refused,
        )

    def at(self, virtual_s: float, work: Callable[[], None]) -> None:
        """Do something at a later simulated second."""
        heapq.heappush(self._later, (virtual_s, next(self.turns), work))

    @property
    def next_due_s(self) -> float | None:
        """The simulated second at which the next late work is due; None where nothing waits."""
        return self._later[0][0] if self._later else None

    def run_due(self) -> None:
        """Do what has come due."""
        while self._later and self._later[0][0] <= self.clock.virtual_s():
            heapq.heappop(self._later)[2]()

    def reset(self) -> None:
        """Go back to the first day, with the same company."""
        self.keeper.clear()
        for name, value in (Knobs().shown() | self.first_knobs).items():
            self.knobs.change(name, value)
        self.faults.clear()
        self.diary.clear()
        self.oauth.end(None)
        self._later.clear()
        self.realms.clear()
        self.oauth.companies.clear()
        self.open_company(REALM_ID, name="Demo University (simulator)")
        self._keep_clock()
        self.keeper.commit()

    def skip(self, seconds: float) -> None:
        """Let simulated seconds pass at once."""
        self.clock.skip(seconds)
        self._keep_clock()
        self.keeper.commit()
        self.run_due()

    def _surround(self, books: Books) -> Realm:
        realm = Realm(books, Memory(realm_id=books.realm_id, keeper=self.keeper))
        self.realms[books.realm_id] = realm
        self.oauth.companies[books.realm_id] = books.company["CompanyName"]
        return realm

    def _first(self, desk: Desk, entity: str, whole: Thing) -> None:
        kind = KINDS[entity]
        row_id = desk.books.next_id(kind.sequence)
        kept(desk, kind, {"Active": True, **whole}, row_id=row_id, before=None)

    def _restore(self) -> None:
        for realm_id, _, value in self.keeper.each("realm"):
            found = thing(value)
            books = Books(
                realm_id=realm_id,
                company=found["company"],
                preferences=found["preferences"],
                keeper=self.keeper,
                environment=found["environment"],
                suspended=found["suspended"],
                merged=set(found["merged"]),
                strangers=found["strangers"],
                next_number=found["next_number"],
            )
            self._surround(books)
        for realm_id, name, value in self.keeper.each("row"):
            self.realms[realm_id].books.restore(name, value)
        for realm_id, name, value in self.keeper.each("replay"):
            self.realms[realm_id].memory.restore(name, value)

    def _resume_clock(self) -> None:
        for _, _, value in self.keeper.each("clock"):
            found = thing(value)
            self.clock.resume(scale=float(found["scale"]), skipped_s=float(found["skipped_s"]))
        self._keep_clock()

    def _start_another_draw(self) -> None:
        """Go on with other draws than before: the first process' tokens must not come again."""
        starts = sum(int(value) for _, _, value in self.keeper.each("starts"))
        if starts:
            self.chance.seed(self.chance.getrandbits(64) + starts)
        self.keeper.put("starts", realm="", name="starts", value=str(starts + 1).encode())

    def _keep_clock(self) -> None:
        value = encode({"scale": self.clock.scale, "skipped_s": self.clock.skipped_s})
        self.keeper.put("clock", realm="", name="clock", value=value)
