"""What goes on in a world: MIS rows, processes and their verbs, people, and the tidying up."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta

from application.catalogue import NotConnected, Stop
from application.invoices.model import Kind
from application.services.ordering import Asked
from application.services.reports import Caller
from application.store.tokens import BROKEN
from qbo_simulator.company import REALM_ID
from qbo_simulator.seeding import edited, seeded
from tests.simulation.ground import HELD, START, Installation
from tests.simulation.profiles import CLOSED, DAY, HOUR, MINUTE, SECOND
from tests.simulation.verbs import Verb, driving, retrying, sending
from tests.simulation.world import SimulatedWorld

FIRST = 101
TIDY = "tidy"
PERSON_RETRIES = (0, 2, 5)  # rounds of the tidying in which a person tries the failed again
PAYERS = ("25/00411/BBA", "24/01207/BIT", "23/00086/LLB")
NAMES = (("Uwase", "Aline"), ("Mugisha", "Eric"), ("Keza", "Diane"))
RESTARTS_MOST = 6
DILIGENT = 12  # runs of a process that does nothing else
ROUNDS_MOST = 24
ROUND_MS = 13 * MINUTE
# A clock that was a day ahead when an answer was lost makes its decision wait that day out.
LONG_ROUND_MS = 75 * MINUTE
VALID = frozenset({"plain", "stranger"})  # what reaches 1 once the faults are over
BOOKED = "2026-02-16"
CHANGES: tuple[dict[str, object], ...] = (
    {"void": True}, {"delete": True}, {"total": "77"}, {"paid": "10"},
)  # fmt: skip


@dataclass
class Row:
    """One MIS invoice, and what the checker may expect of it."""

    id: int
    kind: str = "plain"  # plain, invalid, stranger, taken, legacy
    payer: str = PAYERS[0]
    amount: str | None = "150000"
    amounts: set[str] = field(default_factory=set)  # every amount it ever showed
    touched: bool = False  # by a person, in either book
    booked: str = BOOKED


class Life:
    """Fills a world and lets it run."""

    def __init__(self, world: SimulatedWorld) -> None:
        self.world = world
        self.dice = world.dice
        self.rows: dict[int, Row] = {}
        self.restarts = 0
        self.person_retried = False
        self.reconnected = 0
        self.unfinished: list[str] = []

    # -- before ----------------------------------------------------------------------------------

    def settle_in(self) -> None:
        """Put rows in the MIS, some of them with a past."""
        with closing(sqlite3.connect(self.world.ground.mis_file)) as mis:
            for number, (payer, (first, last)) in enumerate(zip(PAYERS, NAMES, strict=True), 1):
                mis.execute(
                    "INSERT INTO tbl_personal_ug (per_id_ug, reg_no, fname, lname, email1) "
                    "VALUES (?, ?, ?, ?, ?)",
                    (number, payer, first, last, f"{first.lower()}@students.example"),
                )
            for number in range(self.world.weather.invoices):
                self._row(mis, FIRST + number)
            if self.world.weather.bundles:
                for number in HELD:
                    _insert(mis, Row(number, kind="held"))
            mis.commit()

    def _row(self, mis: sqlite3.Connection, number: int) -> None:
        kinds = ("plain", "invalid", "stranger", "taken", "legacy")
        shares = (1, 0, 0, 0, 0) if self.world.weather.script else self.world.weather.kinds
        row = Row(
            id=number,
            kind=self.dice.choices(kinds, shares)[0],
            payer=self.dice.choice(PAYERS),
            amount=self.dice.choice(self.world.weather.amounts),
        )
        if self.world.weather.closed and row.kind == "plain" and self.dice.random() < 0.4:
            row.booked = CLOSED
            row.kind = "plain" if self.world.weather.reopened else "invalid"
        elif row.kind == "invalid":
            row.amount, row.payer = self.dice.choice(((None, PAYERS[0]), ("5000", "99/NOBODY")))
        self.rows[number] = row
        row.amounts.add(row.amount or "")
        _insert(mis, row)
        if row.kind in {"taken", "legacy"}:
            self._stand(row)
        self.world.invoice_ids.append(number)

    def _stand(self, row: Row) -> None:
        """Have a document under this number in QuickBooks already."""
        total = row.amount if row.kind == "legacy" else "3333"
        qbo = self.world.qbo
        desk = qbo.desk(qbo.realms[REALM_ID], instant=True)
        document = {
            "DocNumber": f"MIS-{row.id}",
            "CustomerName": row.payer,
            "Total": total,
            "TxnDate": BOOKED,
            "ItemId": "2",
        }
        seeded(desk, {"invoices": [document]})

    # -- during ----------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start processes and let people and clocks interfere."""
        world, weather, dice = self.world, self.world.weather, self.dice
        for number in range(weather.processes):
            self._start(f"p{number + 1}", after_ms=dice.randrange(1, 20 * SECOND))
        events = [self._change_mis] * (dice.choice((1, 2)) if weather.person_mis else 0)
        events += [self._change_books] * weather.person_qbo
        events += [self._step_clock] * (dice.choice((1, 2, 4)) if weather.clock_steps else 0)
        events += [self._restore_mis] * weather.restored_mis
        for event in events:
            world.scheduler.at(world.forward(weather.ends_ms), event)
        if weather.restored_store:
            self._restore_store(weather.ends_ms)

    def _start(self, name: str, *, after_ms: int) -> None:
        world = self.world

        def life(services: Installation) -> None:
            self._live(services)

        process = world.start(name, life, after_ms=after_ms)
        world.scheduler.after(1, lambda: None)

        def look() -> None:
            if world.calm:
                return
            if process.dead:
                if self.restarts < RESTARTS_MOST:
                    self.restarts += 1
                    delay = self.dice.choice((SECOND, 20 * SECOND, 6 * MINUTE, HOUR))
                    self._start(f"{name}.{self.restarts}", after_ms=delay)
                return
            if process in world.processes:
                world.scheduler.after(30 * SECOND, look)

        world.scheduler.after(30 * SECOND, look)

    def _live(self, services: Installation) -> None:
        """Do a few verbs, as a person or a schedule would."""
        weather = self.world.weather
        if weather.small:
            verbs: tuple[Verb, ...] = (self._all, self._all, self._batch, self._single)
            self._tried(self.dice.choice(verbs), services)
            return
        diligent = weather.diligent
        for _ in range(DILIGENT if diligent else self.dice.choice((1, 1, 2))):
            if self.world.calm:
                return
            verbs = (self._all, self._batch, self._single, self._settle, self._retry, self._durable)
            verb = self._all if diligent else self.dice.choices(verbs, (45, 10, 10, 10, 10, 15))[0]
            self._tried(verb, services)
            services.world.clock.sleep_ms(
                self.dice.choice((SECOND, 30 * SECOND, 5 * MINUTE, 13 * MINUTE))
            )

    def _tried(self, verb: Verb, services: Installation) -> None:
        history = self.world.history
        try:
            verb(services)
        except Stop as stop:
            history.causes[stop.cause] += 1
            history.note(self.world.scheduler.now_ms, services.holder, f"stopped {stop.cause}")
        else:
            history.note(self.world.scheduler.now_ms, services.holder, f"did {verb.__name__}")

    def _caller(self, services: Installation) -> Caller:
        spans = (DAY,) if self.world.weather.diligent else (40 * SECOND, HOUR, DAY)
        until = self.world.scheduler.now_ms + self.dice.choice(spans)
        return Caller(by=services.actor("cli"), stop=lambda: self.world.scheduler.now_ms >= until)

    def _all(self, services: Installation) -> None:
        wait = self.dice.random() < 0.04
        services.sync.all(caller=self._caller(services), wait_for_unclear=wait)

    def _batch(self, services: Installation) -> None:
        services.sync.batch(caller=self._caller(services))

    def _single(self, services: Installation) -> None:
        services.sync.single(self.dice.choice([*self.rows]), caller=self._caller(services))

    def _settle(self, services: Installation) -> None:
        services.sync.reset_stuck(caller=self._caller(services), look_now=self.dice.random() < 0.5)

    def _retry(self, services: Installation) -> None:
        failed = [number for number, status in self._statuses().items() if status == 2]
        if failed:
            self.person_retried = True
            services.sync.retry(failed, caller=self._caller(services))

    def _durable(self, services: Installation) -> None:
        asked = Asked(by=services.actor("api"))
        run = services.ordering.all(asked=asked)
        if run is not None:
            services.sync.drive(run.id, caller=self._caller(services))

    # -- people, clocks, disasters ---------------------------------------------------------------

    def _change_mis(self) -> None:
        if self.world.calm:
            return
        row = self.rows[self.dice.choice([*self.rows])]
        row.touched = True
        gone = self.dice.random() < 0.25
        self._told("mis", f"{'delete' if gone else 'edit'} {row.id}")
        with closing(sqlite3.connect(self.world.ground.mis_file)) as mis:
            if gone:
                mis.execute("DELETE FROM tbl_imvoice WHERE id = ?", (row.id,))
            else:
                row.amount = self.dice.choice(("150000", "99000", "12.34"))
                row.amounts.add(row.amount)
                mis.execute("UPDATE tbl_imvoice SET dept = ? WHERE id = ?", (row.amount, row.id))
            mis.commit()

    def _change_books(self) -> None:
        if self.world.calm:
            return
        qbo = self.world.qbo
        books = qbo.realms[REALM_ID].books
        standing = [one for one in books.rows["Invoice"].values() if not one.deleted]
        if not standing:
            return
        one = self.dice.choice(standing)
        change = {"delete": True} if self.world.weather.deletes else self.dice.choice(CHANGES)
        self._told("quickbooks", f"{change} {one.doc_number}")
        self.world.people_changed.add(one.doc_number)
        if "delete" in change:
            self.world.watch.deleted(one.doc_number, at=self.world.machine_now())
        asked = {"entity": "Invoice", "id": one.row_id, "change": dict(change)}
        edited(qbo.desk(qbo.realms[REALM_ID]), asked)

    def _step_clock(self) -> None:
        if self.world.calm:
            return
        self.world.skew_ms = self.dice.choice((0, DAY, -DAY, HOUR, -HOUR, 30 * SECOND, -5 * MINUTE))
        self._told("clock", str(self.world.skew_ms))

    def _restore_mis(self) -> None:
        if self.world.calm:
            return
        self._told("mis", "restored")
        with closing(sqlite3.connect(self.world.ground.mis_file)) as mis:
            mis.execute(
                "UPDATE tbl_imvoice SET QuickBk_Status = 0, pushed_by = NULL, pushed_date = NULL "
                "WHERE id < ?",
                (HELD[0],),
            )
            mis.execute("DELETE FROM seen")
            mis.commit()
        for row in self.rows.values():
            row.touched = True

    def _restore_store(self, span: int) -> None:
        world, ground = self.world, self.world.ground

        def taken() -> None:
            image = ground.copied(ground.store_file)

            def back() -> None:
                if world.calm:
                    return
                # Whoever restores a database has stopped the programs that use it.
                for process in [*world.processes]:
                    world.scheduler.condemn(process)
                self._told("store", "restored")
                ground.restore(ground.store_file, image)
                for row in self.rows.values():
                    row.touched = True

            world.scheduler.after(world.forward(span), back)

        world.scheduler.at(world.forward(span), taken)

    def _told(self, who: str, what: str) -> None:
        self.world.history.note(self.world.scheduler.now_ms, who, what)

    # -- after -----------------------------------------------------------------------------------

    def at_rest(self) -> bool:
        """Return whether a small world went so well that nobody needs to tidy up."""
        if not self.world.weather.small or self.restarts:
            return False
        return not self.world.ground.unsettled() and set(self._statuses().values()) == {1}

    def tidy(self) -> None:
        """The weather is over: one healthy process brings everything to where it belongs."""
        world = self.world
        world.clear_up()
        if world.weather.reopened:
            books = world.qbo.realms[REALM_ID].books
            books.preferences["AccountingInfoPrefs"]["BookCloseDate"] = "2001-01-01"
        world.skew_ms = 0
        stepped = world.weather.clock_steps

        def life(services: Installation) -> None:
            for turn in range(ROUNDS_MOST):
                self._tidy_once(services, turn=turn)
                if self._quiet(services, turn=turn):
                    return
                services.world.clock.sleep_ms(LONG_ROUND_MS if stepped else ROUND_MS)
            self.unfinished.append("not quiet after the last round")

        world.start(TIDY, life, after_ms=1)

    def _tidy_once(self, services: Installation, *, turn: int) -> None:
        caller = Caller(by=services.actor("cli"))
        held = services.tokens.load(services.environment)
        if held is not None and held.state == BROKEN:
            self._reconnect(services)
        tag = services.company.realm_tag() or ""
        for run in services.runs.resting(tag):  # what a server would go on with
            self._tried(driving(run.id, caller=self._impatient(services)), services)
        self._tried(sending(caller=caller), services)
        failed = [number for number, status in self._statuses().items() if status == 2]
        if failed and turn in PERSON_RETRIES:
            self.person_retried = True
            self._tried(retrying(failed, caller=caller), services)

    @staticmethod
    def _impatient(services: Installation) -> Caller:
        """Return a caller who stops waiting when a person must sign in first; that is us."""

        def stop() -> bool:
            held = services.tokens.load(services.environment)
            return held is not None and held.state == BROKEN

        return Caller(by=services.actor("cli"), stop=stop)

    def _reconnect(self, services: Installation) -> None:
        """A person signs in again."""
        held = services.tokens.load(services.environment)
        if held is None:
            raise NotConnected(since="", reason="")
        self.reconnected += 1
        given = self.world.qbo.oauth.issue(REALM_ID)
        now = services.world.clock.now()
        fresh = type(held)(
            realm=held.realm,
            access_token=str(given["access_token"]),
            access_until=now + timedelta(hours=1),
            refresh_token=str(given["refresh_token"]),
            refresh_until=now + timedelta(days=101),
            connected_by="person",
            connected_at=now,
            company_name=held.company_name,
        )
        services.tokens.save(fresh, by=services.actor("cli"))

    def _quiet(self, services: Installation, *, turn: int) -> bool:
        statuses = self._statuses()
        wrong = [
            number
            for number, status in statuses.items()
            if status == 2 and number in self.rows and self.rows[number].kind in VALID
        ]
        if wrong and turn <= max(PERSON_RETRIES):
            return False
        waiting = [
            number
            for number, status in statuses.items()
            if status == 3 or (status in {0, None} and number in self.rows)
        ]
        tag = services.company.realm_tag() or ""
        return not waiting and not services.journal.unsettled(tag, kind=Kind.INVOICE)

    def _statuses(self) -> dict[int, int | None]:
        with closing(sqlite3.connect(self.world.ground.mis_file)) as mis:
            return dict(
                mis.execute("SELECT id, QuickBk_Status FROM tbl_imvoice WHERE id < ?", (HELD[0],))
            )


def _insert(mis: sqlite3.Connection, row: Row) -> None:
    earlier = f"{START - timedelta(hours=1):%Y-%m-%d %H:%M:%S}"
    status, by, at, comment = 0, None, None, None
    if row.kind == "stranger":
        status, by, at = 3, "oldtool-7", earlier
    if row.kind == "legacy":
        status, by, at, comment = 2, "oldtool-7", earlier, "[QB_ID:77]"
    mis.execute(
        "INSERT INTO tbl_imvoice (id, reg_no, fee_category, dept, credit, invoice_date, date, "
        "comment, QuickBk_Status, pushed_by, pushed_date) VALUES (?,?,1,?,0,?,?,?,?,?,?)",
        (row.id, row.payer, row.amount, row.booked, row.booked, comment, status, by, at),
    )
